"""Ids of characters, and words drawn in place of all words."""

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
    "positives_uncorrected": NoneKnown(
        "tensorflow/recommenders #219 is about this correction, and there its sign was wrong"
    ),
    "sampled_without_correction": Case(
        "NVIDIA-Merlin/models",
        "pull/1051",
        "frequent items were drawn more often as negatives, and no logit was corrected for it",
        "reading",
        "the maintainers compared it with the method's description",
    ),
    "inclusion_by_draws": NoneKnown(
        "seeded because the two agree for rare words, and differ for frequent ones only"
    ),
}
