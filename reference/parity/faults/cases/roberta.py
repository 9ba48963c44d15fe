"""RoBERTa: positions."""

from reference.parity.faults.case import Case, Noted

CASES: dict[str, Noted] = {
    "positions_not_offset": Case(
        "sbryngelson/ANEForge",
        "pull/257",
        "a converted DistilRoBERTa was published with positions from 0: cosine 0.65",
        "comparison",
        "the only check had been that it loads, and that its vectors have length one",
    ),
}
