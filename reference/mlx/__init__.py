"""The MLX port."""

import sys

from reference.allocation import keep_freed_memory
from reference.lazy import lazy_submodules
from reference.mlx.blas import use_torch_blas

if sys.platform == "linux":
    use_torch_blas()  # here, since it has to come before the first import of mlx.core
    keep_freed_memory()

__getattr__, __dir__ = lazy_submodules(__name__, __path__)
