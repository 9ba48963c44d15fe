"""What may go into a model: checked once, here, so that the three ports behave alike on bad
input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from reference.errors import InputError, shortened, shown

if TYPE_CHECKING:
    from reference.families.config import EncoderConfig


@dataclass(frozen=True)
class Inputs:
    """One batch for a model: padded, with a mask, or packed, with cumulative lengths.

    NumPy arrays outside of a port, and the framework's own inside.
    """

    # Padded [batch, tokens], of several choices [batch, choices, tokens]; packed [tokens].
    input_ids: Any
    # In the shape of padded ids: 1 for a real token, 0 for padding. None: all are real.
    attention_mask: Any = None
    # In the shape of the ids. None: all are 0.
    token_type_ids: Any = None
    # Of a packed row, [texts + 1]: the cumulative lengths 0, n1, n1 + n2, ... of its texts.
    cu_seqlens: Any = None
    # Of a packed row, the tokens for which a head's scores are wanted, where it scores each by
    # itself. None: all.
    places: Any = None
    # Where there are places, and a head that chooses among many answers: [candidates], those
    # that it scores; and [places, candidates], what is added to the scores. None: all answers,
    # and nothing.
    candidates: Any = None
    offsets: Any = None
    # Of a head at chosen positions, [..., detections, widest]: the places among all tokens of
    # the batch, one text after another, whose vectors a detection's is made of; and the share
    # that each has in it.
    spans: Any = None
    shares: Any = None

    def map(self, change: Callable[[Any], Any]) -> Inputs:
        """The same batch with every array changed that there is."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        return Inputs(
            **{n: None if array is None else change(array) for n, array in arrays.items()}
        )

    @property
    def real(self) -> np.ndarray:
        """Which tokens of a padded batch are no padding."""
        if self.attention_mask is None:
            return np.ones(self.input_ids.shape, bool)
        return self.attention_mask != 0

    @property
    def longest(self) -> int:
        """How many tokens the longest text has, in a padded batch with its padding."""
        if self.cu_seqlens is None:
            return self.input_ids.shape[-1]
        return int((self.cu_seqlens[1:] - self.cu_seqlens[:-1]).max())

    @property
    def texts(self) -> Inputs:
        """A padded batch with the choices of all questions one below the other."""
        arrays = Inputs(self.input_ids, self.attention_mask, self.token_type_ids)
        return arrays.map(lambda array: array.reshape(-1, array.shape[-1]))

    def in_order(self, rows: np.ndarray) -> Inputs:
        """A padded batch with its rows in that order."""
        found = self.map(lambda array: array[rows])
        if self.spans is None:
            return found
        moved = (np.arange(len(rows)) - rows) * self.input_ids.shape[-1]
        return replace(found, spans=found.spans + moved[:, None, None])


def check_padded(
    config: EncoderConfig,
    input_ids: Any,
    attention_mask: Any = None,
    token_type_ids: Any = None,
) -> Inputs:
    """Ids [batch, tokens], and mask and token types of the same shape or None; int64 arrays
    come back."""
    ids = whole_numbers("input_ids", input_ids)
    if ids.ndim != 2:
        raise InputError(f"input_ids has shape {ids.shape}; it must be [batch, tokens]")
    if 0 in ids.shape:
        raise InputError(
            f"input_ids has shape {ids.shape}; a batch holds at least one text of at least one "
            "token"
        )
    _check_range("input_ids", ids, config.vocab_size, "vocab_size")
    _check_length(ids.shape[1], config)

    mask = None
    if attention_mask is not None:
        mask = _zeros_and_ones("attention_mask", attention_mask)
        _check_same_shape("attention_mask", mask, ids)
        empty = np.flatnonzero(~mask.any(axis=1))
        if empty.size:
            raise InputError(
                f"attention_mask hides every token of row {empty[0]}; a text has at least one "
                "real token"
            )
    return Inputs(ids, mask, _token_types(config, token_type_ids, ids))


def check_choices(
    config: EncoderConfig,
    input_ids: Any,
    attention_mask: Any = None,
    token_type_ids: Any = None,
) -> Inputs:
    """Ids [batch, choices, tokens], and mask and token types of the same shape or None; int64
    arrays come back."""
    ids = whole_numbers("input_ids", input_ids)
    if ids.ndim != 3 or 0 in ids.shape:
        raise InputError(
            f"input_ids has shape {ids.shape}; it must be [batch, choices, tokens], none of "
            "them 0"
        )
    beside = {"attention_mask": attention_mask, "token_type_ids": token_type_ids}
    arrays = [
        None if values is None else _array(name, values, "biuf", "numbers")
        for name, values in beside.items()
    ]
    for name, array in zip(beside, arrays, strict=True):
        if array is not None:
            _check_same_shape(name, array, ids)
    mask = arrays[0]
    if mask is not None and (hidden := np.argwhere(~(mask != 0).any(axis=2))).size:
        question, choice = hidden[0]
        raise InputError(
            f"attention_mask hides every token of choice {choice} of question {question}; a "
            "text has at least one real token"
        )
    texts = Inputs(ids, *arrays).texts
    rows = check_padded(config, texts.input_ids, texts.attention_mask, texts.token_type_ids)
    return rows.map(lambda array: array.reshape(ids.shape))


