"""The dictionary's first two columns say the same thing: they are evaluated and compared."""

import importlib
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

PAGE = Path(__file__).parents[2] / "book" / "dictionary.md"
ROWS = re.findall(
    r"^\| `(.+?)` \| `(.+?)` \| `(.+?)` \|$",
    PAGE.read_text(encoding="utf-8"),
    flags=re.MULTILINE,
)
X = np.array([[1.0, -2.0, 3.0], [0.5, 5.0, -6.0]], dtype=np.float32)


def arrays() -> dict[str, np.ndarray]:
    return {
        "x": X,
        "y": X[::-1] * 2,
        "row": np.array([1.0, 10.0, 100.0], dtype=np.float32),
        "weight": np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3),
        "table": np.arange(20, dtype=np.float32).reshape(5, 4),
        "ids": np.array([[0, 2, 1], [1, 1, 0]]),
        "mask": np.array([[True, False, True], [True, True, False]]),
        "labels": np.array([2, 0]),
    }


@pytest.fixture(scope="module")
def frameworks(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, dict]:
    """What the names in the first column mean, and what those in the second."""
    importlib.import_module("reference.mlx")  # ahead of mlx.core, for the sake of its BLAS
    import mlx.core as mx
    import mlx.nn
    import mlx.optimizers
    import mlx.utils
    import safetensors.numpy
    import safetensors.torch
    import torch

    path = str(tmp_path_factory.mktemp("dictionary") / "weights.safetensors")
    weights = {
        "weight": np.ones((4, 3), dtype=np.float32),
        "bias": np.ones(4, dtype=np.float32),
    }
    safetensors.numpy.save_file(weights, path)

    def square_sum(x):
        return (x * x).sum()

    shared = {"np": np, "a": X, "path": path, "square_sum": square_sum}
    in_torch = {
        **{name: torch.from_numpy(array.copy()) for name, array in arrays().items()},
        "torch": torch,
        "nn": torch.nn,
        "F": torch.nn.functional,
        "load_file": safetensors.torch.load_file,
        "model": torch.nn.Linear(3, 4),
        "tensors": {name: torch.from_numpy(array) for name, array in weights.items()},
    }
    in_mlx = {
        **{name: mx.array(array) for name, array in arrays().items()},
        "mx": mx,
        "nn": mlx.nn,
        "optimizers": mlx.optimizers,
        "tree_flatten": mlx.utils.tree_flatten,
        "model": mlx.nn.Linear(3, 4),
        "tensors": {name: mx.array(array) for name, array in weights.items()},
    }
    in_torch["model"].load_state_dict(in_torch["tensors"])
    in_mlx["model"].load_weights(list(in_mlx["tensors"].items()))
    return shared | in_torch, shared | in_mlx


@pytest.mark.parametrize(
    ("in_torch", "in_mlx"), [row[:2] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_both_columns_say_the_same(in_torch: str, in_mlx: str, frameworks: tuple[dict, dict]):
    first, second = (
        numbers(eval(code, names))
        for code, names in zip((in_torch, in_mlx), frameworks, strict=True)
    )
    if "load_state_dict" in in_torch:  # MLX returns the model, torch what did not fit
        first = numbers(frameworks[0]["model"])
    assert len(first) == len(second) > 0
    for left, right in zip(first, second, strict=True):
        np.testing.assert_allclose(
            left, right, rtol=2e-3 if "float16" in in_torch else 1e-5, atol=1e-6
        )


def numbers(result: object) -> list[np.ndarray]:
    """The arrays in a result; of a layer, whose weights are drawn, their shapes; of an
    optimizer its rate."""
    import mlx.core as mx
    import mlx.nn
    import mlx.optimizers
    import mlx.utils
    import torch

    if isinstance(result, torch.nn.Module):
        return [np.array(parameter.shape) for _, parameter in sorted(result.named_parameters())]
    if isinstance(result, mlx.nn.Module):
        return [
            np.array(array.shape)
            for _, array in sorted(mlx.utils.tree_flatten(result.parameters()))
        ]
    if isinstance(result, torch.optim.Optimizer):
        return [np.array(group["lr"]) for group in result.param_groups]
    if isinstance(result, mlx.optimizers.Optimizer):
        return [np.array(result.learning_rate.item())]
    if isinstance(result, torch.Tensor | mx.array):
        return [np.array(result.tolist())]
    if isinstance(result, np.ndarray | float | int):
        return [np.array(result)]
    if isinstance(result, dict):
        return [array for _, value in sorted(result.items()) for array in numbers(value)]
    if type(result) in (tuple, list):
        return [array for value in result for array in numbers(value)]
    return []


def test_the_table_was_read():
    assert len(ROWS) > 50
    assert PAGE.read_text(encoding="utf-8").count("\n| `") == len(ROWS)


def test_the_traps_that_the_page_names(frameworks: tuple[dict, dict]):
    names = SimpleNamespace(**frameworks[1])
    assert names.mx.array_equal(names.x.transpose(0, 1), names.x)
    assert names.nn.losses.cross_entropy(names.x, names.labels).shape == (2,)
    assert names.mx.arange(3).dtype == names.mx.int32
    gap = np.abs(
        np.array(
            names.nn.gelu(names.mx.arange(-5, 5, 0.001))
            - names.nn.gelu_approx(names.mx.arange(-5, 5, 0.001))
        )
    )
    assert 4e-4 < gap.max() < 5e-4
