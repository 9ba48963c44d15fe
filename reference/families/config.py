"""What the configurations of all encoders have in common, and what those of transformers
add."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from reference.errors import ConfigError
from reference.families.checks import (
    check_architectures,
    check_choice,
    check_integer,
    check_labels,
    check_number,
    check_switch,
)
from reference.families.detections import Detections, wrapped

ACTIVATIONS = (
    "gelu",
    "gelu_fast",
    "gelu_new",
    "gelu_python",
    "gelu_python_tanh",
    "gelu_pytorch_tanh",
    "hardswish",
    "leaky_relu",
    "linear",
    "mish",
    "quick_gelu",
    "relu",
    "relu2",
    "relu6",
    "sigmoid",
    "silu",
    "swish",
    "tanh",
)
# The deepest encoder ever trained; more would take minutes only to list what is missing.
MOST_LAYERS = 1000
PROBLEM_TYPES = ("regression", "single_label_classification", "multi_label_classification")


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """What every encoder has, whatever it computes with: a vocabulary, vectors of one size, and
    labels. The defaults are those of the subclasses."""

    model_type: str
    vocab_size: int
    hidden_size: int
    initializer_range: float = 0.02
    pad_token_id: int | None
    bos_token_id: int | None
    eos_token_id: int | None
    tie_word_embeddings: bool = True
    problem_type: str | None = None
    id2label: Mapping[int, str] = field(default_factory=lambda: {0: "LABEL_0", 1: "LABEL_1"})
    architectures: tuple[str, ...] = ()
    # Of a model for chosen positions: what is on the encoder.
    detections: Detections | None = None

    has_token_types: ClassVar[bool] = True
    # Each model type, and where its defaults differ from the class's.
    MODEL_TYPES: ClassVar[Mapping[str, Mapping[str, Any]]]
    # Keys of which one value is implemented.
    ONLY_VALUES: ClassVar[Mapping[str, tuple]] = {
        "is_decoder": (False, None),
        "add_cross_attention": (False, None),
        "is_encoder_decoder": (False, None),
        "cross_attention_hidden_size": (None,),
        "pruned_heads": ({}, None),
        "quantization_config": (None,),
    }
    # Keys that older files have, and that say nothing any more.
    LEGACY: ClassVar[frozenset[str]] = frozenset()
    # Fields that config.json has under another name.
    SPELLINGS: ClassVar[Mapping[str, str]] = {}

    def __post_init__(self) -> None:
        self._read_whole_numbers_as_floats()
        check_choice("model_type", self.model_type, self.MODEL_TYPES)
        for name in ("vocab_size", "hidden_size"):
            check_integer(self.spelled(name), getattr(self, name), minimum=1)
        check_number("initializer_range", self.initializer_range, above=0.0)
        if self.problem_type is not None:
            check_choice("problem_type", self.problem_type, PROBLEM_TYPES)
        check_switch("tie_word_embeddings", self.tie_word_embeddings)
        for name in ("bos_token_id", "eos_token_id"):
            if getattr(self, name) is not None:
                check_integer(name, getattr(self, name), minimum=0)
        if self.pad_token_id is not None:
            check_integer("pad_token_id", self.pad_token_id, minimum=0)
            if self.pad_token_id >= self.vocab_size:
                raise ConfigError(
                    f"pad_token_id {self.pad_token_id} lies outside the vocabulary of "
                    f"{self.vocab_size}"
                )
        check_labels(self.id2label)
        check_architectures(self.architectures)

    def _read_whole_numbers_as_floats(self) -> None:
        """Where a fraction may stand, 10**30 may too, which is too large for the frameworks'
        integers."""
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if item.type == "float" and isinstance(value, int) and not isinstance(value, bool):
                with contextlib.suppress(OverflowError):  # it is refused when it is checked
                    object.__setattr__(self, item.name, float(value))

    @property
    def num_labels(self) -> int:
        return len(self.id2label)

    @property
    def label2id(self) -> dict[str, int]:
        return {label: number for number, label in self.id2label.items()}

    @property
    def max_tokens(self) -> int:
        """How many tokens a text may have."""
        raise NotImplementedError

    @property
    def type_vocab_size(self) -> int:
        """Where there are no token types, 0 is the only one."""
        return 1

    @property
    def outputs(self) -> int:
        """How many answers a masked language model chooses among."""
        return self.vocab_size

    @property
    def widest(self) -> int:
        """How many numbers a token takes where the model is at its widest."""
        return self.hidden_size

    @classmethod
    def spelled(cls, name: str) -> str:
        """What config.json calls that field."""
        return cls.SPELLINGS.get(name, name)

    @classmethod
    def upgrade(cls, values: dict[str, Any]) -> dict[str, Any]:
        """The content of a config.json, of an older Transformers perhaps, under the names of
        the fields."""
        values = dict(values)
        for name, spelling in cls.SPELLINGS.items():
            if spelling in values:  # in a file with both, Transformers takes the field's
                values.setdefault(name, values.pop(spelling))
        return values

    def to_dict(self) -> dict[str, Any]:
        """The content of a config.json that Transformers reads back as the same model."""
        values = {self.spelled(key): value for key, value in dataclasses.asdict(self).items()}
        values["id2label"] = {str(number): label for number, label in self.id2label.items()}
        values["label2id"] = self.label2id
        values["architectures"] = list(self.architectures)
        del values["detections"]
        return values

    def whole_dict(self) -> dict[str, Any]:
        """The same of the whole model, whose encoder's it is a part of where it is one for
        chosen positions."""
        values = self.to_dict()
        return values if self.detections is None else wrapped(values, self.detections)


@dataclass(frozen=True, kw_only=True)
class TransformerConfig(EncoderConfig):
    """What a transformer has besides: layers, heads, a feed-forward network, positions. The
    defaults are those of most base models; a family says where its own differ."""

    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    max_position_embeddings: int = 512

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in (
            "num_hidden_layers",
            "num_attention_heads",
            "intermediate_size",
            "max_position_embeddings",
        ):
            check_integer(self.spelled(name), getattr(self, name), minimum=1)
        if self.num_hidden_layers > MOST_LAYERS:
            raise ConfigError(
                f"{self.spelled('num_hidden_layers')} is {self.num_hidden_layers}; no encoder "
                f"has more than {MOST_LAYERS}"
            )
        if self.hidden_size % self.num_attention_heads:
            raise ConfigError(
                f"{self.spelled('hidden_size')} {self.hidden_size} is not a multiple of "
                f"{self.spelled('num_attention_heads')} {self.num_attention_heads}"
            )

    @property
    def max_tokens(self) -> int:
        return self.max_position_embeddings

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.num_attention_heads

    @property
    def widest(self) -> int:
        return self.intermediate_size
