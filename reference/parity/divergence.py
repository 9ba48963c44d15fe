"""Where a port first leaves the oracle: the layer, and inside it the operation."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from reference.parity.gate import is_gradient
from reference.parity.report import Divergence, Row

# What each operation of a layer does, for the reader of a report.
MEANINGS = {
    "embeddings": "the sum of the embeddings and its norm",
    "attention.self.query": "the query projection",
    "attention.self.key": "the key projection",
    "attention.self.value": "the value projection",
    "attention.self": "attention itself: scale, mask, softmax, weighted sum",
    "attention.output.dense": "the projection that mixes the heads",
    "attention.output": "residual and norm after attention",
    "intermediate.dense": "the widening projection",
    "intermediate": "the activation",
    "output.dense": "the narrowing projection",
    "output": "residual and norm after the feed-forward network",
    "attn_norm": "the norm before attention",
    "attn.Wqkv": "the projection to queries, keys and values",
    "attn.Wo.input": "attention itself: RoPE, scale, window, mask, softmax, weighted sum",
    "attn.Wo": "the projection that mixes the heads",
    "mlp_norm": "the norm before the feed-forward network",
    "mlp.Wi": "the widening projection",
    "mlp.Wo.input": "the activation and the gate",
    "mlp.Wo": "the narrowing projection",
    "": "the residuals",
    "final_norm": "the last norm",
    "head.dense": "the prediction head's projection",
    "head": "the prediction head's activation and norm",
    "pooler.dense": "the pooler's projection of the first token",
    "pooler": "the pooler's tanh",
    "transform.dense": "the prediction head's projection",
    "transform": "the prediction head's activation and norm",
    "decoder": "the scores over the vocabulary",
    "lm_head.dense": "the prediction head's projection",
    "lm_head.layer_norm": "the prediction head's activation and norm",
    "classifier.dense": "the classifier's projection of the first token",
    "classifier.out_proj": "the classifier's tanh and output projection",
    "classifier": "the scores over the labels",
}
LAYER = re.compile(r"(?:.*\.)?(?:encoder\.layer|layers)\.(\d+)(?:\.(.*))?")


def first_divergence(
    rows: Sequence[Row], operations: Callable[[], Sequence[Row]] | None = None
) -> Divergence | None:
    """The first departure among a backend's rows; `operations` looks inside a layer, at some
    cost, when that is needed.

    Looked for in the order in which things are computed: the hidden states, the heads on top,
    then what is computed apart from them (the packed row, the sentence embedding), then
    backwards through the gradients.
    """
    failed = [row for row in rows if not row.passed]
    if not failed:
        return None
    for row in failed:
        if row.tensor.startswith("hidden_states."):
            return _in_layer(int(row.tensor.rpartition(".")[2]), operations)
    forward = [
        row.tensor
        for row in failed
        if row.tensor in ("last_hidden_state", "pooler_output", "logits")
    ]
    if forward:
        return _in_head(forward[0], operations)
    for row in failed:
        if row.tensor.startswith("packed.hidden_states."):
            state = int(row.tensor.rpartition(".")[2])
            return Divergence(
                _layer_of(state),
                None,
                f"{_place(state)} of the packed row; the padded batch agrees",
            )
    apart = [row.tensor for row in failed if not is_gradient(row.tensor)]
    if apart:
        return Divergence(None, None, f"{apart[0]}; the hidden states agree")
    return _in_gradients([row.tensor for row in failed])


def _in_layer(state: int, operations: Callable[[], Sequence[Row]] | None) -> Divergence:
    """hidden_states.0 is what the embeddings gave, hidden_states.n what layer n - 1 did."""
    layer = _layer_of(state)
    for row in [] if operations is None else operations():
        if not row.passed and _layer_named(row.tensor) == layer:
            return Divergence(layer, row.tensor, _described(layer, row.tensor))
    return Divergence(layer, None, f"{_place(state)} (hidden_states.{state})")


def _in_head(tensor: str, operations: Callable[[], Sequence[Row]] | None) -> Divergence:
    for row in [] if operations is None else operations():
        if not row.passed and _layer_named(row.tensor) is None:
            return Divergence(None, row.tensor, _described(None, row.tensor))
    return Divergence(None, None, f"{tensor}; the hidden states agree")


def _in_gradients(failed: Sequence[str]) -> Divergence:
    """The backward pass starts at the top, so the last parameter that fails is where it went
    wrong first."""
    key = failed[-1].removeprefix("gradients.")
    found = LAYER.fullmatch(key)
    layer = int(found[1]) if found else None
    where = "" if layer is None else f"layer {layer}, "
    return Divergence(
        layer, key, f"{where}the gradient of {key}; the forward pass and the loss agree"
    )


def _layer_of(state: int) -> int | None:
    return state - 1 if state else None


def _place(state: int) -> str:
    return f"layer {state - 1}" if state else "the embeddings"


def _layer_named(operation: str) -> int | None:
    found = LAYER.fullmatch(operation)
    return int(found[1]) if found else None


def _described(layer: int | None, operation: str) -> str:
    found = LAYER.fullmatch(operation)
    inside = found[2] if found else re.sub(r"^(bert|roberta|cls\.predictions)\.", "", operation)
    meaning = MEANINGS.get(inside)
    where = "" if layer is None else f"layer {layer}, "
    return f"{where}{operation}" + (f" ({meaning})" if meaning else "")
