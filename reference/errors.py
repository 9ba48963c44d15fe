"""The errors that the package raises on bad input; every one is a ValueError. And its
warnings."""

import sys
import warnings
from typing import Any

LONGEST = 2000


class EncodersError(ValueError):
    """The base of the package's own errors."""

    def __init__(self, message: str = "") -> None:
        super().__init__(_readable(message))


class ConfigError(EncodersError):
    """A configuration asks for something that is malformed or that no port implements."""


class CheckpointError(EncodersError):
    """A checkpoint is missing, damaged, or does not hold the tensors its configuration calls
    for."""


class InputError(EncodersError):
    """An argument - ids, a mask, texts, a name - cannot be used."""


def shown(value: Any, most: int = 80) -> str:
    """The beginning of what was found instead, as an error quotes it. Python refuses to write
    out an integer of more than 4,300 digits, and a stranger's class may refuse as well."""
    try:
        return f"{value!r:.{most}}"
    except Exception:
        return f"a {type(value).__name__} that cannot be printed"


def _readable(message: str) -> str:
    """What is quoted of a damaged file may be as long as the file; whoever reads the message
    wants its beginning and its end."""
    if len(message) <= LONGEST:
        return message
    return f"{message[: LONGEST // 2]} … {message[-LONGEST // 3 :]}"


def shortened(value: object, most: int = 200) -> str:
    """What a message quotes of a broken file, or of another program's error: the beginning, in
    one line."""
    text = " ".join(str(value).split())
    return text if len(text) <= most else f"{text[:most]} …"


def told(problem: BaseException) -> str:
    """What a stranger's code has raised, in a few words."""
    if isinstance(problem, SystemExit):
        return f"called sys.exit({problem.code!r:.80}) where it should return or raise"
    try:
        text = shortened(problem)
    except Exception:
        text = "an error that cannot be shown"
    return f"raised {type(problem).__name__}: {text}"


def warn(message: str, kind: type[Warning] = UserWarning) -> None:
    """Warn at the line that called into the package: Python shows a warning once a line, and
    lines of ours would use that up for all callers. A cached property of ours is called by
    functools."""
    frame, level = sys._getframe(1), 2
    ours = ("reference.", "functools.")
    while frame and f"{frame.f_globals.get('__name__')}.".startswith(ours):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, kind, stacklevel=level)
