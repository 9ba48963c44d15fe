"""Training small models on text that is on the machine already: a masked language model from
nothing, and heads on it."""

from __future__ import annotations
