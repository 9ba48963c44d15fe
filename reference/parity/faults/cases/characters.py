"""Ids of characters, and candidates for all answers."""

from reference.parity.faults.case import Case, NoneKnown, Noted

CASES: dict[str, Noted] = {
    "unknown_taken_for_pad": Case(
        "tensorflow/skflow",
        "issues/142",
        "0 was padding, and every unknown word",
        "reading",
        "a user wanted to tell a text's length by its zeros",
    ),
    "mask_shared_with_a_character": Case(
        "dome272/MaskGIT-pytorch",
        "issues/9",
        "the mask had the id of an entry of the codebook",
        "reading",
        "a reader asked; the loss had looked well, and looked better after",
    ),
    "sampled_without_correction": Case(
        "NVIDIA-Merlin/models",
        "pull/1051",
        "frequent items were drawn more often as negatives, and no logit was corrected for it",
        "reading",
        "the maintainers compared it with the method's description",
    ),
}
