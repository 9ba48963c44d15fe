"""A fast matrix product for MLX on Linux.

MLX leaves matrix products on the CPU to BLAS. The wheels for Linux bring the reference BLAS,
which is written to be
read: some 2 GFLOP/s, where the routines inside PyTorch's library reach some 180 on the same two
cores. Both answer to the same names (sgemm_, dgemm_, ...), and the dynamic linker gives a name
to the library that came first.
"""

import ctypes
import functools
import importlib.util
import sys
from pathlib import Path

from reference.errors import warn


@functools.cache
def use_torch_blas() -> bool:
    """Load PyTorch's library ahead of MLX, so that MLX multiplies with the BLAS inside it; say
    whether that came off.

    PyTorch is only found, not imported. Everything computes without it too, only much more
    slowly: so what stands in the way is warned of, once, and is no error.
    """
    if "mlx.core" in sys.modules:
        # MLX's names are bound already, and the linker does not bind them a second time.
        _warn("mlx.core was imported before reference.mlx; import reference.mlx first")
        return False
    library = torch_library()
    if library is None:
        _warn("PyTorch is not installed")
        return False
    try:
        # RTLD_GLOBAL puts the library's names where the linker looks for MLX's. Without it they
        # stay private.
        ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    except OSError as problem:
        _warn(f"PyTorch's library does not load: {problem}")
        return False
    return True


def torch_library() -> Path | None:
    """The file that has PyTorch's matrix products."""
    torch = importlib.util.find_spec("torch")
    if torch is None or torch.origin is None:
        return None
    return Path(torch.origin).parent / "lib" / "libtorch_cpu.so"


def _warn(reason: str) -> None:
    warn(
        f"MLX multiplies matrices slowly in this process: {reason}",
        RuntimeWarning,
    )
