"""What a checkpoint's config.json says, as a frozen dataclass.

Every value that shapes the computation is read and checked; one that no port implements raises, since a
model that ignores part of its configuration loads without complaint and is wrong.
"""

from __future__ import annotations

import dataclasses
import json
import math
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reference.errors import CheckpointError, ConfigError

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
MOST_LAYERS = 1000  # the deepest encoder ever trained; more would take minutes only to list what is missing
MOST_LABELS = 1_000_000
PROBLEM_TYPES = ("regression", "single_label_classification", "multi_label_classification")

# The model types, and where their defaults in Transformers differ from BERT's.
MODEL_TYPES: dict[str, dict[str, int]] = {
    "bert": {},
    "roberta": {"vocab_size": 50265, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2},
    "xlm-roberta": {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2},
}

# Keys that only have one implemented value; anything else changes the computation.
ONLY_VALUES = {
    "position_embedding_type": ("absolute", None),
    "is_decoder": (False, None),
    "add_cross_attention": (False, None),
    "is_encoder_decoder": (False, None),
    "cross_attention_hidden_size": (None,),
    "pruned_heads": ({}, None),
    "quantization_config": (None,),
    "auto_map": ({}, None),
}

# Keys that Transformers writes and that do not touch what an encoder computes.
METADATA = frozenset(
    "_attn_implementation _name_or_path attn_implementation bad_words_ids begin_suppress_tokens "
    "chunk_size_feed_forward decoder_start_token_id directionality diversity_penalty do_sample dtype "
    "early_stopping encoder_no_repeat_ngram_size exponential_decay_length_penalty finetuning_task "
    "forced_bos_token_id forced_eos_token_id gradient_checkpointing length_penalty max_length min_length "
    "model_max_length no_repeat_ngram_size num_beam_groups num_beams num_return_sequences output_attentions "
    "output_hidden_states output_past output_scores pooler_fc_size pooler_num_attention_heads "
    "pooler_num_fc_layers pooler_size_per_head pooler_type prefix remove_invalid_values repetition_penalty "
    "return_dict return_dict_in_generate sep_token_id suppress_tokens task_specific_params temperature "
    "tf_legacy_loss tokenizer_class top_k top_p torch_dtype torchscript transformers_version typical_p "
    "use_bfloat16 use_cache xla_device ".split()
)


