"""`python -m reference info`: what a model is made of, and which models there are."""

from __future__ import annotations

import argparse
import json
from typing import Any

from reference.arguments import add_model, explain
from reference.checkpoint import SMALL_MODERNBERT, Checkpoint, locate, read_checkpoint
from reference.errors import CheckpointError
from reference.families import BASE, FAMILIES
from reference.families.tasks import TEXT_CLASSIFICATION, TOKEN_CLASSIFICATION


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    explain(
        parser,
        "Describe a model: its architecture, its sizes, its tokenizer, how it pools. With "
        "--families, list the kinds of models that there are.",
        "python -m reference info",
        f"python -m reference info {SMALL_MODERNBERT} --format json",
        "python -m reference info --families",
    )
    add_model(parser)
    parser.add_argument("--families", action="store_true", help="list the families of models")
    parser.add_argument("--revision", help="a branch, tag or commit on the hub")
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="text (the default) or json"
    )


def main(options: argparse.Namespace) -> int:
    """Read the whole checkpoint, so that what is described is known to load."""
    if options.families:
        found = families()
    else:
        checkpoint = read_checkpoint(locate(options.model, options.revision))
        found = {"model": options.model} | facts(checkpoint)
    if options.format == "json":
        print(json.dumps(found, indent=2))
        return 0
    for name, value in found.items():
        large = isinstance(value, int) and value > 9999
        shown = "; ".join(value.values()) if isinstance(value, dict) else value
        print(f"{name:<24} {value:,}" if large else f"{name:<24} {shown}")
    return 0


def families() -> dict[str, dict[str, str]]:
    """Each family's model types, as config.json names them, and its tasks."""
    return {
        family.room: {
            "model types": ", ".join(family.prefixes),
            "tasks": ", ".join(task.name for task in family.tasks),
        }
        for family in FAMILIES
    }


def facts(checkpoint: Checkpoint) -> dict[str, Any]:
    """What there is to say of a checkpoint, by name."""
    from reference.pipelines.vectors import sentence_settings_of
    from reference.text import read_tokenizer

    config, architecture = checkpoint.config, checkpoint.architecture
    task, tensors = architecture.task, checkpoint.tensors.values()
    found: dict[str, Any] = {
        "folder": str(checkpoint.home),
        "architecture": architecture.name,
        "family": architecture.family.room,
        "pipeline": task.pipeline,
        "parameters": sum(tensor.size for tensor in tensors),
        "tensors": len(tensors),
        "stored as": ", ".join(sorted({str(tensor.dtype) for tensor in tensors})),
    }
    found |= architecture.family.facts(config)
    try:
        found["max_seq_length"] = read_tokenizer(checkpoint.folder, config).max_length
    except CheckpointError:
        found["max_seq_length"] = None
    embeds = architecture.family.embeds or (checkpoint.home / "modules.json").is_file()
    if task is BASE and embeds:
        settings = sentence_settings_of(checkpoint)
        found |= {"pooling": ", ".join(settings.pooling), "normalize": settings.normalize}
    elif task in (TEXT_CLASSIFICATION, TOKEN_CLASSIFICATION):
        found["labels"] = list(config.id2label.values())
    return found
