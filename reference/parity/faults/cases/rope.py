"""Rotary positions."""

from reference.parity.faults.case import Case, Noted

CASES: dict[str, Noted] = {
    "rope_bases_swapped": Case(
        "vllm-project/vllm",
        "pull/29111",
        "after a change to how settings are read, Gemma 3's local layers had wrong ones",
        "test",
        "a test of perplexity failed",
    ),
    "rope_parameters_ignored": Case(
        "sgl-project/SpecForge",
        "pull/702",
        "version 5 of Transformers moved the base to another key, and a default took its place",
        "reading",
        "seen after the upgrade; other bases than the default could be lost in silence",
    ),
    "rope_interleaved": Case(
        "ohdearquant/lattice",
        "pull/96",
        "neighbouring features were turned, and a name in the configuration had suggested it",
        "comparison",
        "perplexity was 0.77 above MLX's, and 0.03 after",
    ),
    "values_turned_too": Case(
        "lucidrains/x-transformers",
        "issues/182",
        "values were turned as well, for an experiment, long after it was over",
        "reading",
        "a reader asked why others do not",
    ),
}