@dataclass(frozen=True)
class BertConfig:
    """The configuration of BERT and of its XLM-RoBERTa and RoBERTa relatives, under Transformers' names."""

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
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    pad_token_id: int | None = 0
    bos_token_id: int | None = None
    eos_token_id: int | None = None
    tie_word_embeddings: bool = True
    problem_type: str | None = None
    id2label: Mapping[int, str] = field(default_factory=lambda: {0: "LABEL_0", 1: "LABEL_1"})
    architectures: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_choice("model_type", self.model_type, MODEL_TYPES)
        for name in (
            "vocab_size",
            "hidden_size",
            "num_hidden_layers",
            "num_attention_heads",
            "intermediate_size",
            "max_position_embeddings",
            "type_vocab_size",
        ):
            _check_integer(name, getattr(self, name), minimum=1)
        if self.num_hidden_layers > MOST_LAYERS:
            raise ConfigError(f"num_hidden_layers is {self.num_hidden_layers}; no encoder has more than {MOST_LAYERS}")
        if self.hidden_size % self.num_attention_heads:
            raise ConfigError(
                f"hidden_size {self.hidden_size} is not a multiple of num_attention_heads {self.num_attention_heads}"
            )
        _check_choice("hidden_act", self.hidden_act, ACTIVATIONS)
        if self.problem_type is not None:
            _check_choice("problem_type", self.problem_type, PROBLEM_TYPES)
        _check_number("layer_norm_eps", self.layer_norm_eps, above=0.0)
        _check_number("initializer_range", self.initializer_range, above=0.0)
        for name in ("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout"):
            value = getattr(self, name)
            if value is None and name == "classifier_dropout":
                continue  # it then is hidden_dropout_prob
            _check_number(name, value, above=None)
            if not 0 <= value <= 1:
                raise ConfigError(f"{name} is {value!r:.80}; a probability lies between 0 and 1")
        if not isinstance(self.tie_word_embeddings, bool):
            raise ConfigError(f"tie_word_embeddings is {self.tie_word_embeddings!r}; it must be true or false")
        for name in ("bos_token_id", "eos_token_id"):
            if getattr(self, name) is not None:
                _check_integer(name, getattr(self, name), minimum=0)
        _check_labels(self.id2label)
        _check_architectures(self.architectures)
        self._check_pad_token()

    def _check_pad_token(self) -> None:
        if self.pad_token_id is None:
            if self.model_type != "bert":
                raise ConfigError(f"{self.model_type} counts positions from pad_token_id, which is null here")
            return
        _check_integer("pad_token_id", self.pad_token_id, minimum=0)
        if self.pad_token_id >= self.vocab_size:
            raise ConfigError(f"pad_token_id {self.pad_token_id} lies outside the vocabulary of {self.vocab_size}")
        if self.max_tokens < 1:
            raise ConfigError(
                f"max_position_embeddings {self.max_position_embeddings} leaves no position for a token: "
                f"{self.model_type} starts at pad_token_id + 1 = {self.pad_token_id + 1}"
            )

    @property
    def num_labels(self) -> int:
        return len(self.id2label)

    @property
    def label2id(self) -> dict[str, int]:
        return {label: number for number, label in self.id2label.items()}

    @property
    def max_tokens(self) -> int:
        """How many tokens a text may have: the RoBERTa family's positions start after the pad id."""
        if self.model_type == "bert":
            return self.max_position_embeddings
        return self.max_position_embeddings - self.pad_token_id - 1

    def to_dict(self) -> dict[str, Any]:
        """The content of a config.json that Transformers reads back as the same model."""
        values = dataclasses.asdict(self)
        values["id2label"] = {str(number): label for number, label in self.id2label.items()}
        values["label2id"] = self.label2id
        values["architectures"] = list(self.architectures)
        return values


def config_from_dict(values: Mapping[str, Any], where: str = "config") -> BertConfig:
    """Check a parsed config.json and turn it into a BertConfig."""
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where} is a {type(values).__name__}; it must be a mapping from key to value")
    try:
        return _config_from_dict(values, where)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def read_config(folder: Path) -> BertConfig:
    """Read `folder`/config.json."""
    path = Path(folder) / "config.json"
    if not is_file(path) and is_file(path.with_name("modules.json")):
        raise CheckpointError(
            f"{path} is missing; a Transformer that modules.json keeps in a folder of its own is not supported: "
            "move its files up to modules.json, and set its path there to ''"
        )
    return config_from_dict(read_json(path, ConfigError), str(path))


def read_json(path: Path, error: type[ValueError], kind: type[dict] | type[list] = dict) -> Any:
    """A JSON object (or list) from a file, or `error` naming the file and what is wrong with it."""
    if not is_file(path):
        raise CheckpointError(f"{path} is missing; a checkpoint folder holds a {path.name}")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise CheckpointError(f"{path} cannot be read: {problem.strerror}") from None
    except (ValueError, RecursionError) as problem:
        raise error(f"{path} is not valid JSON: {problem}") from None
    if not isinstance(values, kind):
        wanted = {dict: "an object", list: "a list"}[kind]
        raise error(f"{path} holds a JSON {type(values).__name__}; it must be {wanted}")
    return values


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that the system cannot even look up is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def _config_from_dict(values: Mapping[str, Any], where: str) -> BertConfig:
    model_type = values.get("model_type")
    _check_choice("model_type", model_type, MODEL_TYPES)
    for key, allowed in ONLY_VALUES.items():
        if key in values and values[key] not in allowed:
            raise ConfigError(_unsupported(key, values[key], allowed))

    names = {item.name for item in dataclasses.fields(BertConfig)}
    labels = ("id2label", "label2id", "num_labels", "_num_labels")
    unknown = sorted(map(str, set(values) - names - set(labels) - set(ONLY_VALUES) - METADATA))
    if unknown:
        warnings.warn(
            f"{where} has keys that Transformers' BERT does not read either: {', '.join(unknown)}",
            stacklevel=4,
        )

    settings: dict[str, Any] = dict(MODEL_TYPES[model_type])
    settings |= {key: values[key] for key in names & set(values)}
    settings["id2label"] = _read_labels(values)
    settings["architectures"] = _read_architectures(values)
    return BertConfig(**settings)


