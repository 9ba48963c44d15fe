"""What each module returned during a call, without a word about it in the model."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import mlx.core as mx
from mlx import nn


@contextmanager
def record(network: nn.Module, operations: Collection[str]) -> Iterator[dict[str, mx.array]]:
    """While this is open, a dict gathers what each of the named modules returned, in order of
    evaluation; under "x.input" what the module x was given.

    MLX has no hooks, so the classes' __call__ is wrapped for that while; other instances pass
    through it untouched.
    """
    names = {id(module): name for name, module in network.named_modules()}
    seen: dict[str, mx.array] = {}
    plain = {kind: kind.__call__ for kind in {type(module) for module in network.modules()}}

    def watched(call: Callable) -> Callable:
        def call_and_keep(module: nn.Module, *args: object, **kwargs: object) -> object:
            name = names.get(id(module))
            if f"{name}.input" in operations:
                seen[f"{name}.input"] = args[0]
            output = call(module, *args, **kwargs)
            if name in operations:
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
