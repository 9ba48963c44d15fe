"""Training small models on text that is on the machine already: a tokenizer, a masked language
model from nothing, and heads on it."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """reference.training.train_tokenizer, whose libraries are imported when it is asked for."""
    if name == "train_tokenizer":
        from reference.training.tokenizer import train_tokenizer

        return train_tokenizer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