def _read_labels(values: Mapping[str, Any]) -> dict[int, str]:
    """id2label with integer keys 0..n-1; a bare num_labels stands for LABEL_0, LABEL_1, ..."""
    count = values.get("num_labels", values.get("_num_labels"))
    raw = values.get("id2label")
    if raw is None:
        if count is None:
            count = 2
        _check_integer("num_labels", count, minimum=1)
        if count > MOST_LABELS:
            raise ConfigError(f"num_labels is {count}; a head of that size cannot be meant")
        return {number: f"LABEL_{number}" for number in range(count)}
    if not isinstance(raw, Mapping) or not raw:
        raise ConfigError(f"id2label must be an object from number to label, not {raw!r}")
    try:
        labels = {int(number): label for number, label in raw.items()}
    except (TypeError, ValueError, OverflowError):
        raise ConfigError(f"id2label's keys must be whole numbers, not {list(raw)[:5]!r:.80}") from None
    if len(labels) != len(raw):
        raise ConfigError(f"id2label gives a number twice: {list(raw)[:10]!r:.80}")
    if count is not None and count != len(labels):
        raise ConfigError(f"num_labels is {count!r:.80} but id2label names {len(labels)} labels")
    return dict(sorted(labels.items()))


def _check_labels(labels: Any) -> None:
    if not isinstance(labels, Mapping) or not labels:
        raise ConfigError(f"id2label must be a mapping from number to label, not {labels!r:.80}")
    if not all(isinstance(label, str) for label in labels.values()):
        raise ConfigError("id2label's values must be strings")
    if set(labels) != set(range(len(labels))):
        raise ConfigError(f"id2label must number its labels 0 to {len(labels) - 1}; it has {list(labels)[:10]!r:.80}")


def _read_architectures(values: Mapping[str, Any]) -> tuple[str, ...]:
    names = values.get("architectures") or []
    return tuple(names) if isinstance(names, list) else names


def _check_architectures(names: Any) -> None:
    if not isinstance(names, tuple) or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"architectures must be a list of class names, not {names!r:.80}")
    if len(names) > 1:
        raise ConfigError(f"architectures names {' and '.join(names)}; a checkpoint is of one class")


def _check_choice(name: str, value: Any, allowed: Collection[str]) -> None:
    if not isinstance(value, str) or value not in allowed:
        raise ConfigError(_unsupported(name, value, allowed))


def _check_integer(name: str, value: Any, minimum: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        raise ConfigError(f"{name} is {value!r:.80}; it must be a whole number of at least {minimum}")
    if value >= 2**31:
        raise ConfigError(f"{name} is {value!r:.80}; no encoder is that large")


def _check_number(name: str, value: Any, above: float | None) -> None:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not _is_finite(value):
        raise ConfigError(f"{name} is {value!r:.80}; it must be a finite number")
    if above is not None and value <= above:
        raise ConfigError(f"{name} is {value}; it must be greater than {above:g}")


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that no float can hold
        return False


def _unsupported(key: str, value: Any, allowed: Any) -> str:
    return f"{key} is {value!r:.80}, which no port implements; supported: {', '.join(repr(item) for item in allowed)}"
