"""The families of models, one file each, and the one list of them.

To add a family is to add its file, a file in each port, and a line here (book/adding.md).
"""

from __future__ import annotations

from collections.abc import Mapping

from reference.checks import check_name
from reference.errors import ConfigError
from reference.families import (
    bert,
    char_encoder,
    distilbert,
    electra,
    modernbert,
    mpnet,
    roberta,
    rope_encoder,
)
from reference.families.config import (
    ACTIVATIONS,
    PROBLEM_TYPES,
    EncoderConfig,
    TransformerConfig,
)
from reference.families.family import Architecture, Family
from reference.families.tasks import BASE, TASKS, Task

FAMILIES: tuple[Family, ...] = (
    bert.FAMILY,
    roberta.FAMILY,
    modernbert.FAMILY,
    distilbert.FAMILY,
    mpnet.FAMILY,
    electra.FAMILY,
    rope_encoder.FAMILY,
    char_encoder.FAMILY,
)

BY_MODEL_TYPE: Mapping[str, Family] = {
    model_type: family for family in FAMILIES for model_type in family.prefixes
}
ARCHITECTURES: Mapping[str, Architecture] = {
    prefix + task.suffix: Architecture(prefix + task.suffix, family, task)
    for family in FAMILIES
    for prefix in family.prefixes.values()
    for task in family.all_tasks
}


def architecture_named(name: str) -> Architecture:
    """The architecture that Transformers has under that name."""
    if not isinstance(name, str) or name not in ARCHITECTURES:
        raise ConfigError(
            f"architecture {name!s:.80} is not implemented; supported: "
            f"{', '.join(ARCHITECTURES)}"
        )
    return ARCHITECTURES[name]


def architecture_for(config: EncoderConfig, task: Task | str | None = None) -> Architecture:
    """The architecture that the configuration names, or that of its family for a task, which
    may be given by its name."""
    family = BY_MODEL_TYPE[config.model_type]
    prefix = family.prefixes[config.model_type]
    if isinstance(task, str):
        task = TASKS[check_name(task, TASKS, "task")]
    if task is not None or not config.architectures:
        return architecture_named(prefix + (task or BASE).suffix)
    if config.architectures[0] not in ARCHITECTURES:
        known = ", ".join(prefix + task.suffix for task in family.all_tasks)
        raise ConfigError(
            f"architecture {config.architectures[0]:.80} is not implemented; supported: "
            f"{known}. The encoder in it is read where embeddings are asked for "
            "(pipeline='embeddings')"
        )
    architecture = architecture_named(config.architectures[0])
    if architecture.name != prefix + architecture.task.suffix:
        raise ConfigError(
            f"architecture {architecture.name} does not belong to model_type "
            f"{config.model_type!r}"
        )
    return architecture


__all__ = [
    "ACTIVATIONS",
    "ARCHITECTURES",
    "BASE",
    "BY_MODEL_TYPE",
    "FAMILIES",
    "PROBLEM_TYPES",
    "TASKS",
    "Architecture",
    "EncoderConfig",
    "Family",
    "Task",
    "TransformerConfig",
    "architecture_for",
    "architecture_named",
]
