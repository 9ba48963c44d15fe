"""Losses: which labels count, and what the loss is divided by."""

from reference.parity.faults.case import Case, Noted

CASES: dict[str, Noted] = {
    "ignored_labels_counted": Case(
        "lucidrains/DALLE-pytorch",
        "issues/57",
        "the label to be ignored was defined, and the loss not told; padding was learned",
        "reading",
        "a reader looked for the variable's use",
    ),
    "mean_over_all_labels": Case(
        "dhlee347/pytorchic-bert",
        "issues/24",
        "BERT's loss was weighted with zeros, and then divided by their number too",
        "reading",
        "a reader compared it with the original's numerator and denominator",
    ),
}
