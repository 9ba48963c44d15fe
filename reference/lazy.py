"""Submodules as attributes: `import reference` gives reference.torch.pooling, and imports it
when it is asked for."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Callable, Iterable
from types import ModuleType


def lazy_submodules(
    package: str, paths: Iterable[str]
) -> tuple[Callable[[str], ModuleType], Callable[[], list[str]]]:
    """The __getattr__ and __dir__ (PEP 562) of a package whose public submodules are imported
    on first use."""
    names = {
        module.name for module in pkgutil.iter_modules(paths) if not module.name.startswith("_")
    }

    def __getattr__(name: str) -> ModuleType:  # noqa: N807
        if name in names:
            return importlib.import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def __dir__() -> list[str]:  # noqa: N807
        return sorted({*vars(sys.modules[package]), *names})

    return __getattr__, __dir__
