"""A stranger's implementation: run with care, since nothing is known about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from reference.errors import InputError
from reference.parity.sample import Sample, Tensors, numbered

StrangersPort = Callable[[np.ndarray, np.ndarray, np.ndarray], Mapping[str, Any]]


def check_port(port: StrangersPort) -> None:
    if not callable(port):
        raise InputError(
            f"port is a {type(port).__name__}; it must be a callable that takes input_ids, "
            "attention_mask and "
            "token_type_ids and returns a dict of NumPy arrays"
        )


def run_stranger(port: StrangersPort, notes: dict[str, None], sample: Sample) -> Tensors:
    """The tensors that the port returns under the names of the truth, checked; what is odd but
    no error is noted."""
    outputs = _call(port, sample)
    expected = {name: np.shape(array) for name, array in numbered(sample.outputs).items()}
    given = _numbered(outputs, sample.checkpoint.config.num_hidden_layers + 1)
    padded = {
        name: _checked(name, value, expected[name])
        for name, value in given.items()
        if name in expected
    }
    if not padded:
        possible = _some(sample.outputs)
        raise InputError(
            f"the port returned {_some(outputs)}; for this checkpoint it can return {possible}"
        )

    unknown = [str(name) for name in given if name not in expected]
    if unknown:
        notes[
            f"port: {', '.join(unknown)} not compared; Transformers returns no such output here"
        ] = None
    tensors = sample.flatten(padded, sample.batch.real)
    for name, array in tensors.items():
        if not np.isfinite(array).all():
            notes[f"port: {name} holds NaN or infinity"] = None
    return tensors


def _call(port: StrangersPort, sample: Sample) -> Mapping[str, Any]:
    try:
        ids = (
            sample.batch.input_ids
        )  # a model without token types is given those of one text, all 0
        outputs = port(
            *(
                np.zeros_like(ids) if array is None else array.copy()
                for array in sample.batch.arguments
            )
        )
    except Exception as problem:
        raise InputError(f"the port raised {type(problem).__name__}: {problem}") from problem
    if not isinstance(outputs, Mapping):
        raise InputError(
            f"the port returned a {type(outputs).__name__}; it must return a dict of NumPy "
            "arrays"
        )
    return {name: value for name, value in outputs.items() if value is not None}


def _numbered(outputs: Mapping[str, Any], count: int) -> dict[str, Any]:
    states = outputs.get("hidden_states")
    if states is not None:
        if not isinstance(states, (list, tuple, np.ndarray)):
            raise InputError(
                f"the port's hidden_states is a {type(states).__name__}; it must be a list of "
                "arrays"
            )
        if len(states) != count:
            raise InputError(
                f"the port returned {len(states)} hidden states; there are {count} of them, "
                "what the embeddings gave and then what each layer gave"
            )
    return numbered(outputs)


def _checked(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    try:
        array = np.asarray(value)
    except Exception as problem:
        raise InputError(f"the port's {name} is no NumPy array: {problem}") from None
    if array.dtype.kind not in "fiub":
        raise InputError(
            f"the port's {name} holds {array.dtype}; it must be an array of real numbers"
        )
    if array.shape != shape:
        raise InputError(f"the port's {name} has shape {array.shape}; it must have {shape}")
    return array


def _some(outputs: Mapping[str, Any]) -> str:
    return ", ".join(map(str, outputs)) or "nothing"
