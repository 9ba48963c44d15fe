"""What training holds in memory is decided by the budget, and not by how long the text is."""

import subprocess
import sys

import pytest

GIGABYTE = 10**9
# As a text of many lines has them: words of which each is different, and words that come often.
PROGRAM = """
import sys
from reference.training.tokenizer import Options, tokenizer_files

def texts():
    for number in range(400_000):
        yield f"the word {number * 7919 % 999_983:06}{number % 97} comes again and again"

size = {"unigram": 300, "bpe": 2000, "wordpiece": 2000, "byte-bpe": 2000}[sys.argv[1]]
tokenizer_files(texts(), Options(sys.argv[1], size))
# Not ru_maxrss, which begins with what the process had that started this one.
(peak,) = (line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(peak)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count memory otherwise")
@pytest.mark.parametrize("kind", ["bpe", "byte-bpe"])
def test_many_different_words_take_less_than_a_gigabyte(kind):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, kind],
        capture_output=True,
        text=True,
        check=True,
    )
    assert 1024 * int(done.stdout) < 0.8 * GIGABYTE
