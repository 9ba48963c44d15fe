"""Training in PyTorch: gradients that are added up, clipped, and one step of AdamW."""

import math
from collections.abc import Collection, Mapping

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from reference import ranks
from reference.dropout import Dropout, training_pass
from reference.inputs import Inputs
from reference.learning import AdamW, Way, clipping
from reference.torch.port import TorchModel, to_numpy

# So many numbers at a time go through all of a step, while they are in the processor's cache.
CHUNK = 1 << 18


@torch.no_grad()
def adamw(
    parameter: Float[Tensor, "..."],
    gradient: Float[Tensor, "..."],
    first: Float[Tensor, "..."],
    second: Float[Tensor, "..."],
    learning_rate: float,
    step: int,
    settings: AdamW,
) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."], Float[Tensor, "..."]]:
    """The parameter and both moments after one step, in the memory that they had before."""
    (beta1, beta2), decay = settings.betas, settings.decay(parameter.shape)
    first_correction, second_correction = settings.corrections(step)
    flat = (x.view(-1).split(CHUNK) for x in (parameter, gradient, first, second))
    for p, g, m, v in zip(*flat, strict=True):
        # (1) decay shrinks the parameter, whatever its gradient is
        p.mul_(1 - learning_rate * decay)
        # (2) running means of the gradient and of its square
        m.lerp_(g, 1 - beta1)
        v.mul_(beta2).addcmul_(g, g, value=1 - beta2)
        # (3) one over the root of the other, corrected for their start
        size = v.sqrt().div_(second_correction).add_(settings.epsilon)
        p.addcdiv_(m, size, value=-learning_rate / first_correction)
    return parameter, first, second


def gradient_norm(gradients: Collection[Float[Tensor, "..."]]) -> float:
    """The length of all gradients taken together."""
    return math.hypot(*(torch.linalg.vector_norm(gradient).item() for gradient in gradients))


class Learner:
    """A model that learns, behind the protocol of reference/backend.py."""

    def __init__(
        self, model: TorchModel, settings: AdamW, frozen: Collection[str] = ()
    ) -> None:
        self.model = model
        self.settings = settings
        self.steps = 0
        # In an order that does not depend on where they come from: a norm is rounded by it.
        self.parameters = {
            key: model.network.get_parameter(key).requires_grad_(key not in frozen)
            for key in sorted(model.keys)
        }
        # Of the parameters that a gradient has reached.
        self.first: dict[str, Tensor] = {}
        self.second: dict[str, Tensor] = {}

    def learn(
        self,
        inputs: Inputs,
        labels: np.ndarray,
        weight: float = 1.0,
        dropout: Dropout | None = None,
        class_weights: np.ndarray | None = None,
    ) -> float:
        with training_pass(dropout, inputs):
            loss = self.model.loss(inputs, labels, class_weights)
        (loss if weight == 1.0 else loss * weight).backward()
        return loss.item()

    @torch.no_grad()
    def vectors(self, inputs: Inputs, way: Way, dropout: Dropout | None = None) -> np.ndarray:
        with training_pass(dropout, inputs):
            return to_numpy(self.model.vectors(inputs, way.pooling, way.normalize, way.skip))

    def follow(
        self, inputs: Inputs, way: Way, gradient: np.ndarray, dropout: Dropout | None = None
    ) -> None:
        with training_pass(dropout, inputs):
            vectors = self.model.vectors(inputs, way.pooling, way.normalize, way.skip)
        vectors.backward(torch.from_numpy(gradient).to(vectors))

    def add(self, key: str, gradient: np.ndarray) -> None:
        parameter = self.parameters[key]
        if not parameter.requires_grad:
            return
        gradient = torch.from_numpy(gradient).to(parameter)
        parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient

    def step(self, learning_rate: float, max_norm: float | None = None) -> float:
        if ranks.world() > 1:
            from reference.torch.ranks import add_up

            add_up(self.parameters)
        gradients = {key: p.grad for key, p in self.parameters.items() if p.grad is not None}
        norm = gradient_norm(gradients.values())
        scale = clipping(norm, max_norm)
        self.steps += 1
        for key, gradient in gradients.items():
            gradient = gradient.contiguous()
            if key not in self.first:
                if not gradient.any():
                    continue
                self.first[key] = torch.zeros_like(gradient)
                self.second[key] = torch.zeros_like(gradient)
            if scale < 1:
                gradient.mul_(scale)
            adamw(
                self.parameters[key].data,
                gradient,
                self.first[key],
                self.second[key],
                learning_rate,
                self.steps,
                self.settings,
            )
        self.forget()
        return norm

    def forget(self) -> None:
        for parameter in self.parameters.values():
            parameter.grad = None

    def moments(self) -> dict[str, np.ndarray]:
        kinds = {"first": self.first, "second": self.second}
        return {
            f"{kind}.{key}": to_numpy(moment)
            for kind, moments in kinds.items()
            for key, moment in moments.items()
        }

    def resume(self, steps: int, moments: Mapping[str, np.ndarray]) -> None:
        self.steps = steps
        for name, array in moments.items():
            kind, _, key = name.partition(".")
            getattr(self, kind)[key] = torch.tensor(array).to(self.parameters[key])
