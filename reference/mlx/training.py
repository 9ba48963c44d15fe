"""Training in MLX: gradients that are added up, clipped, and one step of AdamW."""

import math
from collections.abc import Collection, Mapping

import mlx.core as mx
import numpy as np
from jaxtyping import Float

from reference.dropout import Dropout, training_pass
from reference.inputs import Inputs
from reference.learning import AdamW, Way, clipping
from reference.mlx.port import MLXModel, to_mlx, to_numpy


def adamw(
    parameter: Float[mx.array, "..."],
    gradient: Float[mx.array, "..."],
    first: Float[mx.array, "..."],
    second: Float[mx.array, "..."],
    learning_rate: float,
    step: int,
    settings: AdamW,
) -> tuple[Float[mx.array, "..."], Float[mx.array, "..."], Float[mx.array, "..."]]:
    """The parameter and both moments after one step.

    Not mlx.optimizers.AdamW: it corrects for nothing unless it is told to, and then takes the
    powers in float32.
    """
    (beta1, beta2), decay = settings.betas, settings.decay(parameter.shape)
    first_correction, second_correction = settings.corrections(step)
    # (1) decay shrinks the parameter, whatever its gradient is
    parameter = parameter * (1 - learning_rate * decay)
    # (2) running means of the gradient and of its square
    first = first + (1 - beta1) * (gradient - first)
    second = beta2 * second + (1 - beta2) * (gradient * gradient)
    # (3) one over the root of the other, corrected for their start
    size = mx.sqrt(second) / second_correction + settings.epsilon
    return parameter - learning_rate / first_correction * (first / size), first, second


def gradient_norm(gradients: Collection[Float[mx.array, "..."]]) -> float:
    """The length of all gradients taken together."""
    squares = [mx.sum(gradient * gradient) for gradient in gradients]
    mx.eval(squares)
    return math.sqrt(math.fsum(square.item() for square in squares))


class Learner:
    """A model that learns, behind the protocol of reference/backend.py."""

    def __init__(self, model: MLXModel, settings: AdamW, frozen: Collection[str] = ()) -> None:
        self.model = model
        self.settings = settings
        self.frozen = frozenset(frozen)
        self.steps = 0
        self.gradients: dict[str, mx.array] = {}
        # Of the parameters that a gradient has reached.
        self.first: dict[str, mx.array] = {}
        self.second: dict[str, mx.array] = {}

    def learn(
        self,
        inputs: Inputs,
        labels: np.ndarray,
        weight: float = 1.0,
        dropout: Dropout | None = None,
        class_weights: np.ndarray | None = None,
    ) -> float:
        with mx.stream(self.model.device), training_pass(dropout, inputs):
            loss, gradients = self.model.value_and_grad(inputs, labels, class_weights)
            if weight != 1.0:
                gradients = {key: array * weight for key, array in gradients.items()}
            self.gradients = _added(self.gradients, gradients, self.frozen)
            return loss.item()

    def vectors(self, inputs: Inputs, way: Way, dropout: Dropout | None = None) -> np.ndarray:
        with mx.stream(self.model.device), training_pass(dropout, inputs):
            options = (way.pooling, way.normalize, way.skip)
            return to_numpy(self.model.vectors(inputs.map(to_mlx), *options))

    def follow(
        self, inputs: Inputs, way: Way, gradient: np.ndarray, dropout: Dropout | None = None
    ) -> None:
        with mx.stream(self.model.device), training_pass(dropout, inputs):
            options = (way.pooling, way.normalize, way.skip)
            gradients = self.model.follow(inputs, *options, gradient)
            self.gradients = _added(self.gradients, gradients, self.frozen)

    def add(self, key: str, gradient: np.ndarray) -> None:
        with mx.stream(self.model.device):
            parameter = self.model.parameters()[key]
            one = {key: mx.array(gradient, dtype=parameter.dtype)}
            self.gradients = _added(self.gradients, one, self.frozen)

    def step(self, learning_rate: float, max_norm: float | None = None) -> float:
        with mx.stream(self.model.device):
            norm = gradient_norm(self.gradients.values())
            scale = clipping(norm, max_norm)
            self.steps += 1
            parameters = self.model.parameters()
            changed = {}
            for key, gradient in self.gradients.items():
                if key not in self.first:
                    if not mx.any(gradient != 0).item():
                        continue
                    self.first[key] = self.second[key] = mx.zeros_like(gradient)
                changed[key], self.first[key], self.second[key] = adamw(
                    parameters[key],
                    gradient if scale == 1.0 else gradient * scale,
                    self.first[key],
                    self.second[key],
                    learning_rate,
                    self.steps,
                    self.settings,
                )
            self.forget()
            self.model.network.load_weights(list(changed.items()), strict=False)
            mx.eval(changed, self.first, self.second)
            return norm

    def forget(self) -> None:
        self.gradients = {}

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
            getattr(self, kind)[key] = to_mlx(array)


def _added(
    before: dict[str, mx.array], gradients: dict[str, mx.array], frozen: Collection[str]
) -> dict[str, mx.array]:
    """Gradients added to those that there were. Those of what is frozen nobody asks for, and
    MLX does not compute them."""
    found = {
        key: before[key] + array if key in before else array
        for key, array in gradients.items()
        if key not in frozen
    }
    mx.eval(found)  # or all that leads to them is kept as well
    return before | found