def check_packed(
    config: EncoderConfig, input_ids: Any, cu_seqlens: Any, token_type_ids: Any = None
) -> Inputs:
    """Ids [tokens] and the cumulative lengths 0, n1, n1 + n2, ... of the texts in the row."""
    ids = whole_numbers("input_ids", input_ids)
    if ids.ndim != 1 or ids.size == 0:
        raise InputError(
            f"input_ids has shape {ids.shape}; packed ids stand in one row, [tokens], at least "
            "one of them"
        )
    _check_range("input_ids", ids, config.vocab_size, "vocab_size")

    bounds = whole_numbers("cu_seqlens", cu_seqlens)
    if bounds.ndim != 1 or bounds.size < 2 or bounds[0] != 0 or bounds[-1] != ids.size:
        raise InputError(
            f"cu_seqlens must run from 0 to the number of tokens, {ids.size}; it is "
            f"{_shown(bounds)}"
        )
    stays = np.flatnonzero(bounds[1:] <= bounds[:-1])  # a difference could overflow
    if stays.size:
        raise InputError(
            f"cu_seqlens must rise at every step; it does not after text {stays[0]}"
        )
    _check_length(int(np.diff(bounds).max()), config)
    return Inputs(ids, None, _token_types(config, token_type_ids, ids), bounds)


def pad(
    sequences: Sequence[Sequence[int]], pad_token_id: int, side: str = "right"
) -> tuple[np.ndarray, np.ndarray]:
    """Lay sequences of ids out as a rectangle with its attention mask."""
    if side not in ("left", "right"):
        raise InputError(
            f"side {shown(side)} is unknown; padding goes to the left or to the right"
        )
    longest = max((len(sequence) for sequence in sequences), default=0)
    input_ids = np.full((len(sequences), longest), pad_token_id, np.int64)
    attention_mask = np.zeros_like(input_ids)
    for row, sequence in enumerate(sequences):
        place = (
            slice(longest - len(sequence), longest) if side == "left" else slice(len(sequence))
        )
        input_ids[row, place] = sequence
        attention_mask[row, place] = 1
    return input_ids, attention_mask


def pack(sequences: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Lay sequences of ids out in one row, with their cumulative lengths."""
    if len(sequences) == 0:
        raise InputError("there is nothing to pack: a row holds at least one sequence")
    cu_seqlens = np.cumsum([0, *map(len, sequences)], dtype=np.int64)
    return np.concatenate(
        [np.asarray(sequence, np.int64) for sequence in sequences]
    ), cu_seqlens


def whole_numbers(name: str, values: Any) -> np.ndarray:
    array = _array(name, values, "iu", "whole numbers")
    if array.dtype == np.uint64 and (array > np.iinfo(np.int64).max).any():
        raise InputError(
            f"{name} holds {array.max()}; it must hold whole numbers of at most 64 bits with "
            "sign"
        )
    return array.astype(np.int64, order="C")


def _zeros_and_ones(name: str, values: Any) -> np.ndarray:
    array = _array(name, values, "biuf", "zeros and ones")
    if not np.isin(array, (0, 1)).all():
        odd = array[~np.isin(array, (0, 1))].flat[0]
        raise InputError(
            f"{name} holds {odd}; 1 marks a real token and 0 padding, and nothing else is meant"
        )
    return array.astype(np.int64, order="C")


def _array(name: str, values: Any, kinds: str, meant: str) -> np.ndarray:
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as problem:
        raise InputError(f"{name} is ragged or no array: {shortened(problem)}") from None
    if (
        array.dtype == object
    ):  # what NumPy makes of None, of integers beyond 64 bits and of anything else
        odd = next(
            (item for item in array.flat if not isinstance(item, int) or abs(item) >= 2**63),
            None,
        )
        raise InputError(
            f"{name} holds {type(odd).__name__} {shown(odd, 40)}; it must hold {meant}, none "
            "beyond 64 bits"
        )
    if array.dtype.kind not in (kinds if array.size else "biuf"):  # an empty list is of floats
        raise InputError(f"{name} holds {array.dtype}; it must hold {meant}")
    return array


def _token_types(
    config: EncoderConfig, token_type_ids: Any, ids: np.ndarray
) -> np.ndarray | None:
    if token_type_ids is None:
        return None
    types = whole_numbers("token_type_ids", token_type_ids)
    _check_same_shape("token_type_ids", types, ids)
    _check_range("token_type_ids", types, config.type_vocab_size, "type_vocab_size")
    return types if config.has_token_types else None


def _check_same_shape(name: str, array: np.ndarray, ids: np.ndarray) -> None:
    if array.shape != ids.shape:
        raise InputError(
            f"{name} has shape {array.shape}; input_ids has {ids.shape}, and they must agree"
        )


def _check_range(name: str, ids: np.ndarray, size: int, key: str) -> None:
    outside = (ids < 0) | (ids >= size)
    if outside.any():
        place = tuple(int(index) for index in np.argwhere(outside)[0])
        raise InputError(
            f"{name}{list(place)} is {ids[place]}; ids lie from 0 to {size - 1} ({key} is "
            f"{size})"
        )


def _check_length(length: int, config: EncoderConfig) -> None:
    if length > config.max_tokens:
        raise InputError(
            f"a text of {length} tokens is longer than the model's {config.max_tokens}; "
            "truncate it (encode does) or split it"
        )


def _shown(values: np.ndarray) -> str:
    return np.array2string(values, threshold=8)
