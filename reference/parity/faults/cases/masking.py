"""Masking: what a masked language model is trained to guess."""

from reference.parity.faults.case import Case, Noted

CASES: dict[str, Noted] = {
    "shares_one_after_another": Case(
        "lucidrains/mlm-pytorch",
        "issues/6",
        "random words were drawn first, and masks of what was left: 10, 81 and 9 %",
        "reading",
        "a reader worked it out, when the author had already mended it once",
    ),
    "a_tenth_of_the_rest": Case(
        "Adibvafa/CodonTransformer",
        "issues/28",
        "a tenth was drawn of the fifth that is left, and a model was pre-trained on that",
        "reading",
        "an author read the code after publication; nobody knows what it cost",
    ),
    "special_tokens_masked": Case(
        "huggingface/transformers",
        "issues/11155",
        "three lines that spare the padding were lost when the code was tidied",
        "reading",
        "a user found the commit",
    ),
}
