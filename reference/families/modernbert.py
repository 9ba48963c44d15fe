"""ModernBERT (Warner et al. 2024), its configuration in the spelling of Transformers 5 and in
the older one of the hub's checkpoints."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from reference.errors import ConfigError
from reference.families.checks import (
    check_choice,
    check_integer,
    check_number,
    check_share,
    check_switch,
)
from reference.families.config import ACTIVATIONS, TransformerConfig
from reference.families.family import ANSWER, TINY, Entries, Family, Operation, dense, norm
from reference.families.tasks import BASE, MASKED_LM, MULTIPLE_CHOICE, OF_TRANSFORMERS, Task

LAYER_TYPES = ("full_attention", "sliding_attention")
THETAS = {"full_attention": 160_000.0, "sliding_attention": 10_000.0}
EVERY = 3  # of so many layers the first is a full one, where layer_types does not say


@dataclass(frozen=True, kw_only=True)
class ModernBertConfig(TransformerConfig):
    """The configuration of ModernBERT, under Transformers' names."""

    model_type: str = "modernbert"
    vocab_size: int = 50368
    num_hidden_layers: int = 22
    intermediate_size: int = 1152
    hidden_activation: str = "gelu"
    max_position_embeddings: int = 8192
    initializer_cutoff_factor: float = 2.0
    norm_eps: float = 1e-5
    norm_bias: bool = False
    pad_token_id: int | None = 50283
    bos_token_id: int | None = 50281
    eos_token_id: int | None = 50282
    cls_token_id: int | None = 50281
    sep_token_id: int | None = 50282
    attention_bias: bool = False
    attention_dropout: float = 0.0
    layer_types: tuple[str, ...] | None = None
    rope_parameters: Mapping[str, Mapping[str, Any]] | None = None
    local_attention: int = 128
    embedding_dropout: float = 0.0
    mlp_bias: bool = False
    mlp_dropout: float = 0.0
    decoder_bias: bool = True
    classifier_pooling: str = "cls"
    classifier_dropout: float = 0.0
    classifier_bias: bool = False
    classifier_activation: str = "gelu"
    sparse_prediction: bool = False
    sparse_pred_ignore_index: int = -100

    has_token_types: ClassVar = False
    MODEL_TYPES: ClassVar = {"modernbert": {}}
    ONLY_VALUES: ClassVar = TransformerConfig.ONLY_VALUES | {
        # Written by old versions and by the training code of mmBERT and Ettin, and never read.
        "position_embedding_type": ("absolute", "rope", "sans_pos", None),
        "head_dim": (None,),
        "rope_scaling": (None,),
    }
    LEGACY: ClassVar = frozenset(
        "deterministic_flash_attn reference_compile repad_logits_with_grad layer_norm_eps "
        "global_attn_every_n_layers global_rope_theta local_rope_theta sliding_window".split()
    )

    def __post_init__(self) -> None:
        super().__post_init__()  # a billion layers are refused before their kinds are listed
        if self.layer_types is None:
            object.__setattr__(self, "layer_types", _every(EVERY, self.num_hidden_layers))
        object.__setattr__(self, "rope_parameters", _with_defaults(self.rope_parameters))
        check_choice("hidden_activation", self.hidden_activation, ACTIVATIONS)
        check_choice("classifier_activation", self.classifier_activation, ACTIVATIONS)
        check_choice("classifier_pooling", self.classifier_pooling, ("cls", "mean"))
        check_number("norm_eps", self.norm_eps, above=0.0)
        check_number("initializer_cutoff_factor", self.initializer_cutoff_factor, above=0.0)
        check_integer("local_attention", self.local_attention, minimum=1)
        check_integer(
            "sparse_pred_ignore_index", self.sparse_pred_ignore_index, minimum=-(2**31)
        )
        for name in (
            "attention_dropout",
            "embedding_dropout",
            "mlp_dropout",
            "classifier_dropout",
        ):
            check_share(name, getattr(self, name))
        for name in ("norm", "attention", "mlp", "decoder", "classifier"):
            check_switch(f"{name}_bias", getattr(self, f"{name}_bias"))
        check_switch("sparse_prediction", self.sparse_prediction)
        if self.head_dim % 2:
            raise ConfigError(
                f"hidden_size / num_attention_heads is {self.head_dim}; RoPE turns pairs, so "
                "it must be even"
            )
        self._check_layer_types()

    def _check_layer_types(self) -> None:
        if not isinstance(self.layer_types, tuple):
            raise ConfigError(
                f"layer_types is {self.layer_types!r:.80}; it must be a list of "
                f"{' and '.join(LAYER_TYPES)}"
            )
        for kind in self.layer_types:
            check_choice("a layer of layer_types", kind, LAYER_TYPES)
        if len(self.layer_types) != self.num_hidden_layers:
            raise ConfigError(
                f"layer_types names {len(self.layer_types)} layers, num_hidden_layers "
                f"{self.num_hidden_layers}"
            )

    @property
    def windows(self) -> dict[str, int | None]:
        """For each kind of layer how many tokens it sees on either side; None is all of
        them."""
        return {"full_attention": None, "sliding_attention": self.local_attention // 2}

    @property
    def rope_thetas(self) -> dict[str, float]:
        """For each kind of layer the base of RoPE's frequencies."""
        return {
            kind: float(parameters["rope_theta"])
            for kind, parameters in self.rope_parameters.items()
        }

    @property
    def max_tokens(self) -> int:
        """Rotary positions have no end; max_position_embeddings is what the model was trained
        for."""
        return sys.maxsize

    @classmethod
    def upgrade(cls, values: dict[str, Any]) -> dict[str, Any]:
        """layer_types from global_attn_every_n_layers, rope_parameters from the two thetas, and
        local_attention from sliding_window, which is half of it and comes first."""
        values = dict(values)
        if "sliding_window" in values:
            check_integer("sliding_window", values["sliding_window"], minimum=1)
            values["local_attention"] = 2 * values["sliding_window"]
        if (
            values.get("layer_types") is None
            and values.get("global_attn_every_n_layers") is not None
        ):
            every, layers = (
                values["global_attn_every_n_layers"],
                values.get("num_hidden_layers", cls.num_hidden_layers),
            )
            check_integer("global_attn_every_n_layers", every, minimum=1)
            check_integer("num_hidden_layers", layers, minimum=1)
            values["layer_types"] = _every(every, min(layers, 2**20))
        if isinstance(values.get("layer_types"), list):
            values["layer_types"] = tuple(values["layer_types"])
        old = {
            "full_attention": values.get("global_rope_theta"),
            "sliding_attention": values.get("local_rope_theta"),
        }
        rope = values.get("rope_parameters")
        if rope is None or isinstance(rope, Mapping):
            rope = dict(rope or {})
            for kind, theta in old.items():
                if theta is not None and isinstance(
                    parameters := rope.get(kind) or {}, Mapping
                ):
                    rope[kind] = {"rope_theta": theta} | dict(parameters)
            values["rope_parameters"] = rope
        return values

    def to_dict(self) -> dict[str, Any]:
        return super().to_dict() | {"layer_types": list(self.layer_types)}


def _every(n: int, layers: int) -> tuple[str, ...]:
    """A full layer and n - 1 sliding ones, over and over."""
    return tuple(
        "sliding_attention" if number % n else "full_attention" for number in range(layers)
    )


def _with_defaults(rope: Any) -> dict[str, dict[str, Any]]:
    """rope_type and rope_theta for each kind of layer."""
    if rope is not None and not isinstance(rope, Mapping):
        raise ConfigError(
            f"rope_parameters is {rope!r:.80}; it must be an object with "
            f"{' and '.join(LAYER_TYPES)}"
        )
    rope = rope or {}
    for kind in rope:
        check_choice("a key of rope_parameters", kind, LAYER_TYPES)
    complete = {}
    for kind, theta in THETAS.items():
        given = rope.get(kind) or {}
        if not isinstance(given, Mapping):
            raise ConfigError(f"rope_parameters.{kind} is {given!r:.80}; it must be an object")
        parameters = {"rope_type": "default", "rope_theta": theta} | dict(given)
        for key in parameters:
            check_choice(f"a key of rope_parameters.{kind}", key, ("rope_type", "rope_theta"))
        check_choice(f"rope_parameters.{kind}.rope_type", parameters["rope_type"], ("default",))
        check_number(f"rope_parameters.{kind}.rope_theta", parameters["rope_theta"], above=0.0)
        complete[kind] = parameters | {"rope_theta": float(parameters["rope_theta"])}
    return complete


class ModernBert(Family):
    """Rotary positions, local and global layers, pre-norm, a gated network; one prediction head
    under every task."""

    room = "modernbert"
    config = ModernBertConfig
    prefixes: ClassVar = {"modernbert": "ModernBert"}
    tokenizers: ClassVar = {"modernbert": "PreTrainedTokenizerFast"}
    attribute = "model"
    tasks = OF_TRANSFORMERS
    pads_take_positions = False
    operations = (
        Operation("embeddings", "the embeddings and their norm"),
        Operation("layers.{}.attn_norm", "the norm before attention", first=1),
        Operation("layers.{}.attn.Wqkv", "the projection to queries, keys and values"),
        Operation(
            "layers.{}.attn.Wo.input",
            "attention itself: RoPE, scale, window, mask, softmax, weighted sum",
        ),
        Operation("layers.{}.attn.Wo", "the projection that mixes the heads"),
        Operation("layers.{}.mlp_norm", "the norm before the feed-forward network"),
        Operation("layers.{}.mlp.Wi", "the widening projection"),
        Operation("layers.{}.mlp.Wo.input", "the activation and the gate"),
        Operation("layers.{}.mlp.Wo", "the narrowing projection"),
        Operation("layers.{}", "the residuals"),
        Operation("final_norm", "the last norm"),
    )
    head_operations = (
        Operation("head.dense", "the prediction head's projection", ANSWER),
        Operation("head", "the prediction head's activation and norm", ANSWER),
        Operation("decoder", "the scores over the vocabulary", ANSWER),
        Operation("classifier", "the scores over the labels", ANSWER),
    )
    tiny: ClassVar = TINY | {
        "pad_token_id": 0,
        "bos_token_id": 1,
        "cls_token_id": 1,
        "eos_token_id": 2,
        "sep_token_id": 2,
        "local_attention": 8,
    }

    def encoder(self, config: ModernBertConfig, pooler: bool) -> Entries:
        hidden, intermediate = config.hidden_size, config.intermediate_size
        yield "embeddings.tok_embeddings.weight", (config.vocab_size, hidden)
        yield from norm("embeddings.norm", hidden, config.norm_bias)
        for number in range(config.num_hidden_layers):
            layer = f"layers.{number}"
            if number:
                yield from norm(f"{layer}.attn_norm", hidden, config.norm_bias)
            yield from dense(f"{layer}.attn.Wqkv", hidden, 3 * hidden, config.attention_bias)
            yield from dense(f"{layer}.attn.Wo", hidden, hidden, config.attention_bias)
            yield from norm(f"{layer}.mlp_norm", hidden, config.norm_bias)
            yield from dense(f"{layer}.mlp.Wi", hidden, 2 * intermediate, config.mlp_bias)
            yield from dense(f"{layer}.mlp.Wo", intermediate, hidden, config.mlp_bias)
        yield from norm("final_norm", hidden, config.norm_bias)

    def head(self, config: ModernBertConfig, task: Task) -> Entries:
        hidden = config.hidden_size
        if task is BASE:
            return
        yield from dense("head.dense", hidden, hidden, config.classifier_bias)
        yield from norm("head.norm", hidden, config.norm_bias)
        if task is not MASKED_LM:
            labels = 1 if task is MULTIPLE_CHOICE else config.num_labels
            yield from dense("classifier", hidden, labels)
            return
        if not config.tie_word_embeddings:
            yield "decoder.weight", (config.vocab_size, hidden)
        if config.decoder_bias:
            yield "decoder.bias", (config.vocab_size,)

    def ties(self, config: ModernBertConfig) -> dict[str, str]:
        return {"decoder.weight": "model.embeddings.tok_embeddings.weight"}

    def first_weight(self, key: str, config: ModernBertConfig) -> tuple[float, float]:
        """Truncated, and narrower where a layer writes to the residual stream, so that the sum
        of all layers begins no larger than one of them (ModernBertPreTrainedModel)."""
        cutoff = config.initializer_cutoff_factor or 3.0
        if key.startswith("classifier."):
            return config.hidden_size**-0.5, cutoff
        if key.endswith(".Wo.weight") or key.startswith(("head.dense.", "decoder.")):
            return config.initializer_range / math.sqrt(2 * config.num_hidden_layers), cutoff
        return config.initializer_range, cutoff

    def facts(self, config: ModernBertConfig) -> dict[str, Any]:
        kinds = ", ".join(kind.removesuffix("_attention") for kind in config.layer_types)
        names = ("hidden_activation", "norm_eps", "local_attention")
        facts = super().facts(config) | {name: getattr(config, name) for name in names}
        thetas = {f"rope_theta {kind}": theta for kind, theta in config.rope_thetas.items()}
        return facts | {"layer_types": kinds} | thetas


FAMILY = ModernBert()
