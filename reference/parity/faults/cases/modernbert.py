"""ModernBERT: the order of layers and norms, biases, pooling."""

from reference.parity.faults.case import Case, NoneKnown, Noted

CASES: dict[str, Noted] = {
    "layer_pattern_shifted": Case(
        "TransformerLensOrg/TransformerLens",
        "issues/778",
        "Gemma 2's layers were global, local, global, where they are local, global, local",
        "reading",
        "a user compared the configuration with Transformers' source",
    ),
    "attn_norm_not_loaded": NoneKnown(
        "seeded because a port that allows for layer 0's missing norm may allow for all"
    ),
    "biases_not_loaded": Case(
        "mlc-ai/mlc-llm",
        "pull/3494",
        "a Llama port had no biases, and was told that the model was a Qwen2, which loads and "
        "has some: 240 of 420 were lost",
        "reading",
        "someone counted the biases",
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
