"""Detections of several texts as one batch, for Trainer or any other loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from reference.errors import InputError
from reference.masking import IGNORED


@dataclass(frozen=True)
class DetectionCollator:
    """Examples with input_ids, mask_indices and labels, and mask_ends where detections have
    several tokens: each text is padded to the longest, and its detections to the most that a
    text has. A detection that was filled in is at the first token of its text, and all of its
    channels are -100, so that whoever counts labels counts it nowhere."""

    tokenizer: Any

    def __call__(self, examples: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        if not examples:
            raise InputError("there are no examples to put together")
        beside = ("mask_indices", "mask_ends", "labels")
        self._check(examples)
        texts = [
            {key: value for key, value in one.items() if key not in beside} for one in examples
        ]
        batch = dict(self.tokenizer.pad(texts, return_tensors="pt"))
        most = max(len(one["mask_indices"]) for one in examples)
        first = batch["attention_mask"].long().argmax(1).tolist()
        # On the left, pads come before the tokens that places were counted from.
        left = getattr(self.tokenizer, "padding_side", "right") == "left"
        shift = first if left else [0] * len(examples)
        for key in beside[:2]:
            if key in examples[0]:
                batch[key] = torch.tensor(
                    [
                        [int(place) + more for place in one[key]]
                        + [start] * (most - len(one[key]))
                        for one, start, more in zip(examples, first, shift, strict=True)
                    ],
                    dtype=torch.int64,
                ).reshape(len(examples), most)
        if "labels" in examples[0]:
            batch["labels"] = self._labels([one["labels"] for one in examples], most)
        return batch

    @staticmethod
    def _check(examples: Sequence[Mapping[str, Any]]) -> None:
        """All have the same keys, and each of its detections its end and its label."""
        for number, one in enumerate(examples):
            if "mask_indices" not in one:
                raise InputError(f"example {number} has no mask_indices: where to look")
            for key in ("mask_ends", "labels"):
                if (key in one) != (key in examples[0]):
                    there, without = (number, 0) if key in one else (0, number)
                    raise InputError(
                        f"example {there} has {key}, and example {without} has none"
                    )
                if key in one and len(one[key]) != len(one["mask_indices"]):
                    raise InputError(
                        f"example {number} has {len(one['mask_indices'])} mask_indices and "
                        f"{len(one[key])} {key}; a detection has one of each"
                    )

    @staticmethod
    def _labels(rows: Sequence[Any], most: int) -> Tensor:
        tensors = [torch.as_tensor(row) for row in rows]
        sized = next((tensor for tensor in tensors if len(tensor)), tensors[0])
        filled = sized.new_full((len(rows), most, *sized.shape[1:]), IGNORED)
        for row, tensor in enumerate(tensors):
            if len(tensor):
                filled[row, : len(tensor)] = tensor
        if filled.dim() == 3:
            filled[filled[..., 0] == IGNORED] = IGNORED
        return filled
