"""What each module returns during a call, without a word about it in the model."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import mlx.core as mx
from mlx import nn

# MLX has no hooks, so a class's __call__ is replaced while somebody watches. It is one for all
# threads: whoever watches has it alone.
_WATCHING = threading.RLock()
_OPEN: list[tuple[int, nn.Module]] = []  # the threads and networks that are watched now


@contextmanager
def watching(
    network: nn.Module, operations: Collection[str], see: Callable[[str, mx.array], None]
) -> Iterator[None]:
    """While this is open, `see` is called with the path of each of the named modules and with
    what it returned on this thread, in order of evaluation; as "x.input" with what the module x
    was given. Other instances of the same classes pass through untouched."""
    names = {id(module): name for name, module in network.named_modules()}
    thread = threading.get_ident()

    def watched_call(call: Callable) -> Callable:
        def call_and_show(module: nn.Module, *args: object, **kwargs: object) -> object:
            name = names.get(id(module)) if threading.get_ident() == thread else None
            if name is not None and f"{name}.input" in operations:
                see(f"{name}.input", args[0])
            output = call(module, *args, **kwargs)
            if name is not None and name in operations:
                see(name, output)
            return output

        return call_and_show

    with _WATCHING:
        plain = {kind: kind.__call__ for kind in {type(module) for module in network.modules()}}
        _OPEN.append((thread, network))
        try:
            for kind, call in plain.items():
                kind.__call__ = watched_call(call)
            yield
        finally:
            for kind, call in plain.items():
                kind.__call__ = call
            _OPEN.pop()


def watched(network: nn.Module) -> bool:
    """Whether this thread watches the network."""
    return any(
        thread == threading.get_ident() and module is network for thread, module in _OPEN
    )
