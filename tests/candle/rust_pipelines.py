"""What the tests of the Rust library's pipelines share."""

import functools

import pytest

import reference


@functools.lru_cache(4)
def package(folder, pipeline, dtype="float64"):
    """What the Rust library is held against."""
    return reference.load(folder, backend="torch", pipeline=pipeline, dtype=dtype)


def refused_alike(theirs, ours, kind):
    """Asserts that both raise that error, about the same thing; Rust quotes in its own way."""
    messages = []
    for call in (theirs, ours):
        with pytest.raises(kind) as caught:
            call()
        messages.append(str(caught.value).replace("'", '"')[:12])
    assert messages[0] == messages[1]
