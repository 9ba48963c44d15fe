"""The fixtures of the tests of what runs in a page."""

from tests.page.wasm import wasm

__all__ = ["wasm"]
