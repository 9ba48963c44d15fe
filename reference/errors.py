"""The errors that the package raises on bad input; every one is a ValueError."""


class EncodersError(ValueError):
    """The base of the package's own errors."""


class ConfigError(EncodersError):
    """A configuration asks for something that is malformed or that no port implements."""


class CheckpointError(EncodersError):
    """A checkpoint is missing, damaged, or does not hold the tensors its configuration calls
    for."""


class InputError(EncodersError):
    """An argument - ids, a mask, texts, a name - cannot be used."""


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
