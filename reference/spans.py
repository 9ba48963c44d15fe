"""Where in a batch its detections are, and which of their tokens make a vector of each.

A model for chosen positions is given, for each detection, the places of some tokens among those
of the whole batch and the share that each has: ports gather, and know no other rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from reference.errors import InputError
from reference.inputs import Inputs, check_padded, whole_numbers

if TYPE_CHECKING:
    from reference.families.config import EncoderConfig

# Which tokens of a detection its vector is the mean of: the first by itself, all, or the first
# and the last.
FIRST, MEAN, FIRST_LAST = SPAN_POOLINGS = ("first", "mean", "first_last")


def pooled_places(
    first: np.ndarray, last: np.ndarray, pooling: str
) -> tuple[np.ndarray, np.ndarray]:
    """For detections [...] from one token to another: the places [..., widest] of the tokens
    that are pooled, and the share of each. What fills a row up has no share."""
    if pooling == FIRST:
        return first[..., None], np.ones((*first.shape, 1))
    if pooling == FIRST_LAST:
        return np.stack([first, last], -1), np.full((*first.shape, 2), 0.5)
    steps = np.arange((last - first).max(initial=0) + 1)
    places = first[..., None] + steps
    inside = places <= last[..., None]
    shares = inside / np.maximum(inside.sum(-1, keepdims=True), 1)
    return np.minimum(places, last[..., None]), shares


def with_detections(
    inputs: Inputs, first: np.ndarray, last: np.ndarray, config: EncoderConfig
) -> Inputs:
    """A padded batch with its detections [batch, detections], each from one token of its row to
    another."""
    rows = np.arange(len(first))[:, None] * inputs.input_ids.shape[1]
    spans, shares = pooled_places(first + rows, last + rows, config.detections.span_pooling)
    return replace(inputs, spans=spans, shares=shares)


def packed_detections(
    inputs: Inputs, spans: Sequence[Sequence[tuple[int, int]]], config: EncoderConfig
) -> Inputs:
    """A packed row with the detections of its texts, one text after another: of each the first
    token and the last, in its text."""
    starts = inputs.cu_seqlens[:-1]
    ends = [
        (start + first, start + last)
        for start, found in zip(starts, spans, strict=True)
        for first, last in found
    ]
    first, last = np.array(ends, np.int64).reshape(-1, 2).T
    places, shares = pooled_places(first, last, config.detections.span_pooling)
    return replace(inputs, spans=places, shares=shares)


def check_detections(
    config: EncoderConfig,
    input_ids: Any,
    attention_mask: Any = None,
    token_type_ids: Any = None,
    mask_indices: Any = None,
    mask_ends: Any = None,
) -> Inputs:
    """What check_padded takes, and [batch, detections]: the first token of each detection and,
    unless it is the same, the last. That none of them is a pad is not looked at yet: a
    detection that is not counted may be one (check_real)."""
    inputs = check_padded(config, input_ids, attention_mask, token_type_ids)
    if mask_indices is None:
        raise InputError("mask_indices is missing: at which tokens are the detections?")
    first = _check_places("mask_indices", mask_indices, inputs)
    last = first if mask_ends is None else _check_places("mask_ends", mask_ends, inputs)
    if last.shape != first.shape:
        raise InputError(
            f"mask_ends has shape {last.shape}; mask_indices has {first.shape}, and they must "
            "agree"
        )
    if (turned := np.argwhere(last < first)).size:
        row, place = turned[0]
        raise InputError(
            f"mask_ends[{row}, {place}] is {last[row, place]}, which is before "
            f"mask_indices[{row}, {place}], {first[row, place]}"
        )
    return with_detections(inputs, first, last, config)


def check_real(inputs: Inputs, counted: np.ndarray | None = None) -> None:
    """No detection is on padding of its text; with `counted` [batch, detections], none of
    those."""
    on_pad = ~inputs.real.ravel()[inputs.spans].all(-1)
    if counted is not None:
        on_pad &= counted
    if on_pad.any():
        row, place = np.argwhere(on_pad)[0]
        raise InputError(
            f"detection {place} of text {row} is on padding; only one whose label is ignored "
            "may be there"
        )


def _check_places(name: str, given: Any, inputs: Inputs) -> np.ndarray:
    places = whole_numbers(name, given)
    batch, tokens = inputs.input_ids.shape
    if places.ndim != 2 or len(places) != batch:
        raise InputError(
            f"{name} has shape {places.shape}; it must be [{batch}, detections], a row for "
            "each text"
        )
    outside = np.argwhere((places < 0) | (places >= tokens))
    if outside.size:
        row, place = outside[0]
        raise InputError(
            f"{name}[{row}, {place}] is {places[row, place]}; the texts have tokens 0 to "
            f"{tokens - 1} here. Padded entries must lie in them too"
        )
    return places
