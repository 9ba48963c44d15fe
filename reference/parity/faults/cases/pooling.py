"""From the last hidden state to a text's vector."""

from reference.parity.faults.case import Case, Noted

CASES: dict[str, Noted] = {
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
