"""Pooling: from the last hidden state to a text's vector."""

from reference.parity.faults.case import Case, Noted

CASES: dict[str, Noted] = {
    "pads_inside_the_mean": Case(
        "huggingface/candle",
        "blob/052518fb31566cbcc176a6a75d1581e6d644ed09/candle-wasm-examples/bert/src/bin/m.rs",
        "an example for the browser divides the sum of all tokens by their number, pads too",
        "choice",
        "its own comment says so",
    ),
    "pooling_config_ignored": Case(
        "jundot/omlx",
        "pull/2594",
        "the mean was served of a model whose folder asks for [CLS]",
        "comparison",
        "cosine 0.776 to the right vector; the best document came first for 55 %, not 65 %",
    ),
    "normalize_squared": Case(
        "PaddlePaddle/Paddle",
        "issues/11345",
        "a framework's l2_normalize lacked the square root",
        "reading",
        "a developer pointed at the line",
    ),
}
