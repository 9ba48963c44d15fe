"""The command line: python -m reference embed, similar, search and more: --help lists them.

An installed package brings the same under a name of its own: encoders-three-ways embed ...
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import warnings
from pathlib import Path

from reference import __version__
from reference.errors import EncodersError

NAME = "encoders-three-ways"  # the package as it is installed, and its script
# Each command: where it is written, in a module with its add_arguments and main; what it does.
COMMANDS = {
    "embed": ("reference.commands.embed", "turn texts into vectors"),
    "similar": ("reference.commands.similar", "compare texts with references"),
    "search": ("reference.commands.search", "find the best of a corpus"),
    "fill": ("reference.commands.fill", "find words for the masks of texts"),
    "classify": ("reference.commands.classify", "label texts"),
    "rank": ("reference.commands.rank", "order documents by how well they go with a query"),
    "tag": ("reference.commands.tag", "find the spans of texts that a model labels"),
    "detect": ("reference.commands.detect", "label chosen pieces of texts"),
    "info": ("reference.info", "describe a model"),
    "parity": ("reference.parity.command", "hold the ports against Transformers in float64"),
    "bench": ("reference.bench", "time the ports beside other libraries"),
    "train-tokenizer": (
        "reference.commands.train_tokenizer",
        "learn a tokenizer from text",
    ),
    "train": (
        "reference.commands.train",
        "train a model on text of yours, or of this machine",
    ),
    "evaluate": ("reference.evaluation.command", "judge embedding models by what they find"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit status is 0, 1 where a comparison fails, and 2 on bad input."""
    if sys.stdout is None:
        print(
            "error: standard output is closed; send it to a file or to /dev/null",
            file=sys.stderr,
        )
        return 2
    try:
        options = parser().parse_args(arguments)
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_: print(
                f"warning: {message}", file=sys.stderr
            )
            status = options.run(options)
        sys.stdout.flush()
        return status
    except EncodersError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, head for one, has seen enough
        _drop_output()
        return 0
    except OSError as problem:  # a full disk, for one
        _drop_output()
        print(
            f"error: {problem.filename or 'output'}: {problem.strerror or problem}",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    top = argparse.ArgumentParser(
        prog=NAME if Path(sys.argv[0]).stem == NAME else "python -m reference",
        description="Transformer encoders in PyTorch, MLX and Rust/candle.",
    )
    top.add_argument("--version", action="version", version=f"{NAME} {__version__}")
    subparsers = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, (module, what) in COMMANDS.items():
        command, room = subparsers.add_parser(name, help=what), importlib.import_module(module)
        room.add_arguments(command)
        command.set_defaults(run=room.main)
    return top


def _drop_output() -> None:
    """Python writes what is left in the buffer once more when it ends; that must not fail
    again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
