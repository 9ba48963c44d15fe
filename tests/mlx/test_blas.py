"""Which BLAS MLX finds. Each case needs a process of its own, since a library is loaded
once."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux needs another BLAS")


def run(*lines: str) -> subprocess.CompletedProcess:
    """A fresh interpreter in which every warning counts."""
    return subprocess.run(
        [sys.executable, "-W", "always", "-c", "\n".join(lines)],
        capture_output=True,
        text=True,
        check=True,
    )


def test_importing_the_port_loads_pytorchs_library_and_not_pytorch() -> None:
    done = run(
        "import sys, reference.mlx",
        "print('torch' in sys.modules, 'mlx.core' in sys.modules)",
        "from pathlib import Path",
        "print('libtorch_cpu' in Path('/proc/self/maps').read_text())",
        "from reference.mlx.blas import use_torch_blas",
        "print(use_torch_blas())",
    )
    assert done.stdout.split() == ["False", "False", "True", "True"]
    assert done.stderr == ""


@pytest.mark.parametrize(("dtype", "routine"), [("float32", "sgemm_"), ("float64", "dgemm_")])
def test_mlx_multiplies_with_that_library(dtype: str, routine: str) -> None:
    """The dynamic linker reports which library's routine it gave to whom."""
    matrix = f"mx.ones((2, 2), dtype=mx.{dtype})"
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import reference.mlx, mlx.core as mx\nwith mx.stream(mx.cpu): mx.eval({matrix} @ "
            f"{matrix})",
        ],
        env={"LD_DEBUG": "bindings"},
        capture_output=True,
        text=True,
        errors="replace",
        check=True,
    )
    reports = [
        line.split(" to ") for line in done.stderr.splitlines() if f"`{routine}'" in line
    ]
    givers = [giver for taker, giver in reports if "mlx" in taker]
    assert givers
    assert all("libtorch_cpu.so" in giver or "openblas" in giver for giver in givers)


def test_an_earlier_mlx_is_warned_of_once_and_still_computes() -> None:
    done = run(
        "import mlx.core as mx",
        "import reference.mlx",
        "from reference.mlx.blas import use_torch_blas",
        "print(use_torch_blas(), use_torch_blas())",
        "print((mx.ones((2, 2)) @ mx.ones((2, 2))).sum().item())",
    )
    assert done.stdout.split() == ["False", "False", "8.0"]
    assert done.stderr.count("RuntimeWarning") == 1
    assert "import reference.mlx first" in done.stderr


def test_a_missing_pytorch_is_warned_of_once() -> None:
    done = run(
        "import sys",
        "sys.modules['torch'] = None",
        "import importlib.util",
        "find = importlib.util.find_spec",
        "importlib.util.find_spec = lambda name, *rest: None if name == 'torch' else "
        "find(name, *rest)",
        "import reference.mlx",
        "from reference.mlx import layers",
        "print(layers.gelu(layers.mx.array([1.0])).item() > 0.84)",
    )
    assert done.stdout.split() == ["True"]
    assert done.stderr.count("RuntimeWarning") == 1
    assert "PyTorch is not installed" in done.stderr


def test_a_library_that_does_not_load_is_warned_of_once() -> None:
    done = run(
        "import importlib.util, importlib.machinery",
        "elsewhere = importlib.machinery.ModuleSpec('torch', None, "
        "origin='/nowhere/torch/__init__.py')",
        "find = importlib.util.find_spec",
        "importlib.util.find_spec = lambda name, *rest: elsewhere if name == 'torch' else "
        "find(name, *rest)",
        "import reference.mlx",
    )
    assert done.stderr.count("RuntimeWarning") == 1
    assert "does not load" in done.stderr
