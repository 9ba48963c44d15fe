"""What happens inside a model, a line for each operation, for as long as somebody asks.

    model.logger.enable(categories={"shapes", "statistics"})
    model.encode("a cat")
    model.logger.disable()

    with model.logger.enabled("values", modules="*.attention.*"):
        model.encode("a cat")

A pass is made once: the lines are written while it computes. candle then does each operation by
itself which its kernels otherwise join, so that what comes out may differ in the last digit.
While nobody asks, the pipeline computes with the port's own model, and nothing is in between.
"""

from __future__ import annotations

import difflib
import logging
import threading
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from fnmatch import fnmatchcase
from typing import Any

from reference.backend import Model
from reference.checks import check_whole
from reference.errors import InputError, shown
from reference.pipelines.logged import LOG, About, LoggedModel, Settings

CATEGORIES = ("shapes", "statistics", "values", "info", "all")


class ModelLogger:
    """A pipeline's `logger`: off, until enabled. It writes to the logger "reference.model" of
    the standard library, at level INFO; where that has no handler, to stderr.

    A line's record has its facts as a dictionary too, `record.facts`, for handlers that do not
    want text. What is enabled holds for the passes of all threads.
    """

    def __init__(self, model: Model, about: About) -> None:
        self._plain = model
        self._about = about
        self._lock = threading.Lock()
        # What holds outside of every `with`, and then inside of each one that is open: the last
        # decides. Threads may leave theirs in any order, so each is a list of its own.
        self._scopes: list[list[Settings | None]] = [[None]]
        self.model: Model = model  # what computes

    def __repr__(self) -> str:
        settings = self._scopes[-1][0]
        if settings is None:
            return "<ModelLogger: off>"
        names = ", ".join(name for name in CATEGORIES if name in settings.categories)
        return f"<ModelLogger: {names} of {len(settings.paths)} operations>"

    def enable(
        self,
        categories: str | Collection[str] = ("shapes", "statistics"),
        *,
        modules: str | Collection[str] = "*",
        every: int = 1,
    ) -> None:
        """Write lines from now on, until `disable`, or until the `with` ends that this is in. A
        second call takes the place of the first.

        categories: of each operation "shapes" (shape and dtype), "statistics" (mean, standard
            deviation, minimum and maximum of what is finite, and how many NaN and infinities
            there are) and "values" (the first and the last ones); of each pass "info"
            (architecture, backend, dtype, device, texts, tokens, and the seconds that it took
            without the lines); or "all". Padding is left out of statistics and values.
        modules: patterns of module paths in Transformers, as of file names: "*.attention.*".
        every: only the first of so many passes, a pass being a batch.
        """
        self._hold(self._settings(categories, modules, every))

    def disable(self) -> None:
        """Write nothing from now on."""
        self._hold(None)

    def enabled(
        self,
        categories: str | Collection[str] = ("shapes", "statistics"),
        *,
        modules: str | Collection[str] = "*",
        every: int = 1,
    ) -> AbstractContextManager[ModelLogger]:
        """`enable` for the time of a `with`; after it holds what did before."""
        return self._during(self._settings(categories, modules, every))

    def _settings(self, categories: Any, modules: Any, every: Any) -> Settings:
        names = _names("categories", categories)
        for name in names:
            if name not in CATEGORIES:
                raise InputError(
                    f"category {shown(name)} is unknown{_near(name, CATEGORIES)}; there are "
                    f"{', '.join(CATEGORIES)}"
                )
        wanted = CATEGORIES[:-1] if "all" in names else names
        paths = self._about.paths
        chosen: set[str] = set()
        for pattern in _names("modules", modules):
            found = [path for path in paths if fnmatchcase(path, pattern)]
            if not found:
                raise InputError(
                    f"no operation of {self._about.checkpoint.architecture.name} matches the "
                    f"pattern {shown(pattern)}{_near(pattern, paths)}; they go from {paths[0]} "
                    f"to {paths[-1]}"
                )
            chosen.update(found)
        every = check_whole("every", every, least=1)
        return Settings(frozenset(wanted), frozenset(chosen), every)

    def _hold(self, settings: Settings | None) -> None:
        with self._lock:
            self._scopes[-1][0] = settings
            self._put_in_place()

    @contextmanager
    def _during(self, settings: Settings) -> Iterator[ModelLogger]:
        scope: list[Settings | None] = [settings]
        with self._lock:
            self._scopes.append(scope)
            self._put_in_place()
        try:
            yield self
        finally:
            with self._lock:
                self._scopes = [other for other in self._scopes if other is not scope]
                self._put_in_place()

    def _put_in_place(self) -> None:
        settings = self._scopes[-1][0]
        if settings is None:
            self.model = self._plain
            return
        if LOG.level == logging.NOTSET:  # or else the root's level, WARNING, would hold
            LOG.setLevel(logging.INFO)
        self.model = LoggedModel(self._plain, self._about, settings)


def _names(what: str, given: Any) -> tuple[str, ...]:
    """One name, or several."""
    if isinstance(given, str):
        return (given,)
    names = tuple(given) if isinstance(given, (set, frozenset, list, tuple)) else ()
    if not names or not all(isinstance(name, str) for name in names):
        raise InputError(
            f"{what} is {shown(given)}; it must be a name, or a set or list of them"
        )
    return names


def _near(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, n=3)
    return f" (did you mean {' or '.join(near)}?)" if near else ""
