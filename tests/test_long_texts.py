"""A text as long as ModernBERT takes, and one of a hundred thousand characters: no layer may
hold all scores of all heads at once."""

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


CHARACTERS = 100_000
FACTOR = 16
SHORT_SCORES = 2 * (CHARACTERS // FACTOR) ** 2 * 4  # bytes, of two heads: 313 MB


@pytest.fixture(scope="module")
def characters(tmp_path_factory):
    """A tower with attention before the text is shortened and in the shortened text."""
    tower = {
        "downsample_factor": FACTOR,
        "n_strided_convs": 2,
        "stride_len": 4,
        "n_conv_filters": 16,
        "num_layers": 1,
        "num_heads": 2,
        "hidden_dim": 24,
        "window": 8,
    }
    place = tmp_path_factory.mktemp("characters")
    sizes = {"n_filters": 16, "max_example_len": CHARACTERS, "towers": [tower]}
    return random_checkpoint(place, "CharEncoderModel", **sizes)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_text_of_100000_characters_needs_none_either(characters, backend):
    """Neither in the window, where all scores would be 80 GB, nor in the shortened text."""
    command = [sys.executable, "-c", PROGRAM, backend, str(characters), str(CHARACTERS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    growth, finite, difference = done.stdout.split()
    # In MLX, of what is freed up to a gigabyte stays with the process.
    assert int(growth) < SHORT_SCORES * (3 if backend == "mlx" else 1)
    assert finite == "True" and float(difference) < 1e-4
