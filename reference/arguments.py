"""What several commands ask for."""

from __future__ import annotations

import argparse

from reference.checkpoint import EMBEDDED_MODEL


def add_model(parser: argparse.ArgumentParser) -> None:
    """The model that a command is about."""
    parser.add_argument(
        "model",
        nargs="?",
        default=EMBEDDED_MODEL,
        help=f"a folder or a hub id (default {EMBEDDED_MODEL})",
    )
