"""Where a port first leaves the oracle: the layer, and inside it the operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from reference.families.family import Place
from reference.parity.gate import is_gradient
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
    failed = [row for row in rows if not row.passed]
    if not failed:
        return None
    for row in failed:
        if row.tensor.startswith("hidden_states."):
            return _in_layer(int(row.tensor.rpartition(".")[2]), places, operations)
    outputs = ("last_hidden_state", "pooler_output", "logits")
    forward = [row.tensor for row in failed if row.tensor in outputs]
    if forward:
        return _in_head(forward[0], places, operations)
    for row in failed:
        if row.tensor.startswith("packed.hidden_states."):
            state = int(row.tensor.rpartition(".")[2])
            message = f"{_named(state)} of the packed row; the padded batch agrees"
            return Divergence(_layer_of(state), None, message)
    apart = [row.tensor for row in failed if not is_gradient(row.tensor)]
    if apart:
        return Divergence(None, None, f"{apart[0]}; the hidden states agree")
    return _in_gradients([row.tensor for row in failed], places)


def _in_layer(state: int, places: Places, operations: Look | None) -> Divergence:
    """hidden_states.0 is what the embeddings gave, hidden_states.n what layer n - 1 did."""
    layer = _layer_of(state)
    for row in [] if operations is None else operations():
        if not row.passed and places[row.tensor].layer == layer:
            return _at(row.tensor, places[row.tensor])
    return Divergence(layer, None, f"{_named(state)} (hidden_states.{state})")


def _in_head(tensor: str, places: Places, operations: Look | None) -> Divergence:
    for row in [] if operations is None else operations():
        if not row.passed and places[row.tensor].layer is None:
            return _at(row.tensor, places[row.tensor])
    return Divergence(None, None, f"{tensor}; the hidden states agree")


def _in_gradients(failed: Sequence[str], places: Places) -> Divergence:
    """The backward pass starts at the top, so the last parameter that fails is where it went
    wrong first."""
    key = failed[-1].removeprefix("gradients.")
    layers = [place.layer for path, place in places.items() if key.startswith(f"{path}.")]
    layer = next((layer for layer in layers if layer is not None), None)
    where = "" if layer is None else f"layer {layer}, "
    message = f"{where}the gradient of {key}; the forward pass and the loss agree"
    return Divergence(layer, key, message)


def _at(operation: str, place: Place) -> Divergence:
    where = "" if place.layer is None else f"layer {place.layer}, "
    return Divergence(place.layer, operation, f"{where}{operation} ({place.meaning})")


def _layer_of(state: int) -> int | None:
    return state - 1 if state else None


def _named(state: int) -> str:
    return f"layer {state - 1}" if state else "the embeddings"
