"""Training a small masked language model from nothing, on text that is on the machine
already."""

from __future__ import annotations
