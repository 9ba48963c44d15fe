"""A text as long as ModernBERT takes: no layer may hold all scores of all heads at once."""

import subprocess
import sys

import pytest

from reference.backend import BACKENDS
from reference.parity import random_checkpoint

TOKENS = 8192
HEADS = 3
SCORES = HEADS * TOKENS**2 * 4  # bytes that one layer's scores would take: 800 MB
PROGRAM = """
import pathlib, re, resource, sys
import numpy as np, reference

backend, folder, tokens = sys.argv[1], sys.argv[2], int(sys.argv[3])
model = reference.load(folder, backend=backend, pipeline="embeddings")
ids = np.random.default_rng(0).integers(3, 61, (1, tokens))

def peak():  # Linux's ru_maxrss begins with what the process had that started this one
    status = pathlib.Path("/proc/self/status")
    if status.exists():
        return 1024 * int(re.search(r"VmHWM:\\s+([0-9]+)", status.read_text())[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

before = peak()
padded = model.forward(ids, np.ones_like(ids))["last_hidden_state"][0]
packed = model.forward_packed(ids[0], np.array([0, tokens]))["last_hidden_state"]
print(peak() - before, np.isfinite(padded).all(), abs(padded - packed).max())
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A global layer and a local one."""
    sizes = {
        "hidden_size": HEADS * 64,
        "num_attention_heads": HEADS,
        "intermediate_size": 288,
        "num_hidden_layers": 2,
    }
    return random_checkpoint(
        tmp_path_factory.mktemp("wide"),
        pooling="mean",
        architecture="ModernBertModel",
        local_attention=128,
        max_position_embeddings=TOKENS,
        **sizes,
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_text_of_8192_tokens_needs_no_square_of_scores(folder, backend):
    command = [sys.executable, "-c", PROGRAM, backend, str(folder), str(TOKENS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    growth, finite, difference = done.stdout.split()
    # Who makes them all holds their softmax beside them: twice as much. In MLX, of what is
    # freed up to a gigabyte stays with the process.
    assert int(growth) < SCORES
    assert finite == "True" and float(difference) < 1e-4
