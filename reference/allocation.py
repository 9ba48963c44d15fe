"""Memory for intermediate results on Linux.

On a CPU MLX and candle take memory for every result from malloc and give it back at once. glibc
hands whatever is large back to the system each time, and the next result begins with thousands
of page faults: of a text of 4,096 tokens through ModernBERT-base in MLX they were a fifth of
the time, and of a step of training in candle as much. PyTorch does not ask malloc so often, and
nothing is faster there.
"""

import ctypes

# The parameters of glibc's mallopt (malloc.h), and what they are set to.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT = 1 << 30  # bytes free at the end of the heap before any go back to the system
# Bytes of one request that may come from the heap: the most that glibc accepts.
_LARGEST = 32 << 20


def keep_freed_memory() -> bool:
    """Let malloc keep freed memory for the next request; say whether that came off. Only glibc
    has the switch."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(
        mallopt(_M_MMAP_THRESHOLD, _LARGEST) and mallopt(_M_TRIM_THRESHOLD, _KEPT)
    )
