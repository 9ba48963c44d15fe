"""Logistic regression over bags of features: what a classifier is held against that knows which
words there are, and no order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F


@dataclass(frozen=True)
class Bags:
    """The features of many things, one after another: the weight of each, and where those of
    the next thing begin."""

    features: np.ndarray  # [features of all]
    weights: np.ndarray  # the same
    starts: np.ndarray  # [things]

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        return (
            torch.from_numpy(self.features.astype(np.int64)),
            torch.from_numpy(self.starts.astype(np.int64)),
            torch.from_numpy(self.weights.astype(np.float32)),
        )


class Logistic:
    """One weight for every feature and label. `ridge` times the sum of their squares is added
    to the sum of the losses; scikit-learn calls it 1 / (2 C)."""

    def __init__(self, features: int, labels: int, ridge: float) -> None:
        self.weight = torch.zeros(features, labels)
        self.bias = torch.zeros(labels)
        self.ridge = ridge

    def fit(self, bags: Bags, labels: Sequence[int], steps: int = 100) -> Logistic:
        """The loss is convex: L-BFGS finds the one minimum, from zero and with no chance."""
        packed, targets = bags.tensors, torch.as_tensor(labels)
        parameters = [self.weight.requires_grad_(), self.bias.requires_grad_()]
        optimizer = torch.optim.LBFGS(
            parameters, max_iter=steps, line_search_fn="strong_wolfe", tolerance_change=1e-7
        )

        def loss() -> torch.Tensor:
            optimizer.zero_grad()
            found = F.cross_entropy(self._logits(packed), targets)
            found = found + self.ridge * self.weight.square().sum() / len(targets)
            found.backward()
            return found

        optimizer.step(loss)
        return self

    @torch.no_grad()
    def predict(self, bags: Bags) -> np.ndarray:
        """The likeliest label of each bag."""
        return self._logits(bags.tensors).argmax(dim=1).numpy()

    @torch.no_grad()
    def probabilities(self, bags: Bags) -> np.ndarray:
        """Those of every label, for each bag."""
        return self._logits(bags.tensors).double().softmax(dim=1).numpy()

    def _logits(self, packed: tuple[torch.Tensor, ...]) -> torch.Tensor:
        features, offsets, weights = packed
        return self.bias + F.embedding_bag(
            features, self.weight, offsets, mode="sum", per_sample_weights=weights
        )
