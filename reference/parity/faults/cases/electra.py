"""ELECTRA: what a port takes over from BERT and RoBERTa."""

from reference.parity.faults.case import Case, NoneKnown, Noted

CASES: dict[str, Noted] = {
    "electra_projection_not_loaded": Case(
        "deepset-ai/FARM",
        "pull/599",
        "another layer of ELECTRA's, the one after pooling, was drawn anew at every loading",
        "symptom",
        "a saved model predicted much worse than the one that had been trained",
    ),
    "electra_classified_as_in_roberta": Case(
        "deepset-ai/FARM",
        "issues/362",
        "what classifies a text had BERT's tanh in place of ELECTRA's GELU",
        "reading",
        "its author looked at the original again; a test of accuracy barely moved",
    ),
    "electra_scored_without_norm": NoneKnown(
        "seeded because BERT's and RoBERTa's heads name this norm otherwise"
    ),
    "electra_generator_by_hidden_act": Case(
        "AnswerDotAI/ModernBERT",
        "pull/54",
        "before ModernBERT's release its heads took their activation from another key, or from "
        "a default",
        "reading",
        "the authors compared two models of theirs, setting by setting",
    ),
    "electra_summary_not_activated": Case(
        "huggingface/transformers",
        "pull/15643",
        "in TensorFlow the summary was activated if the activation was tanh, and ELECTRA's is "
        "GELU",
        "test",
        "a test began to compare more models between PyTorch and TensorFlow",
    ),
}
