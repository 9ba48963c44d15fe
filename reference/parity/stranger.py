"""A stranger's implementation: run with care, since nothing is known about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from reference.errors import InputError
from reference.parity.oracle import OUTPUTS, numbered
from reference.parity.sample import Sample, Tensors, select

StrangersPort = Callable[[np.ndarray, np.ndarray, np.ndarray], Mapping[str, Any]]


def check_port(port: StrangersPort) -> None:
    if not callable(port):
        raise InputError(
            f"port is a {type(port).__name__}; it must be a callable that takes input_ids, "
            "attention_mask and token_type_ids and returns a dict of NumPy arrays"
        )


def run_stranger(port: StrangersPort, notes: dict[str, None], sample: Sample) -> Tensors:
    """The tensors that the port returns under the names of the truth, checked; what is odd but
    no error is noted."""
    outputs = _call(port, sample)
    expected = {name: tensor.array.shape for name, tensor in sample.outputs.items()}
    given = _numbered(outputs, sum(name.startswith("hidden_states.") for name in expected))
    padded = {
        name: _checked(name, value, expected[name])
        for name, value in given.items()
        if name in expected
    }
    if not padded:
        known = {name.split(".")[0] for name in expected}
        possible = _some({name: None for name in OUTPUTS if name in known})
        raise InputError(
            f"the port returned {_some(outputs)}; for this checkpoint it can return {possible}"
        )

    unknown = [str(name) for name in given if name not in expected]
    if unknown:
        notes[
            f"port: {', '.join(unknown)} not compared; Transformers returns no such output here"
        ] = None
    tensors = select(sample.outputs, padded)
    for name, array in tensors.items():
        if not np.isfinite(array).all():
            notes[f"port: {name} holds NaN or infinity"] = None
    return tensors


def _call(port: StrangersPort, sample: Sample) -> Mapping[str, Any]:
    try:
        inputs = sample.batch.padded
        types = inputs.token_type_ids
        if types is None:  # of a model without token types: as those of one text
            types = np.zeros_like(inputs.input_ids)
        outputs = port(inputs.input_ids.copy(), inputs.attention_mask.copy(), types.copy())
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
