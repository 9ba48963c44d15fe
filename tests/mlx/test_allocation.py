"""That memory freed by MLX is kept for the next result, as malloc's own books have it."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux needs it")

RESULTS, BYTES = 16, 16 << 20  # as many results side by side, each of so many bytes
PROGRAM = f"""
{{first}}
import ctypes
import mlx.core as mx

FIELDS = (  # of struct mallinfo2 in glibc's malloc.h
    "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
)

class Books(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in FIELDS.split()]

mallinfo2 = ctypes.CDLL(None).mallinfo2
mallinfo2.restype = Books
results = [mx.full(({BYTES} // 4,), number) for number in range({RESULTS})]
mx.eval(results)
del results
print(mallinfo2().fordblks)  # bytes that are free and have not gone back to the system
"""


def kept(first: str) -> int:
    command = [sys.executable, "-c", PROGRAM.format(first=first)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_freed_memory_is_kept_for_the_next_result() -> None:
    assert kept("") < RESULTS * BYTES / 2 < kept("import reference.mlx")
