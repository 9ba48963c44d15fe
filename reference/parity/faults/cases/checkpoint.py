"""Reading a checkpoint."""

from reference.parity.faults.case import Case, Noted

CASES: dict[str, Noted] = {
    "weights_through_half": Case(
        "google/saxml",
        "issues/28",
        "a conversion took bfloat16 weights through float16, which has fewer exponents",
        "comparison",
        "a user printed a weight before and after",
    ),
}
