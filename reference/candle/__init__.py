"""The Rust port on candle: thin modules over the compiled library in rust_ports/."""

import os
import sys

from reference.allocation import keep_freed_memory
from reference.lazy import lazy_submodules

# candle's own threads wait for each other by spinning, which on a busy machine takes longer
# than the work. The heavy work, matrix products and the fused kernels, runs on rayon's threads
# (RAYON_NUM_THREADS) and is not concerned.
os.environ.setdefault("CANDLE_NUM_THREADS", "1")
if sys.platform == "linux":
    keep_freed_memory()

__getattr__, __dir__ = lazy_submodules(__name__, __path__)
