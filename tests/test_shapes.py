"""A wrong axis is seen, of a parameter and of a result."""

import jaxtyping
import numpy as np
import pytest
from jaxtyping import Float

from tests.shapes import looked_at_once

looked_at: list[object] = []


class Noting(type):
    def __instancecheck__(cls, value: object) -> bool:
        looked_at.append(value)
        return True


class Noted(metaclass=Noting):
    pass


@jaxtyping.jaxtyped(typechecker=looked_at_once)
def product(
    left: Float[np.ndarray, "rows inner"], right: Float[np.ndarray, "inner columns"], how: Noted
) -> Float[np.ndarray, "rows columns"]:
    return how(left, right)


@pytest.mark.parametrize(
    ("left", "right", "how", "trouble"),
    [
        ((2, 3), (4, 5), np.matmul, "parameter 'right'"),
        ((2,), (2, 5), np.matmul, "parameter 'left'"),
        ((2, 3), (3, 5), lambda a, b: (a @ b).T, "the return value"),
        ((2, 3), (3, 5), lambda a, b: (a @ b)[0], "the return value"),
        ((2, 3), (3, 5), lambda a, b: None, "the return value"),
    ],
)
def test_wrong_axes(left, right, how, trouble):
    with pytest.raises(jaxtyping.TypeCheckError, match=trouble):
        product(np.ones(left), np.ones(right), how)


def test_a_parameter_is_looked_at_once():
    looked_at.clear()
    assert product(np.ones((2, 3)), np.ones((3, 5)), np.matmul).shape == (2, 5)
    assert looked_at == [np.matmul]
