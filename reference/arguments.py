"""What several commands ask for."""

from __future__ import annotations

import argparse
import textwrap

from reference.checkpoint import EMBEDDED_MODEL


def explain(parser: argparse.ArgumentParser, what: str, *examples: str) -> None:
    """What --help says before the options, and the examples that it ends with."""
    parser.description = textwrap.fill(what, 80)
    parser.epilog = "\n  ".join(("examples:", *examples))
    parser.formatter_class = argparse.RawDescriptionHelpFormatter


def add_model(parser: argparse.ArgumentParser) -> None:
    """The model that a command is about."""
    parser.add_argument(
        "model",
        nargs="?",
        default=EMBEDDED_MODEL,
        help=f"a folder or a hub id (default {EMBEDDED_MODEL})",
    )
