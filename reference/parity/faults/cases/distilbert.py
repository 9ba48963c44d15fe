"""DistilBERT: what a port takes over from BERT."""

from reference.parity.faults.case import Case, NoneKnown, Noted

CASES: dict[str, Noted] = {
    "distilbert_pooled_as_in_bert": Case(
        "keras-team/keras-hub",
        "pull/437",
        "the classifier began with a tanh, as the other models' did",
        "review",
        "a reviewer asked; the author had not looked at DistilBERT's own",
    ),
    "distilbert_attention_norm_skipped": NoneKnown(
        "seeded because a loader that is not strict would hide it"
    ),
    "distilbert_projector_without_bias": Case(
        "vllm-project/vllm",
        "pull/46835",
        "an output layer tied to the embeddings lost its bias, which is its own",
        "symptom",
        "sent in by someone whose model has such a bias",
    ),
}
