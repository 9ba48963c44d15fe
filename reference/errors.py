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
