"""The configuration of a detection model: that of the encoder, whole, and what is on it."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from typing import Any, no_type_check

from transformers import CONFIG_MAPPING, AutoConfig, PreTrainedConfig

from reference.errors import ConfigError, shown
from reference.families.detections import PROBLEM_TYPES, label_numbers
from reference.spans import SPAN_POOLINGS


@no_type_check  # a dataclass that takes more than its fields, which a checker would refuse
class MaskedSeqConfig(PreTrainedConfig):
    """base_config is the encoder's own configuration, so that a saved model needs nothing but
    its folder.

    base_model_attr_name: under which attribute the encoder is, and what its keys begin with.
    task: "multilabel" or "multiclass".
    span_pooling: "first", "mean" or "first_last".
    thresholds: of each label the probability from which on it is given; None is one half.
    pos_weight: of each label how much a detection that has it weighs (multilabel).
    class_weights: how much each label weighs.
    """

    model_type = "masked_sequence"

    base_config: Any = None
    base_model_attr_name: str | None = None
    task: str = "multilabel"
    span_pooling: str = "first"
    thresholds: list[float] | None = None
    pos_weight: list[float] | None = None
    class_weights: list[float] | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        if isinstance(self.base_config, Mapping):
            self.base_config = known_config(self.base_config)
        if self.task not in PROBLEM_TYPES:
            raise ConfigError(f"task is {shown(self.task)}; it is multilabel or multiclass")
        if self.span_pooling not in SPAN_POOLINGS:
            raise ConfigError(
                f"span_pooling is {shown(self.span_pooling)}; it is one of "
                f"{', '.join(SPAN_POOLINGS)}"
            )
        meant = PROBLEM_TYPES[self.task]
        if self.problem_type not in (None, meant):
            raise ConfigError(
                f"problem_type is {self.problem_type!r}, but the task {self.task} is {meant}"
            )
        given = kwargs.pop("num_labels", None)
        self.id2label, self.label2id = labels(given, self.id2label, self.label2id)
        # Transformers would refuse one class, which is odd but sound: its probability is 1.
        self.problem_type = None
        super().__post_init__(**kwargs)
        self.problem_type = meant
        count = len(self.id2label)
        self.thresholds = _listed("thresholds", self.thresholds, count, most=1.0)
        self.pos_weight = _listed("pos_weight", self.pos_weight, count)
        self.class_weights = _listed("class_weights", self.class_weights, count)
        if self.pos_weight is not None and self.task != "multilabel":
            raise ConfigError("pos_weight weighs labels that are there or not: multilabel only")

    @property
    def hidden_size(self) -> int:
        return self.base_config.hidden_size

    @property
    def vocab_size(self) -> int:
        return self.base_config.vocab_size

    def to_diff_dict(self) -> dict[str, Any]:
        """All of it."""
        values = self.to_dict()
        values.pop("_name_or_path", None)
        return values

    def get_text_config(self, *_: Any, **__: Any) -> PreTrainedConfig:
        """Where the vocabulary is told of."""
        found = self.base_config
        return found if isinstance(found, PreTrainedConfig) else self


def known_config(values: Mapping[str, Any]) -> PreTrainedConfig | dict[str, Any]:
    """The configuration of an encoder that Transformers knows; that of another stays a
    dictionary until somebody trusts its code."""
    kind = values.get("model_type")
    if kind not in CONFIG_MAPPING or "AutoConfig" in values.get("auto_map", {}):
        return dict(values)
    return CONFIG_MAPPING[kind].from_dict(dict(values))


def labels(
    count: int | None, id2label: Any, label2id: Any
) -> tuple[dict[int, str], dict[str, int]]:
    """Both tables, from whichever there is, or from the number of labels alone. They must
    agree with one another and with the number."""
    if count is not None and (
        isinstance(count, bool) or not isinstance(count, numbers.Integral) or count < 1
    ):
        raise ConfigError(
            f"num_labels is {shown(count)}; it must be a whole number of 1 or more"
        )
    forward = None if id2label is None else _by_number("id2label", id2label)
    backward = None
    if label2id is not None:
        if not isinstance(label2id, Mapping):
            raise ConfigError(f"label2id is {shown(label2id)}; it must be a table")
        turned = {number: name for name, number in label2id.items()}
        if len(turned) != len(label2id):
            raise ConfigError("label2id gives two labels the same number")
        backward = _by_number("label2id", turned)
    if forward is None and backward is None:
        if count is None:
            raise ConfigError("num_labels is missing: how many labels are there?")
        forward = {number: f"LABEL_{number}" for number in range(count)}
    found = backward if forward is None else forward
    if backward is not None and backward != found:
        odd = next(n for n in {**found, **backward} if found.get(n) != backward.get(n))
        raise ConfigError(
            f"id2label and label2id disagree about label {odd}: {found.get(odd)!r:.80} and "
            f"{backward.get(odd)!r:.80}"
        )
    if count is not None and len(found) != count:
        raise ConfigError(f"num_labels is {count}, but {len(found)} labels are named")
    return found, {name: number for number, name in found.items()}


def relabelled(given: dict[str, Any], config: MaskedSeqConfig) -> dict[str, Any]:
    """What the caller says, with both tables of labels where he says one, or their number."""
    found = dict(given)
    if not {"num_labels", "id2label", "label2id"} & set(given):
        return found
    count = found.pop("num_labels", None)
    tables = {key: found.get(key) for key in ("id2label", "label2id")}
    if tables["id2label"] is None and tables["label2id"] is None:
        tables = {"id2label": config.id2label, "label2id": config.label2id}
        if count != config.num_labels:
            tables = {"id2label": None, "label2id": None}
    found["id2label"], found["label2id"] = labels(count, **tables)
    return found


def _by_number(name: str, table: Any) -> dict[int, str]:
    if isinstance(table, Sequence) and not isinstance(table, str):
        table = dict(enumerate(table))
    if not isinstance(table, Mapping) or not table:
        raise ConfigError(
            f"{name} is {shown(table)}; it must be a list of labels, or a table from numbers "
            "to labels, and not empty"
        )
    try:
        found = {int(number): str(label) for number, label in table.items()}
    except (TypeError, ValueError):
        raise ConfigError(f"{name} must number its labels, not {shown(table)}") from None
    if sorted(found) != list(range(len(table))):
        raise ConfigError(
            f"{name} numbers its labels {sorted(found)[:10]}; they must be 0 to "
            f"{len(table) - 1}, each once"
        )
    if len(set(found.values())) != len(found):
        raise ConfigError(f"{name} names a label twice")
    return dict(sorted(found.items()))


def _listed(*asked: Any, **options: Any) -> list[float] | None:
    """As JSON has it."""
    found = label_numbers(*asked, **options)
    return None if found is None else list(found)


AutoConfig.register(MaskedSeqConfig.model_type, MaskedSeqConfig, exist_ok=True)
