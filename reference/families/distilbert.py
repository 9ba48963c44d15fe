"""DistilBERT (Sanh et al. 2019): BERT's layers under names of its own, half as many of them,
and no token types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from reference.errors import ConfigError
from reference.families.checks import check_choice, check_share, check_switch
from reference.families.config import ACTIVATIONS, TransformerConfig
from reference.families.family import ANSWER, TINY, Entries, Family, Operation, dense, norm
from reference.families.tasks import (
    BASE,
    MASKED_LM,
    MULTIPLE_CHOICE,
    TASKS,
    TEXT_CLASSIFICATION,
    Task,
)


@dataclass(frozen=True, kw_only=True)
class DistilBertConfig(TransformerConfig):
    """DistilBERT's configuration, its sizes under the names that the other families have."""

    model_type: str = "distilbert"
    vocab_size: int = 30522
    num_hidden_layers: int = 6
    hidden_act: str = "gelu"
    dropout: float = 0.1
    attention_dropout: float = 0.1
    qa_dropout: float = 0.1
    seq_classif_dropout: float = 0.2
    sinusoidal_pos_embds: bool = False
    pad_token_id: int | None = 0
    bos_token_id: int | None = None
    eos_token_id: int | None = None

    has_token_types: ClassVar = False
    layer_norm_eps: ClassVar[float] = 1e-12  # of Transformers' code; no file says it
    MODEL_TYPES: ClassVar = {"distilbert": {}}
    LEGACY: ClassVar = frozenset(["tie_weights_"])
    SPELLINGS: ClassVar = {
        "hidden_size": "dim",
        "num_hidden_layers": "n_layers",
        "num_attention_heads": "n_heads",
        "intermediate_size": "hidden_dim",
        "hidden_act": "activation",
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("activation", self.hidden_act, ACTIVATIONS)
        for name in ("dropout", "attention_dropout", "qa_dropout", "seq_classif_dropout"):
            check_share(name, getattr(self, name))
        check_switch("sinusoidal_pos_embds", self.sinusoidal_pos_embds)

    @classmethod
    def upgrade(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Transformers takes the first three sizes under either name, and these two not."""
        unread = ("intermediate_size", "hidden_act")
        return super().upgrade({key: values[key] for key in values if key not in unread})


class DistilBert(Family):
    """Word and position summed; post-norm layers; no pooler, and heads that project first."""

    room = "distilbert"
    config = DistilBertConfig
    prefixes: ClassVar = {"distilbert": "DistilBert"}
    tokenizers: ClassVar = {"distilbert": "BertTokenizer"}
    attribute = "distilbert"
    tasks = tuple(TASKS.values())
    operations = (
        Operation("embeddings", "the sum of the embeddings and its norm"),
        Operation("transformer.layer.{}.attention.q_lin", "the query projection"),
        Operation("transformer.layer.{}.attention.k_lin", "the key projection"),
        Operation("transformer.layer.{}.attention.v_lin", "the value projection"),
        Operation(
            "transformer.layer.{}.attention.out_lin.input",
            "attention itself: scale, mask, softmax, weighted sum",
        ),
        Operation(
            "transformer.layer.{}.attention.out_lin", "the projection that mixes the heads"
        ),
        Operation("transformer.layer.{}.sa_layer_norm", "residual and norm after attention"),
        Operation("transformer.layer.{}.ffn.lin1", "the widening projection"),
        Operation("transformer.layer.{}.ffn.lin2.input", "the activation"),
        Operation("transformer.layer.{}.ffn.lin2", "the narrowing projection"),
        Operation(
            "transformer.layer.{}.output_layer_norm",
            "residual and norm after the feed-forward network",
        ),
    )
    head_operations = (
        Operation("vocab_transform", "the prediction head's projection", ANSWER),
        Operation("vocab_layer_norm", "the prediction head's activation and norm", ANSWER),
        Operation("vocab_projector", "the scores over the vocabulary", ANSWER),
        Operation("pre_classifier", "the classifier's projection of the first token", ANSWER),
        Operation("classifier.input", "the classifier's ReLU", ANSWER),
        Operation("classifier", "the scores over the labels", ANSWER),
    )
    tiny: ClassVar = TINY

    def encoder(self, config: DistilBertConfig, pooler: bool) -> Entries:
        hidden, intermediate = config.hidden_size, config.intermediate_size
        yield "embeddings.word_embeddings.weight", (config.vocab_size, hidden)
        yield "embeddings.position_embeddings.weight", (config.max_position_embeddings, hidden)
        yield from norm("embeddings.LayerNorm", hidden)
        for number in range(config.num_hidden_layers):
            layer = f"transformer.layer.{number}"
            for name in ("q_lin", "k_lin", "v_lin", "out_lin"):
                yield from dense(f"{layer}.attention.{name}", hidden, hidden)
            yield from norm(f"{layer}.sa_layer_norm", hidden)
            yield from dense(f"{layer}.ffn.lin1", hidden, intermediate)
            yield from dense(f"{layer}.ffn.lin2", intermediate, hidden)
            yield from norm(f"{layer}.output_layer_norm", hidden)

    def head(self, config: DistilBertConfig, task: Task) -> Entries:
        hidden = config.hidden_size
        if task is MASKED_LM:
            yield from dense("vocab_transform", hidden, hidden)
            yield from norm("vocab_layer_norm", hidden)
            if not config.tie_word_embeddings:
                yield "vocab_projector.weight", (config.vocab_size, hidden)
            yield "vocab_projector.bias", (config.vocab_size,)
        elif task is not BASE:
            if task in (TEXT_CLASSIFICATION, MULTIPLE_CHOICE):
                yield from dense("pre_classifier", hidden, hidden)
            labels = 1 if task is MULTIPLE_CHOICE else config.num_labels
            yield from dense("classifier", hidden, labels)

    def ties(self, config: DistilBertConfig) -> dict[str, str]:
        return {"vocab_projector.weight": "distilbert.embeddings.word_embeddings.weight"}

    def first_weight(self, key: str, config: DistilBertConfig) -> tuple[float, float]:
        if config.sinusoidal_pos_embds and key.endswith("position_embeddings.weight"):
            raise ConfigError(
                "sinusoidal_pos_embds is true; no port draws such positions, they are read "
                "from a checkpoint"
            )
        return super().first_weight(key, config)

    def zero_row(self, key: str, config: DistilBertConfig) -> int | None:
        """No training moves the vector of a pad."""
        return config.pad_token_id if key.endswith("word_embeddings.weight") else None


FAMILY = DistilBert()
