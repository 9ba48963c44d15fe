"""Where a port first leaves the oracle: the layer, and inside it the operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from reference.families.family import Place
from reference.parity.gate import is_gradient, is_traced
from reference.parity.report import Divergence, Row

Places = Mapping[str, Place]
Look = Callable[[], Sequence[Row]]


def first_divergence(
    rows: Sequence[Row], places: Places, operations: Look | None = None
) -> Divergence | None:
    """The first departure among a backend's rows; `places` says where in the model each
    operation is, and `operations` looks inside a layer, at some cost, when that is needed.

    Looked for in the order in which things are computed: the hidden states, the heads on top,
    then what is computed apart from them (the packed row, the sentence embedding), then
    backwards through the gradients.
    """
    failed = [row.tensor for row in rows if not row.passed]
    if not failed:
        return None
    compared = [row.tensor for row in rows]
    for tensor in failed:
        if tensor.startswith("hidden_states."):
            return _in_layer(_number(tensor), places, operations)
    for tensor in ("last_hidden_state", "pooler_output", "logits"):
        if tensor in failed:
            return _in_head(tensor, compared, places, operations)
    for tensor in failed:
        if tensor.startswith("packed.hidden_states."):
            state = _number(tensor)
            padded = "the padded batch agrees"
            agrees = padded if f"hidden_states.{state}" in compared else _agreement(compared)
            message = f"{_named(state)} of the packed row; {agrees}"
            return Divergence(_layer_of(state), None, message)
    apart = [tensor for tensor in failed if not is_gradient(tensor)]
    if apart:
        return Divergence(None, None, f"{apart[0]}; {_agreement(compared)}")
    return _in_gradients(failed[-1], compared, places)


def strangers_divergence(rows: Sequence[Row], places: Places) -> Divergence | None:
    """The same of a stranger's port, whose trace, if it handed one in, is among the rows."""
    outputs = [row for row in rows if not is_traced(row.tensor)]
    operations = [
        replace(row, tensor=row.tensor.removeprefix("trace."))
        for row in rows
        if is_traced(row.tensor)
    ]
    found = first_divergence(outputs, places, lambda: operations)
    if found is not None:
        return found
    failed = next((row.tensor for row in operations if not row.passed), None)
    return None if failed is None else _at(failed, places[failed])


def _in_layer(state: int, places: Places, operations: Look | None) -> Divergence:
    """hidden_states.0 is what the embeddings gave, hidden_states.n what layer n - 1 did."""
    layer = _layer_of(state)
    for row in [] if operations is None else operations():
        if not row.passed and places[row.tensor].layer == layer:
            return _at(row.tensor, places[row.tensor])
    return Divergence(layer, None, f"{_named(state)} (hidden_states.{state})")


def _in_head(
    tensor: str, compared: Sequence[str], places: Places, operations: Look | None
) -> Divergence:
    """Where no hidden state was compared it may be any operation, of a layer as well."""
    anywhere = not any(name.startswith("hidden_states.") for name in compared)
    for row in [] if operations is None else operations():
        if not row.passed and (anywhere or places[row.tensor].layer is None):
            return _at(row.tensor, places[row.tensor])
    before = [name for name in compared if name != tensor]
    return Divergence(None, None, f"{tensor}; {_agreement(before)}")


def _in_gradients(tensor: str, compared: Sequence[str], places: Places) -> Divergence:
    """The backward pass starts at the top, so the last parameter that fails is where it went
    wrong first."""
    key = tensor.removeprefix("gradients.")
    layers = [place.layer for path, place in places.items() if key.startswith(f"{path}.")]
    layer = next((layer for layer in layers if layer is not None), None)
    where = "" if layer is None else f"layer {layer}, "
    forward = any(name != "loss" and not is_gradient(name) for name in compared)
    parts = ["the forward pass"] * forward + ["the loss"] * ("loss" in compared)
    agrees = {
        0: "neither the forward pass nor the loss was compared",
        1: f"{''.join(parts)} agrees",
        2: f"{' and '.join(parts)} agree",
    }[len(parts)]
    return Divergence(layer, key, f"{where}the gradient of {key}; {agrees}")


def _agreement(compared: Sequence[str]) -> str:
    """What is right, of all that comes before: nothing is said of what was not compared."""
    if any(name.startswith("hidden_states.") for name in compared):
        return "the hidden states agree"
    if "last_hidden_state" in compared:
        return "the last hidden state agrees"
    return "no hidden states were compared"


def _at(operation: str, place: Place) -> Divergence:
    where = "" if place.layer is None else f"layer {place.layer}, "
    return Divergence(place.layer, operation, f"{where}{operation} ({place.meaning})")


def _number(tensor: str) -> int:
    return int(tensor.rpartition(".")[2])


def _layer_of(state: int) -> int | None:
    return state - 1 if state else None


def _named(state: int) -> str:
    return f"layer {state - 1}" if state else "the embeddings"
