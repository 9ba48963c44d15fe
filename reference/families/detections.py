"""What a model for chosen positions is, beside its encoder: how its detections become vectors,
how they are trained and given, and how its config.json has all of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from reference.errors import ConfigError, shown
from reference.families.checks import check_choice
from reference.spans import FIRST, SPAN_POOLINGS

MODEL_TYPE = "masked_sequence"
CLASS = "AutoModelForMaskedSeqModeling"  # reference.torch.masked_sequence has it
HEAD = "detection_head"
NORM_EPSILON = 1e-5
# What a detection is: any number of labels at once, or exactly one.
PROBLEM_TYPES = {
    "multilabel": "multi_label_classification",
    "multiclass": "single_label_classification",
}
LABEL_KEYS = ("id2label", "label2id", "num_labels", "_num_labels")
# What its config.json has beside the encoder's and what every one has.
KEYS = frozenset(
    "base_config base_model_attr_name task span_pooling thresholds pos_weight "
    "class_weights problem_type".split()
)


@dataclass(frozen=True, kw_only=True)
class Detections:
    """base: the attribute under which the encoder is, which its keys begin with.
    span_pooling: which tokens of a detection its vector is the mean of: the first by itself,
    all, or the first and the last.
    thresholds: of each label the probability from which on it is given; None is one half.
    pos_weight: of each label how much a detection that has it weighs (multilabel).
    class_weights: how much each label weighs."""

    base: str = ""
    span_pooling: str = FIRST
    thresholds: tuple[float, ...] | None = None
    pos_weight: tuple[float, ...] | None = None
    class_weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        check_choice("span_pooling", self.span_pooling, SPAN_POOLINGS)

    @classmethod
    def read(cls, values: Mapping[str, Any], labels: int, base: str) -> Detections:
        """From a config.json of that many labels, for an encoder under that attribute."""
        bounds = {"thresholds": 1.0, "pos_weight": math.inf, "class_weights": math.inf}
        numbers = {
            name: label_numbers(name, values.get(name), labels, most)
            for name, most in bounds.items()
        }
        single = values.get("task", "multilabel") != "multilabel"
        if numbers["pos_weight"] is not None and single:
            raise ConfigError("pos_weight weighs labels that are there or not: multilabel only")
        span_pooling = values.get("span_pooling", FIRST)
        return cls(base=base, span_pooling=span_pooling, **numbers)


def is_wrapped(values: Mapping[str, Any]) -> bool:
    """Whether a config.json is that of a model for chosen positions."""
    return values.get("model_type") == MODEL_TYPE


def unwrapped(values: Mapping[str, Any]) -> dict[str, Any]:
    """The encoder's own config.json with the labels in it."""
    base = values.get("base_config")
    if not isinstance(base, Mapping):
        raise ConfigError(
            f"base_config is {shown(base)}; it must be the configuration of the encoder"
        )
    task = values.get("task", "multilabel")
    check_choice("task", task, PROBLEM_TYPES)
    meant = PROBLEM_TYPES[task]
    if values.get("problem_type") not in (None, meant):
        raise ConfigError(
            f"problem_type is {shown(values['problem_type'])}, but the task {task} is {meant}"
        )
    own = {key: value for key, value in base.items() if key not in LABEL_KEYS}
    own |= {key: values[key] for key in LABEL_KEYS if key in values}
    return own | {"problem_type": meant, "architectures": []}


def wrapped(values: Mapping[str, Any], detections: Detections) -> dict[str, Any]:
    """The same back, from the encoder's own."""
    own = dict(values)
    labels = {key: own.pop(key) for key in ("id2label", "label2id", "problem_type")}
    own["architectures"] = []
    tasks = {problem: task for task, problem in PROBLEM_TYPES.items()}
    settings = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in asdict(detections).items()
    }
    return {
        "model_type": MODEL_TYPE,
        "architectures": [CLASS],
        "base_config": own,
        "base_model_attr_name": settings.pop("base"),
        "task": tasks[labels["problem_type"]],
        **labels,
        **settings,
    }


def label_numbers(
    name: str, values: Any, count: int, most: float = math.inf
) -> tuple[float, ...] | None:
    """One for each label."""
    if values is None:
        return None
    try:
        if isinstance(values, str):
            raise TypeError
        found = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        raise ConfigError(f"{name} is {shown(values)}; it must be a list of numbers") from None
    if len(found) != count:
        raise ConfigError(f"{name} has {len(found)} numbers for {count} labels")
    if not all(math.isfinite(value) and 0 <= value <= most for value in found):
        bound = "0 or more" if most == math.inf else f"0 to {most:g}"
        raise ConfigError(f"{name} is {shown(list(found))}; each must be {bound}")
    return found
