"""Memory that is free goes back to the system."""

import ctypes
import gc


def give_back_memory() -> None:
    """Importing reference.mlx lets malloc keep up to a gigabyte of what is freed, for the next
    result; and what lies between blocks in use it keeps anyway. In one process that runs every
    test this adds up to more than all of them need."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
    if trim is not None:
        trim(0)
