"""Whether a detection model on some encoder computes what it says, by values."""

from __future__ import annotations

import os
import tempfile
from typing import Any

import torch
from torch import Tensor

from reference.errors import EncodersError
from reference.masking import IGNORED
from reference.torch.masked_sequence.model import AutoModelForMaskedSeqModeling


class SelfTestError(EncodersError):
    """A model does not compute what it should."""


def run_self_test(
    base: str | os.PathLike[str],
    trust_remote_code: bool = False,
    task: str = "multilabel",
    num_labels: int = 3,
    **options: Any,
) -> dict[str, float]:
    """Put a head on that encoder and check it; what was measured comes back, and an error says
    what is wrong.

    Logits are those of the encoder's own hidden states under the head's own layers; the loss is
    that of a sum written out; ignored detections move neither loss nor gradient; all ignored,
    both are zero; two halves of a batch are the batch; and what is saved is what is loaded.
    """
    model = AutoModelForMaskedSeqModeling.from_pretrained(
        base, num_labels, task, trust_remote_code, **options
    )
    inputs, labels = _example(model)
    found = model(**inputs, labels=labels)
    measured = {
        "logits": _apart(found.logits, _logits(model, inputs)),
        "loss": _apart(found.loss, _loss(model, found.logits, labels)),
        "ignored": _of_ignored(model, inputs, labels),
        "accumulated": _of_halves(model, inputs, labels, found.loss),
        "saved": _of_saved(model, inputs, found.logits, trust_remote_code),
    }
    bound = 1e3 * torch.finfo(found.logits.dtype).eps
    for name, error in measured.items():
        if not error <= bound:
            raise SelfTestError(f"{base!s:.200}: {name} is off by {error:.2g} of {bound:.2g}")
    return measured


def _example(model: AutoModelForMaskedSeqModeling) -> tuple[dict[str, Tensor], Tensor]:
    """Two texts of other lengths, the second with fewer detections."""
    generator = torch.Generator().manual_seed(0)
    pad = getattr(model.config.base_config, "pad_token_id", None) or 0
    words = torch.arange(model.config.vocab_size)
    words = words[words != pad]
    chosen = torch.randint(len(words), (2, 12), generator=generator)
    ids = words[chosen]
    mask = torch.ones_like(ids)
    ids[1, 8:], mask[1, 8:] = pad, 0
    inputs = {
        "input_ids": ids,
        "attention_mask": mask,
        "mask_indices": torch.tensor([[1, 4, 11], [2, 7, 0]]),
    }
    size = model.config.num_labels
    if model.config.task == "multiclass":
        labels = torch.randint(size, (2, 3), generator=generator)
        labels[1, 2] = IGNORED
    else:
        labels = torch.randint(2, (2, 3, size), generator=generator).float()
        labels[1, 2] = IGNORED
    return inputs, labels


def _logits(model: AutoModelForMaskedSeqModeling, inputs: dict[str, Tensor]) -> Tensor:
    """From what the encoder gives a caller, one detection after another."""
    hidden = model.get_base_model()(
        inputs["input_ids"], attention_mask=inputs["attention_mask"]
    ).last_hidden_state
    head = model.detection_head
    rows = []
    for text, places in zip(hidden, inputs["mask_indices"], strict=True):
        for place in places:
            wide = head.dense.weight @ text[place] + head.dense.bias
            active = wide * (1 + torch.erf(wide / 2**0.5)) / 2
            centred = active - active.mean()
            normed = centred / (centred.square().mean() + head.norm.eps).sqrt()
            normed = normed * head.norm.weight + head.norm.bias
            rows.append(head.classifier.weight @ normed + head.classifier.bias)
    return torch.stack(rows).reshape(*inputs["mask_indices"].shape, -1)


def _loss(model: AutoModelForMaskedSeqModeling, logits: Tensor, labels: Tensor) -> Tensor:
    """Number by number."""
    losses = []
    shares = model.predict_proba(logits)
    for place in torch.cartesian_prod(*map(torch.arange, labels.shape[:2])).tolist():
        row, answer = shares[tuple(place)], labels[tuple(place)]
        if model.config.task == "multiclass":
            losses += [] if answer == IGNORED else [-row[answer].log()]
        elif answer[0] != IGNORED:
            right = torch.where(answer == 1, row, 1 - row)
            losses += list(-right.log())
    return torch.stack(losses).mean()


def _of_ignored(
    model: AutoModelForMaskedSeqModeling, inputs: dict[str, Tensor], labels: Tensor
) -> float:
    """The gradient where nothing counts, which must be there and zero."""
    model.zero_grad()
    loss = model(**inputs, labels=torch.full_like(labels, IGNORED)).loss
    loss.backward()
    reached = [p.grad.abs().max() for p in model.parameters() if p.grad is not None]
    model.zero_grad()
    return float(max([loss.detach().abs(), *reached]))


def _of_halves(
    model: AutoModelForMaskedSeqModeling,
    inputs: dict[str, Tensor],
    labels: Tensor,
    whole: Tensor,
) -> float:
    items = (labels != IGNORED).sum()
    parts = [
        model(
            **{name: array[row : row + 1] for name, array in inputs.items()},
            labels=labels[row : row + 1],
            num_items_in_batch=items,
        ).loss
        for row in range(len(labels))
    ]
    return _apart(sum(parts), whole)


def _of_saved(
    model: AutoModelForMaskedSeqModeling,
    inputs: dict[str, Tensor],
    logits: Tensor,
    trust: bool,
) -> float:
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        again = type(model).from_pretrained(folder, trust_remote_code=trust)
        return _apart(again(**inputs).logits, logits)


def _apart(found: Tensor, truth: Tensor) -> float:
    """The largest difference, of the largest number."""
    return float((found - truth).detach().abs().max() / truth.detach().abs().max())
