"""The configuration of BERT and of its relatives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from reference.config.checks import check_choice, check_integer, check_number, check_share
from reference.config.encoder import ACTIVATIONS, EncoderConfig
from reference.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class BertConfig(EncoderConfig):
    """The configuration of BERT and of its XLM-RoBERTa and RoBERTa relatives, under
    Transformers' names."""

    model_type: str = "bert"
    vocab_size: int = 30522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    classifier_dropout: float | None = None
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    layer_norm_eps: float = 1e-12
    pad_token_id: int | None = 0
    bos_token_id: int | None = None
    eos_token_id: int | None = None

    MODEL_TYPES: ClassVar = {
        "bert": {},
        "roberta": {
            "vocab_size": 50265,
            "pad_token_id": 1,
            "bos_token_id": 0,
            "eos_token_id": 2,
        },
        "xlm-roberta": {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2},
    }
    ONLY_VALUES: ClassVar = {
        "position_embedding_type": ("absolute", None),
        "is_decoder": (False, None),
        "add_cross_attention": (False, None),
        "is_encoder_decoder": (False, None),
        "cross_attention_hidden_size": (None,),
        "pruned_heads": ({}, None),
        "quantization_config": (None,),
        "auto_map": ({}, None),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integer("type_vocab_size", self.type_vocab_size, minimum=1)
        check_choice("hidden_act", self.hidden_act, ACTIVATIONS)
        check_number("layer_norm_eps", self.layer_norm_eps, above=0.0)
        check_share("hidden_dropout_prob", self.hidden_dropout_prob)
        check_share("attention_probs_dropout_prob", self.attention_probs_dropout_prob)
        if self.classifier_dropout is not None:  # it then is hidden_dropout_prob
            check_share("classifier_dropout", self.classifier_dropout)
        if self.pad_token_id is None and self.model_type != "bert":
            raise ConfigError(
                f"{self.model_type} counts positions from pad_token_id, which is null here"
            )
        if self.max_tokens < 1:
            raise ConfigError(
                f"max_position_embeddings {self.max_position_embeddings} leaves no position "
                "for a token: "
                f"{self.model_type} starts at pad_token_id + 1 = {self.pad_token_id + 1}"
            )

    @property
    def max_tokens(self) -> int:
        """How many tokens a text may have: the RoBERTa family's positions start after the pad
        id."""
        if self.model_type == "bert":
            return self.max_position_embeddings
        return self.max_position_embeddings - self.pad_token_id - 1
