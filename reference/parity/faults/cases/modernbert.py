"""The order of layers and norms, biases, pooling."""

from reference.parity.faults.case import Case, NoneKnown, Noted

CASES: dict[str, Noted] = {
    "layer_pattern_shifted": Case(
        "TransformerLensOrg/TransformerLens",
        "issues/778",
        "Gemma 2's layers were global, local, global, where they are local, global, local",
        "reading",
        "a user printed the configuration beside Transformers' source",
    ),
    "attn_norm_not_loaded": NoneKnown(
        "seeded because a port that allows for layer 0's missing norm may allow for all"
    ),
    "biases_not_loaded": Case(
        "mlc-ai/mlc-llm",
        "pull/3494",
        "a Llama port had no biases, and a way round its complaint dropped 240 of a model's 420 "
        "without one",
        "reading",
        "someone counted them",
    ),
    "norm_behind_the_block": Case(
        "SHI-Labs/Compact-Transformers",
        "issues/25",
        "a bad merge moved a norm from the branch to the stream, which is normed ever since",
        "reading",
        "a reader took it for a typo",
    ),
    "modernbert_pooling_ignored": Case(
        "huggingface/text-embeddings-inference",
        "pull/616",
        "rerankers whose configuration asks for the mean were scored by their first token",
        "comparison",
        "a user's scores differed from those of Transformers",
    ),
}
