"""Bugs of the character encoder: where texts are shortened, restored and pooled."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.parity.faults.fault import Code, Fault, Patch
from reference.parity.faults.seeding import edited, with_settings

MODEL = "CharEncoderModel"
# Two tables that share nothing, so that their order and their hashes show.
HASHED = {"num_hashes": 2, "num_hash_buckets": 50}


def _along(code: Code, axis: int) -> dict[str, int]:
    """The name of an argument."""
    return {"dim" if code.backend == "torch" else "axis": axis}


def _together(code: Code, parts: list[Any], axis: int) -> Any:
    return (code.framework.cat if code.backend == "torch" else code.framework.concatenate)(
        parts, **_along(code, axis)
    )


def _pads_beat_negatives(code: Code) -> list[Patch]:
    """Multiplied by the mask, a pad is zero, and more than any number below zero."""

    def max_pooling(hidden: Any, mask: Any) -> Any:
        hidden = code.char_encoder.masked(hidden, mask)
        return hidden.amax(1) if code.backend == "torch" else hidden.max(1)

    return [(code.char_encoder, "max_pooling", max_pooling)]


def _length_plus_remainder(code: Code) -> list[Patch]:
    """A convolution leaves out what no longer fills a window, and the last characters come back
    as zeros."""
    room = code.char_encoder
    strided, merge = room.StridedConvolution, room.CharEncoderMerge
    convolve, project = (getattr(kind, code.call) for kind in (strided, merge))
    masked = room.masked

    def whole_windows(self: Any, x: Any) -> Any:
        stride = self.weight.shape[2]
        return convolve(self, x[:, : x.shape[1] // stride * stride])

    def filled_up(self: Any, hidden: Any, restored: Any) -> Any:
        more = hidden.shape[1] - restored.shape[1]
        zeros = restored[:, :1] * 0
        return project(self, hidden, _together(code, [restored, *[zeros] * more], 1))

    return [
        (room, "missing", lambda tokens, factor: tokens % factor),
        (room, "masked", lambda x, mask: masked(x, mask[:, : x.shape[1]])),
        (strided, code.call, whole_windows),
        (merge, code.call, filled_up),
    ]


def _rounded_down(code: Code) -> list[Patch]:
    room = code.char_encoder

    def shortened(mask: Any, stride: int) -> Any:
        lengths = mask.sum(1) // stride
        lengths = lengths + (lengths == 0)  # a text that is shorter than a stride
        return room.length_mask(lengths, mask.shape[1] // stride)

    return [(room, "shortened", shortened)]


def _pads_convolved(code: Code) -> list[Patch]:
    return [(code.char_encoder, "masked", lambda x, mask: x)]


def _pads_attended(code: Code) -> list[Patch]:
    """The short text has a mask of its own, and it is forgotten."""
    room, plain = code.char_encoder, code.char_encoder.attend_to

    def attend_to(inputs: Any, window: Any = None, **options: Any) -> Any:
        return plain(type(inputs)(inputs.input_ids), window, **options)

    return [(room, "attend_to", attend_to)]


def _strides_from_the_edge(code: Code) -> list[Patch]:
    """Of a padded batch the rows as they are, pads before a text and all."""
    room, plain = code.char_encoder, code.char_encoder.Aligned.of

    class InPlace:
        def __init__(self, inputs: Any) -> None:
            self.input_ids = inputs.input_ids
            mask = inputs.attention_mask
            ones = code.framework.ones_like(self.input_ids)
            self.attention_mask = ones if mask is None else mask

        def back(self, hidden: Any) -> Any:
            return hidden

    def of(inputs: Any) -> Any:
        return plain(inputs) if inputs.cu_seqlens is not None else InPlace(inputs)

    return [(room.Aligned, "of", staticmethod(of))]


def _neighbours_interleaved(code: Code) -> list[Patch]:
    """The weight flattened as it is stored, features before positions."""

    def convolution(self: Any, x: Any) -> Any:
        batch, stride = x.shape[0], self.weight.shape[2]
        together = x.reshape(batch, -1, stride * x.shape[2])
        weight = self.weight.reshape(self.weight.shape[0], -1)
        return together @ weight.T + self.bias

    return [(code.char_encoder.StridedConvolution, code.call, convolution)]


def _windows_one_off(code: Code) -> list[Patch]:
    """Of an even window the one more position before, where it is behind."""

    def windows(x: Any, width: int) -> Any:
        zeros = x[:, :1] * 0
        before = width // 2
        padded = _together(code, [zeros] * before + [x] + [zeros] * (width - 1 - before), 1)
        shifted = [padded[:, start : start + x.shape[1]] for start in range(width)]
        return _together(code, shifted, -1)

    return [(code.convolution, "windows", windows)]


def _flipped(weight: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(weight[..., ::-1])


def _hashes_without_one(code: Code) -> list[Patch]:
    room, plain = code.char_encoder, getattr(code.char_encoder.HashEmbeddings, code.call)
    return [(room.HashEmbeddings, code.call, lambda self, ids: plain(self, ids - 1))]


def _same_hash(code: Code) -> list[Patch]:
    return [(code.char_encoder, "PRIMES", (31,) * 8)]


FAULTS = (
    Fault(
        "pads_beat_negatives",
        "the maximum of vectors times the mask: a pad's zero beats what is negative everywhere",
        MODEL,
        departs=r"^pooler_output; the hidden states agree",
        patch=_pads_beat_negatives,
    ),
    Fault(
        "length_plus_remainder",
        "len % factor pads, where -len % factor fill the last window: a text loses its end",
        MODEL,
        departs=r"^layer 0, towers\.\d\.",
        patch=_length_plus_remainder,
    ),
    Fault(
        "short_length_rounded_down",
        "a shortened text's length rounded down: nothing attends to its last characters",
        MODEL,
        departs=r"^layer 0, towers\.0\.",
        patch=_rounded_down,
    ),
    Fault(
        "pads_convolved",
        "pads left as they come, whose bias goes into the last window of a text",
        MODEL,
        departs=r"^embeddings\.convolution \(",
        patch=_pads_convolved,
    ),
    Fault(
        "pads_attended",
        "no mask for the shortened text: it attends to windows of pads",
        MODEL,
        departs=r"^layer 0, towers\.0\.layers\.0\.attention\.output\.input \(",
        patch=_pads_attended,
    ),
    Fault(
        "strides_from_the_edge",
        "windows counted from the left edge of the batch, wherever a text begins",
        MODEL,
        departs=r"^layer 0, towers\.0\.down",
        patch=_strides_from_the_edge,
    ),
    Fault(
        "neighbours_interleaved",
        "a strided convolution's weight flattened features first, its input positions first",
        MODEL,
        departs=r"^layer 0, towers\.0\.down\.0\.convolution \(",
        patch=_neighbours_interleaved,
    ),
    Fault(
        "windows_one_off",
        "the odd position of an even window before the others, where PyTorch has it behind",
        MODEL,
        settings={"kernel_size": 4},
        departs=r"^embeddings\.convolution \(",
        patch=_windows_one_off,
    ),
    Fault(
        "transposed_backwards",
        "a transposed convolution that writes its positions in reverse",
        MODEL,
        departs=r"^layer 0, towers\.0\.up\.0\.convolution \(",
        alter=edited((r"towers\.0\.up\.\d\.convolution\.weight$", _flipped)),
    ),
    Fault(
        "hashes_without_one",
        "id · prime for a hash, where it is (id + 1) · prime: id 0 is row 0 in every table",
        MODEL,
        settings=HASHED,
        departs=r"^embeddings\.characters \(",
        patch=_hashes_without_one,
    ),
    Fault(
        "one_hash_for_all",
        "one prime for all tables, where each has its own",
        MODEL,
        settings=HASHED,
        departs=r"^embeddings\.characters \(",
        patch=_same_hash,
    ),
    Fault(
        "char_encoder_base_ignored",
        "RoPE's usual base 10,000, whatever rope_theta says",
        MODEL,
        settings={"rope_theta": 100.0},
        departs=r"^layer 0, towers\.0\.layers\.0\.attention\.output\.input \(",
        alter=with_settings(rope_theta=10_000.0),
    ),
)
