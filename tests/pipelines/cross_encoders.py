"""Cross-encoders as folders say what they are, for the package's tests and those of the Rust
library."""

from pathlib import Path

import torch

from tests.pipelines.small_models import random_model

IDENTITY = "torch.nn.modules.linear.Identity"
SIGMOID = "torch.nn.modules.activation.Sigmoid"
# What a CrossEncoder is made with, and what the scores of its folder are.
MADE_WITH = [
    ({}, "probability"),
    ({"activation_fn": torch.nn.Identity()}, "logit"),
    ({"max_length": 12}, "probability"),
    ({"prompts": {"ask": "Query: "}, "default_prompt_name": "ask"}, "probability"),
]
# What older folders have in their config.json, and what their scores are.
IN_CONFIG = [
    ({}, "probability"),
    ({"sbert_ce_default_activation_function": IDENTITY}, "logit"),
    ({"sentence_transformers": {"activation_fn": IDENTITY, "version": "4.0.1"}}, "logit"),
    (
        {
            "sentence_transformers": {"activation_fn": SIGMOID},
            "sbert_ce_default_activation_function": IDENTITY,
        },
        "probability",
    ),
    (
        {
            "sentence_transformers": {"activation_fn": None},
            "sbert_ce_default_activation_function": IDENTITY,
        },
        "probability",
    ),
    ({"problem_type": "regression"}, "probability"),
]
OURS = "config_sentence_transformers.json"
# Keys of files that cannot be honoured, and what is said of them.
REFUSED = [
    (
        OURS,
        {"activation_fn": "torch.nn.modules.activation.Tanh"},
        r"activation_fn is 'torch\.nn\.modules\.activation\.Tanh'; supported: .*Sigmoid",
    ),
    (OURS, {"activation_fn": ["x"]}, "activation_fn is"),
    (
        OURS,
        {"default_prompt_name": "ask"},
        "default_prompt_name is 'ask'; prompts has none",
    ),
    (
        OURS,
        {"default_prompt_name": "ask", "prompts": {"ask": 5}},
        "the prompt 'ask' is 5",
    ),
    (
        "config.json",
        {"sbert_ce_default_activation_function": "mine.Activation"},
        "sbert_ce_default_activation_function is 'mine.Activation'",
    ),
    (
        "config.json",
        {"sentence_transformers": "x"},
        "sentence_transformers is 'x'; it must be an object",
    ),
    (
        "config.json",
        {"sentence_transformers": {"activation_fn": "torch.nn.Softmax"}},
        "sentence_transformers.activation_fn is 'torch.nn.Softmax'",
    ),
    ("tokenizer_config.json", {"chat_template": "{{ messages }}"}, "has a chat_template"),
]
# The same, told when texts are read.
NO_CLASSIFIER = [
    (
        "sentence_bert_config.json",
        {"transformer_task": "feature-extraction"},
        "transformer_task is 'feature-extraction'",
    ),
    (
        "sentence_bert_config.json",
        {"module_output_name": "token_embeddings"},
        "module_output_name is 'token_emb",
    ),
]


def save_cross_encoder(folder: Path, labels: int = 1, **made_with) -> Path:
    """A folder as CrossEncoder.save_pretrained writes it, of a model with random weights."""
    from sentence_transformers import CrossEncoder

    names = {number: f"L{number}" for number in range(labels)}
    source = random_model(
        "bert", folder / "source", "ForSequenceClassification", id2label=names
    )
    CrossEncoder(str(source), device="cpu", **made_with).save_pretrained(str(folder / "saved"))
    return folder / "saved"
