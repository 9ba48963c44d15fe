"""BERT: embeddings, residuals, pooler."""

from reference.parity.faults.case import Case, Noted

CASES: dict[str, Noted] = {
    "token_types_ignored": Case(
        "elixir-nx/bumblebee",
        "pull/444",
        "the tokenizer was asked for no token types, and a pair was read as one text",
        "comparison",
        "a reranker's scores were not those of sentence-transformers",
    ),
    "packed_positions_run_on": Case(
        "huggingface/nanoVLM",
        "issues/201",
        "positions were counted through the whole packed row",
        "reading",
        "a reader asked whether they should not start again with each sample",
    ),
    "query_and_key_swapped": Case(
        "huggingface/transformers",
        "issues/40253",
        "a conversion cut the key's weights out of a fused matrix where the value's are",
        "comparison",
        "a user whose training never worked compared two implementations, layer by layer",
    ),
    "residual_after_the_norm": Case(
        "mashrurmorshed/Torch-KWT",
        "issues/13",
        "a post-norm block normed its branch, and added the residual to that",
        "reading",
        "a reader compared the block with the paper's",
    ),
    "gradient_cut": Case(
        "huggingface/candle",
        "issues/2168",
        "a fused norm has no backward pass, and what comes before it never learns",
        "symptom",
        "users whose weights stood still logged every gradient; one lost almost three days",
    ),
    "cls_from_the_wrong_axis": Case(
        "huggingface/candle",
        "pull/3010",
        "a ModernBERT's classifier took the first feature of all tokens for the first token",
        "comparison",
        "a user compared shapes with Transformers",
    ),
    "pooler_without_tanh": Case(
        "vllm-project/vllm",
        "pull/32148",
        "in a rewrite the pooler's tanh was only applied where vectors were to be normalised",
        "review",
        "a reviewing program asked why one should depend on the other",
    ),
}
