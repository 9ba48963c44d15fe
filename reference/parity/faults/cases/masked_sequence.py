"""Heads at chosen positions."""

from reference.parity.faults.case import Case, Noted

CASES: dict[str, Noted] = {
    "ignored_detections_counted": Case(
        "huggingface/transformers",
        "issues/12047",
        "LUKE's loss for spans has no mask for those that only fill a batch up",
        "reading",
        "a reader asked where it was",
    ),
    "places_counted_in_the_text": Case(
        "ArneBinder/pytorch-ie",
        "issues/51",
        "places were counted through the batch, and then taken for places in each text",
        "symptom",
        "labels came out on the wrong spans, or beyond the end of a text",
    ),
    "filler_in_the_mean": Case(
        "google-research/runtime-error-prediction",
        "pull/48",
        "lists of spans were filled up with zeros, and the first token was in many phantoms",
        "unsaid",
        "the correction explains the bug, and not how it was met",
    ),
    "detection_norm_before_activation": Case(
        "goruck/nilm",
        "issues/1",
        "the right layers in another order, with the activation last and not between",
        "reading",
        "a reader asked, and the author agreed",
    ),
}
