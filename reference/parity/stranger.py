"""A stranger's implementation: run with care, since nothing is known about it."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from reference.errors import InputError, shortened, told
from reference.inputs import Inputs
from reference.parity.gate import is_gradient
from reference.parity.oracle import Measured, numbered
from reference.parity.report import kind
from reference.parity.sample import Sample, Tensors, as_trace

StrangersPort = Callable[..., Mapping[str, Any]]

OPTIONS = ("labels", "cu_seqlens")  # passed where the signature names them
BY_KEY = ("gradients", "trace")  # dicts among what is returned
MOST_NAMES = 6  # that a message lists


class Stranger:
    """A port, what it takes, and what is odd about it but no error."""

    def __init__(self, port: StrangersPort) -> None:
        if not callable(port):
            raise InputError(
                f"port is a {type(port).__name__}; it must be a callable that takes input_ids, "
                "attention_mask and token_type_ids and returns a dict of NumPy arrays"
            )
        self.port = port
        self.options = [name for name in OPTIONS if name in _parameters(port)]
        self.notes: dict[str, None] = {}  # each once, in order
        self.possible: list[str] = []
        self.returned: list[str] = []

    def run(self, sample: Sample) -> Tensors:
        """The tensors that the port returns under the names of the truth, checked."""
        self.possible = list(sample.offered)
        found = self._padded(sample)
        if "cu_seqlens" in self.options:
            found |= self._packed(sample)
        for name, array in found.items():
            if not np.isfinite(array).all():
                self.notes[f"port: {name} holds NaN or infinity"] = None
        odd = set(self.returned).symmetric_difference(found) if self.returned else set()
        if odd:
            raise InputError(
                f"the port returned {_some(sorted(odd))} for one batch and not for another"
            )
        self.returned = list(found)
        return found

    def unchecked(self) -> tuple[str, ...]:
        """What it might have returned and has not, in the words of a report's table."""
        possible = Counter(map(kind, self.possible))
        returned = Counter(map(kind, self.returned))
        if not any(group.startswith("packed ") for group in returned):
            packed = {group for group in possible if group.startswith("packed ")}
            possible = Counter({g: n for g, n in possible.items() if g not in packed})
            possible["packed"] = 1
        return tuple(
            f"{count - returned[group]} of {count} {group}" if returned[group] else group
            for group, count in possible.items()
            if returned[group] < count
        )

    def _padded(self, sample: Sample) -> Tensors:
        outputs = self._call(sample.batch.padded, labels=sample.labels.copy(), cu_seqlens=None)
        wanted = dict(sample.outputs)
        for name in sample.offered:
            backward = "labels" in self.options and (name == "loss" or is_gradient(name))
            if name == "sentence_embedding" or backward:
                wanted[name] = Measured(sample.offered[name])
        if "trace" in outputs:
            wanted |= as_trace(sample.measured)
        return self._checked(outputs, wanted)

    def _packed(self, sample: Sample) -> Tensors:
        row = sample.batch.packed
        outputs = self._call(row, labels=None, cu_seqlens=row.cu_seqlens.copy())
        wanted = {
            name.removeprefix("packed."): Measured(tensor)
            for name, tensor in sample.offered.items()
            if name.startswith("packed.")
        }
        found = self._checked(outputs, wanted, "packed ")
        return {f"packed.{name}": array for name, array in found.items()}

    def _call(self, inputs: Inputs, **options: Any) -> Mapping[str, Any]:
        arrays = [inputs.input_ids, inputs.attention_mask, inputs.token_type_ids]
        if inputs.token_type_ids is None:  # of a model without them: as those of one text
            arrays[2] = np.zeros_like(inputs.input_ids)
        arrays = [None if array is None else array.copy() for array in arrays]
        asked = {name: options[name] for name in self.options}
        try:
            outputs = self.port(*arrays, **asked)
            if isinstance(outputs, Mapping):
                return {
                    str(name): value for name, value in outputs.items() if value is not None
                }
        except KeyboardInterrupt:
            raise
        except BaseException as problem:  # sys.exit and a panic in Rust are no Exception
            raise InputError(f"the port {told(problem)}") from problem
        raise InputError(
            f"the port returned a {type(outputs).__name__}; it must return a dict of NumPy "
            "arrays"
        )

    def _checked(
        self, outputs: Mapping[str, Any], wanted: Mapping[str, Measured], form: str = ""
    ) -> Tensors:
        """Of the outputs those that the oracle has too, at the places that are compared."""
        count = sum(name.startswith("hidden_states.") for name in wanted)
        given = _spread(outputs, count)
        known = [name for name in wanted if name in given]
        if not known:
            groups = dict.fromkeys(name.split(".")[0] for name in wanted)
            possible = ", ".join([*groups] if form else [*groups, "trace"])
            raise InputError(
                f"the port returned {_some(outputs)}; for "
                f"{'a packed row' if form else 'this checkpoint'} it can return {possible}"
            )
        if unknown := [name for name in given if name not in wanted]:
            note = f"port: {form}{_some(unknown)} not compared; {self._why(unknown)}"
            self.notes[note] = None
        return {
            name: wanted[name].of(_array(name, given[name], wanted[name].array.shape))
            for name in known
        }

    def _why(self, unknown: Iterable[str]) -> str:
        backward = all(name == "loss" or is_gradient(name) for name in unknown)
        if backward and "labels" not in self.options:
            return "it was given no labels, as its signature names none"
        return "Transformers returns no such output here"


def _parameters(port: StrangersPort) -> Iterable[str]:
    """The names in its signature; a compiled function may have none to show."""
    try:
        return inspect.signature(port).parameters
    except (TypeError, ValueError):
        return ()


def _spread(outputs: Mapping[str, Any], count: int) -> dict[str, Any]:
    """One name for each tensor: of lists by number, of dicts by key."""
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
    given = numbered(outputs)
    for name in BY_KEY:
        arrays = given.pop(name, {})
        if not isinstance(arrays, Mapping):
            raise InputError(
                f"the port's {name} is a {type(arrays).__name__}; it must be a dict of arrays"
            )
        given |= {f"{name}.{key}": array for key, array in arrays.items()}
    return given


def _array(name: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    try:
        array = np.asarray(value)
    except Exception as problem:
        raise InputError(f"the port's {name} is no NumPy array: {shortened(problem)}") from None
    if array.dtype.kind not in "fiub":
        raise InputError(
            f"the port's {name} holds {array.dtype}; it must be an array of real numbers"
        )
    if array.shape != shape:
        raise InputError(f"the port's {name} has shape {array.shape}; it must have {shape}")
    return array


def _some(names: Iterable[str]) -> str:
    """The first of them."""
    names = list(map(str, names))
    more = len(names) - MOST_NAMES
    listed = ", ".join(f"{name:.80}" for name in names[:MOST_NAMES])
    return (f"{listed} and {more} more" if more > 0 else listed) or "nothing"
