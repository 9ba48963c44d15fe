"""Training small models: `fit` for a model of one's own, tokenizers, and the recipes of the
models that come with the package."""

from __future__ import annotations

import importlib
from typing import Any

# What a user calls, and where it is; its libraries are imported when it is asked for.
NAMES = {
    "fit": "reference.training.fitting",
    "Settings": "reference.training.settings",
    "train_tokenizer": "reference.training.tokenizer",
}


def __getattr__(name: str) -> Any:
    if name in NAMES:
        return getattr(importlib.import_module(NAMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
