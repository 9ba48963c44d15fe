"""What each module returned during a call, without a word about it in the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import mlx.core as mx
from mlx import nn


@contextmanager
def record(network: nn.Module) -> Iterator[dict[str, mx.array]]:
    """While this is open, a dict gathers module path -> the array that the module returned, in
    order of evaluation.

    MLX has no hooks, so the classes' __call__ is wrapped for that while; other instances pass
    through it untouched.
    """
    names = {id(module): name for name, module in network.named_modules()}
    seen: dict[str, mx.array] = {}
    plain = {kind: kind.__call__ for kind in {type(module) for module in network.modules()}}

    def watched(call: Callable) -> Callable:
        def call_and_keep(module: nn.Module, *args: object, **kwargs: object) -> object:
            name = names.get(id(module))
            if name is not None and name.endswith(".Wo"):
                seen[f"{name}.input"] = args[
                    0
                ]  # what attention and the gate of a ModernBERT made
            output = call(module, *args, **kwargs)
            if name is not None and isinstance(output, mx.array):
                seen[name] = output
            return output

        return call_and_keep

    try:
        for kind, call in plain.items():
            kind.__call__ = watched(call)
        yield seen
    finally:
        for kind, call in plain.items():
            kind.__call__ = call
