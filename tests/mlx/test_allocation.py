"""That memory freed by MLX is used again, seen in the page faults of a process of its own."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux needs it")

PROGRAM = """
{first}
import resource
import mlx.core as mx

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def work():  # sixteen results of 16 MB side by side, 4,096 pages each; then all are freed
    results = [mx.full((1 << 22,), number) for number in range(16)]
    mx.eval(results)

work()
work()
before = faults()
work()
print(faults() - before)
"""


def faults(first: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(first=first)],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


def test_freed_memory_is_used_again() -> None:
    assert faults("import reference.mlx") < 16 * 4096 / 4 < faults("")
