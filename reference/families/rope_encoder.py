"""The RoPE encoder: a small embedding model of this package's own, which Transformers does not
have. Its config.json has names of its own, too.

A block is pre-norm: what goes into attention and into the feed-forward network is normed, what
comes out is added to the stream, and one more norm ends the stack. A deep stack of them trains
without a long warm-up (Xiong et al. 2020), and every part of it is a stock module of PyTorch's
or a line of arithmetic, from which the oracle is assembled. Positions turn the queries and keys
inside of attention and touch nothing else: a score then depends on how far two tokens are
apart. Turned once, at the embeddings, they would be part of what every layer adds to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from reference.errors import ConfigError
from reference.families.checks import (
    check_choice,
    check_number,
    check_share,
    check_switch,
)
from reference.families.config import ACTIVATIONS, TransformerConfig
from reference.families.family import (
    ANSWER,
    TINY,
    Architecture,
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

PREFIX = "RopeEncoder"
TEMPERATURE = "log_temperature"


@dataclass(frozen=True, kw_only=True)
class RopeEncoderConfig(TransformerConfig):
    """The configuration of the RoPE encoder, its sizes under the names that the other families
    have.

    is_masked_language says that it scores the vocabulary and no label: it is a
    RopeEncoderForMaskedLM. use_temperature gives it a temperature that training moves, and
    temperature_init is what that begins at.
    """

    model_type: str = "rope_encoder"
    vocab_size: int = 20_000
    hidden_size: int = 256
    num_hidden_layers: int = 6
    num_attention_heads: int = 8
    intermediate_size: int = 512
    max_position_embeddings: int = 16
    hidden_act: str = "gelu"
    dropout: float = 0.1
    layer_norm_eps: float = 1e-5
    rope_theta: float = 10_000.0
    is_masked_language: bool = False
    use_temperature: bool = True
    temperature_init: float = 1.0
    pad_token_id: int | None = 0
    bos_token_id: int | None = 2
    eos_token_id: int | None = 3

    has_token_types: ClassVar = False
    MODEL_TYPES: ClassVar = {"rope_encoder": {}}
    SPELLINGS: ClassVar = {
        "hidden_size": "embedding_dim",
        "num_hidden_layers": "num_layers",
        "num_attention_heads": "num_heads",
        "intermediate_size": "hidden_dim",
        "max_position_embeddings": "context_window",
        "hidden_act": "activation",
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("activation", self.hidden_act, ACTIVATIONS)
        check_share("dropout", self.dropout)
        check_number("layer_norm_eps", self.layer_norm_eps, above=0.0)
        check_number("rope_theta", self.rope_theta, above=0.0)
        check_number("temperature_init", self.temperature_init, above=0.0)
        for name in ("is_masked_language", "use_temperature"):
            check_switch(name, getattr(self, name))
        if self.head_dim % 2:
            raise ConfigError(
                f"embedding_dim / num_heads is {self.head_dim}; RoPE turns pairs, so it must "
                "be even"
            )
        self._check_masked_language()

    def _check_masked_language(self) -> None:
        """The class and the switch say the same; where no class is named, the switch does."""
        masked = PREFIX + MASKED_LM.suffix
        if self.is_masked_language and not self.architectures:
            object.__setattr__(self, "architectures", (masked,))
        if self.architectures and self.is_masked_language != (masked in self.architectures):
            raise ConfigError(
                f"is_masked_language is {str(self.is_masked_language).lower()}, but "
                f"architectures names {self.architectures[0]:.80}; it is true of a {masked}, "
                "and of no other"
            )

    @classmethod
    def upgrade(cls, values: dict[str, Any]) -> dict[str, Any]:
        """A file that names the class need not say it twice."""
        values = super().upgrade(values)
        named = values.get("architectures")
        if "is_masked_language" not in values and isinstance(named, list):
            values["is_masked_language"] = PREFIX + MASKED_LM.suffix in named
        return values


def embedding_config(**settings: Any) -> RopeEncoderConfig:
    """The configuration of an EmbeddingModel, from keys as config.json has them."""
    return RopeEncoderConfig(**RopeEncoderConfig.upgrade(settings))


class RopeEncoder(Family):
    """Rotary positions within a short context, pre-norm, a vector of length one for each text,
    and a temperature for the cosines of two of them."""

    room = "rope_encoder"
    config = RopeEncoderConfig
    prefixes: ClassVar = {"rope_encoder": PREFIX}
    tokenizers: ClassVar = {"rope_encoder": "PreTrainedTokenizerFast"}
    attribute = "model"
    tasks = (BASE, MASKED_LM, TEXT_CLASSIFICATION, TOKEN_CLASSIFICATION)
    pads_take_positions = False
    in_transformers = False
    embeds = True
    truncation = "error"
    oracle = "reference.parity.stock.rope_encoder:RopeEncoderOracle"
    operations = (
        Operation("embeddings", "the embeddings"),
        Operation("layers.{}.attention_norm", "the norm before attention"),
        Operation("layers.{}.attention.query", "the query projection"),
        Operation("layers.{}.attention.key", "the key projection"),
        Operation("layers.{}.attention.value", "the value projection"),
        Operation(
            "layers.{}.attention.output.input",
            "attention itself: RoPE, scale, mask, softmax, weighted sum",
        ),
        Operation("layers.{}.attention.output", "the projection that mixes the heads"),
        Operation("layers.{}.feed_forward_norm", "the norm before the feed-forward network"),
        Operation("layers.{}.feed_forward.up", "the widening projection"),
        Operation("layers.{}.feed_forward.down.input", "the activation"),
        Operation("layers.{}.feed_forward.down", "the narrowing projection"),
        Operation("layers.{}", "the residuals"),
        Operation("final_norm", "the last norm"),
    )
    head_operations = (
        Operation("decoder", "the scores over the vocabulary", ANSWER),
        Operation("classifier", "the scores over the labels", ANSWER),
    )
    tiny: ClassVar = TINY | {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}

    def encoder(self, config: RopeEncoderConfig, pooler: bool) -> Entries:
        hidden = config.hidden_size
        yield "embeddings.word_embeddings.weight", (config.vocab_size, hidden)
        for number in range(config.num_hidden_layers):
            yield from layer(f"layers.{number}", config)
        yield from norm("final_norm", hidden)
        if config.use_temperature:
            yield TEMPERATURE, (1,)

    def head(self, config: RopeEncoderConfig, task: Task) -> Entries:
        hidden = config.hidden_size
        if task is MASKED_LM:
            if not config.tie_word_embeddings:
                yield "decoder.weight", (config.vocab_size, hidden)
            yield "decoder.bias", (config.vocab_size,)
        elif task is not BASE:
            yield from dense("classifier", hidden, config.num_labels)

    def ties(self, config: RopeEncoderConfig) -> dict[str, str]:
        return {"decoder.weight": "model.embeddings.word_embeddings.weight"}

    def config_of(
        self, config: RopeEncoderConfig, architecture: Architecture, **changes: Any
    ) -> RopeEncoderConfig:
        masked = architecture.task is MASKED_LM
        return super().config_of(config, architecture, is_masked_language=masked, **changes)

    def first_weight(self, key: str, config: RopeEncoderConfig) -> tuple[float, float]:
        """Narrower where a layer writes to the residual stream, so that the sum of all layers
        begins no larger than one of them (Radford et al. 2019)."""
        if key.endswith(("attention.output.weight", "feed_forward.down.weight")):
            return config.initializer_range / math.sqrt(2 * config.num_hidden_layers), math.inf
        return super().first_weight(key, config)

    def first_vector(self, key: str, config: RopeEncoderConfig) -> float:
        """What is learned is the temperature's logarithm, so that no step of training makes it
        zero or less."""
        if key.endswith(TEMPERATURE):
            return math.log(config.temperature_init)
        return super().first_vector(key, config)

    def zero_row(self, key: str, config: RopeEncoderConfig) -> int | None:
        """No training moves the vector of a pad."""
        return config.pad_token_id if key.endswith("word_embeddings.weight") else None

    def temperature(self, config: RopeEncoderConfig) -> str | None:
        return TEMPERATURE if config.use_temperature else None

    def facts(self, config: RopeEncoderConfig) -> dict[str, Any]:
        names = ("rope_theta", "dropout", "use_temperature")
        return super().facts(config) | {name: getattr(config, name) for name in names}


def layer(name: str, config: RopeEncoderConfig) -> Entries:
    """The tensors of one layer."""
    hidden, intermediate = config.hidden_size, config.intermediate_size
    yield from norm(f"{name}.attention_norm", hidden)
    for part in ("query", "key", "value", "output"):
        yield from dense(f"{name}.attention.{part}", hidden, hidden)
    yield from norm(f"{name}.feed_forward_norm", hidden)
    yield from dense(f"{name}.feed_forward.up", hidden, intermediate)
    yield from dense(f"{name}.feed_forward.down", intermediate, hidden)


FAMILY = RopeEncoder()
