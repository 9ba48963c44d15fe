"""Heads: what they share."""

from reference.parity.faults.case import Case, Noted

CASES: dict[str, Noted] = {
    "softmax_for_logits": Case(
        "nfmcclure/tensorflow_cookbook",
        "issues/86",
        "a book's examples called softmaxed outputs logits, and the loss took them for such",
        "reading",
        "a reader quoted the warning in TensorFlow's documentation",
    ),
    "untied_decoder": Case(
        "huggingface/transformers",
        "issues/2901",
        "a published Greek BERT came without the head of its masked language model",
        "symptom",
        "tagging and classification were fine, and masks were filled at random",
    ),
    "modernbert_untied_decoder": Case(
        "vec2text/vec2text",
        "pull/94",
        "one of two ways to load a model tied no weights, and the decoder was all zeros",
        "comparison",
        "the two ways gave different results",
    ),
}
