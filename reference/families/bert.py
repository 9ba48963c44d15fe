"""BERT (Devlin et al. 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from reference.families.checks import check_choice, check_integer, check_number, check_share
from reference.families.config import ACTIVATIONS, EncoderConfig, TransformerConfig
from reference.families.family import (
    ANSWER,
    TEXT,
    TINY,
    Entries,
    Family,
    Operation,
    dense,
    norm,
)
from reference.families.tasks import (
    BASE,
    MASKED_LM,
    TEXT_CLASSIFICATION,
    TOKEN_CLASSIFICATION,
    Task,
)


@dataclass(frozen=True, kw_only=True)
class BertLayerConfig(TransformerConfig):
    """What BERT's layers are built from, and those of the families that took them over."""

    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    layer_norm_eps: float = 1e-12

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("hidden_act", self.hidden_act, ACTIVATIONS)
        check_number("layer_norm_eps", self.layer_norm_eps, above=0.0)
        check_share("hidden_dropout_prob", self.hidden_dropout_prob)
        check_share("attention_probs_dropout_prob", self.attention_probs_dropout_prob)

    @property
    def classifier_rate(self) -> float:
        """The share of features that training drops in front of a classifier."""
        return self.hidden_dropout_prob


@dataclass(frozen=True, kw_only=True)
class BertConfig(BertLayerConfig):
    """BERT's configuration, under Transformers' names."""

    model_type: str = "bert"
    vocab_size: int = 30522
    classifier_dropout: float | None = None
    type_vocab_size: int = 2
    pad_token_id: int | None = 0
    bos_token_id: int | None = None
    eos_token_id: int | None = None

    MODEL_TYPES: ClassVar = {"bert": {}}
    ONLY_VALUES: ClassVar = TransformerConfig.ONLY_VALUES | {
        "position_embedding_type": ("absolute", None)
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        check_integer("type_vocab_size", self.type_vocab_size, minimum=1)
        if self.classifier_dropout is not None:  # it then is hidden_dropout_prob
            check_share("classifier_dropout", self.classifier_dropout)

    @property
    def classifier_rate(self) -> float:
        """The share of features that training drops in front of a classifier."""
        own = self.classifier_dropout
        return self.hidden_dropout_prob if own is None else own


# In each layer, and then once.
AFTER_ATTENTION = (
    Operation("encoder.layer.{}.intermediate.dense", "the widening projection"),
    Operation("encoder.layer.{}.intermediate", "the activation"),
    Operation("encoder.layer.{}.output.dense", "the narrowing projection"),
    Operation("encoder.layer.{}.output", "residual and norm after the feed-forward network"),
    Operation("pooler.dense", "the pooler's projection of the first token", TEXT),
    Operation("pooler", "the pooler's tanh", TEXT),
)


class Bert(Family):
    """Word, position and segment summed; post-norm layers; a pooler and three heads."""

    room = "bert"
    config = BertConfig
    prefixes: ClassVar = {"bert": "Bert"}
    tokenizers: ClassVar = {"bert": "BertTokenizer"}
    attribute = "bert"
    tasks = (BASE, MASKED_LM, TEXT_CLASSIFICATION, TOKEN_CLASSIFICATION)
    operations = (
        Operation("embeddings", "the sum of the embeddings and its norm"),
        Operation("encoder.layer.{}.attention.self.query", "the query projection"),
        Operation("encoder.layer.{}.attention.self.key", "the key projection"),
        Operation("encoder.layer.{}.attention.self.value", "the value projection"),
        Operation(
            "encoder.layer.{}.attention.self",
            "attention itself: scale, mask, softmax, weighted sum",
        ),
        Operation(
            "encoder.layer.{}.attention.output.dense", "the projection that mixes the heads"
        ),
        Operation("encoder.layer.{}.attention.output", "residual and norm after attention"),
        *AFTER_ATTENTION,
    )
    head_operations = (
        Operation(
            "cls.predictions.transform.dense", "the prediction head's projection", ANSWER
        ),
        Operation(
            "cls.predictions.transform", "the prediction head's activation and norm", ANSWER
        ),
        Operation("cls.predictions.decoder", "the scores over the vocabulary", ANSWER),
        Operation("classifier", "the scores over the labels", ANSWER),
    )
    tiny: ClassVar = TINY | {"type_vocab_size": 2}
    other_heads = (*Family.other_heads, "cls.seq_relationship.")

    def encoder(self, config: BertConfig, pooler: bool) -> Entries:
        hidden, intermediate = config.hidden_size, config.intermediate_size
        yield "embeddings.word_embeddings.weight", (config.vocab_size, hidden)
        yield "embeddings.position_embeddings.weight", (config.max_position_embeddings, hidden)
        yield "embeddings.token_type_embeddings.weight", (config.type_vocab_size, hidden)
        yield from norm("embeddings.LayerNorm", hidden)
        for number in range(config.num_hidden_layers):
            layer = f"encoder.layer.{number}"
            for name in ("query", "key", "value"):
                yield from dense(f"{layer}.attention.self.{name}", hidden, hidden)
            yield from dense(f"{layer}.attention.output.dense", hidden, hidden)
            yield from norm(f"{layer}.attention.output.LayerNorm", hidden)
            yield from dense(f"{layer}.intermediate.dense", hidden, intermediate)
            yield from dense(f"{layer}.output.dense", intermediate, hidden)
            yield from norm(f"{layer}.output.LayerNorm", hidden)
        if pooler:
            yield from dense("pooler.dense", hidden, hidden)

    def head(self, config: BertConfig, task: Task) -> Entries:
        hidden = config.hidden_size
        if task is MASKED_LM:
            yield from dense("cls.predictions.transform.dense", hidden, hidden)
            yield from norm("cls.predictions.transform.LayerNorm", hidden)
            yield "cls.predictions.bias", (config.vocab_size,)
            if not config.tie_word_embeddings:
                yield from dense("cls.predictions.decoder", hidden, config.vocab_size)
        elif task is not BASE:
            yield from dense("classifier", hidden, config.num_labels)

    def ties(self, config: BertConfig) -> dict[str, str]:
        return {
            "cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
            "cls.predictions.decoder.bias": "cls.predictions.bias",
        }

    def pooled(self, task: Task) -> bool:
        return task is TEXT_CLASSIFICATION

    def zero_row(self, key: str, config: EncoderConfig) -> int | None:
        """No training moves the vector of a pad."""
        return config.pad_token_id if key.endswith("word_embeddings.weight") else None

    def transformers_options(self, pooler: bool) -> dict[str, Any]:
        return {"add_pooling_layer": pooler}


FAMILY = Bert()
