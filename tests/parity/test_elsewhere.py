"""A stranger's port in a process of its own: what it returns, and every way to end without."""

import sys

import numpy as np
import pytest

import reference
from reference.errors import InputError
from reference.parity.elsewhere import elsewhere

# Word embeddings and their norm, in NumPy, by somebody who adds epsilon outside the root.
STRANGER = """
import sys
import numpy as np
from safetensors.numpy import load_file, save_file

weights = load_file(sys.argv[1] + "/model.safetensors")
batch = load_file(sys.argv[2])
e = "embeddings."
x = weights[e + "word_embeddings.weight"][batch["input_ids"]]
x = x + weights[e + "position_embeddings.weight"][: x.shape[1]]
x = x + weights[e + "token_type_embeddings.weight"][batch["token_type_ids"]]
x = x - x.mean(-1, keepdims=True)
x = x / (EPSILON)
x = x * weights[e + "LayerNorm.weight"] + weights[e + "LayerNorm.bias"]
save_file({"trace.embeddings": x.astype(np.float32)}, sys.argv[3])
"""
RIGHT = "np.sqrt((x * x).mean(-1, keepdims=True) + 1e-4)"
WRONG = "np.sqrt((x * x).mean(-1, keepdims=True)) + 1e-4"


@pytest.mark.parametrize(("epsilon", "right"), [(RIGHT, True), (WRONG, False)])
def test_a_program_is_held_against_the_oracle(random_folder, epsilon, right):
    code = STRANGER.replace("EPSILON", epsilon)
    port = elsewhere([sys.executable, "-c", code, random_folder])
    report = reference.parity.compare(random_folder, backends=(), port=port)
    assert [row.tensor for row in report.rows] == ["trace.embeddings"]
    assert report.passed is right
    if not right:
        assert report.first_divergence["port"].operation == "embeddings"


def test_names_in_the_file_become_groups(tmp_path):
    code = (
        "import sys, numpy as np; from safetensors.numpy import save_file; "
        "save_file({f'hidden_states.{n}': np.full(1, n) for n in (10, 2, 0)} | "
        "{'trace.encoder.layer.0': np.ones(1), 'logits': np.ones(1)}, sys.argv[2])"
    )
    ids = np.ones((1, 1), np.int64)
    found = elsewhere([sys.executable, "-c", code])(ids, ids, ids)
    assert [int(state[0]) for state in found["hidden_states"]] == [0, 2, 10]
    assert set(found["trace"]) == {"encoder.layer.0"} and "logits" in found


# One of our own ports, which hands in all that a port in this process may.
OURS = """
import sys
from safetensors.numpy import load_file, save_file
import numpy as np
import reference
from reference.inputs import Inputs

model = reference.load(sys.argv[1], backend="candle").model
given = load_file(sys.argv[2])
labels = given.pop("labels", None)
assert (labels is None) == ("cu_seqlens" in given) == ("attention_mask" not in given)
inputs = Inputs(given["input_ids"], given.get("attention_mask"), given["token_type_ids"],
                given.get("cu_seqlens"))
outputs = model.forward(inputs, True)
states = outputs.pop("hidden_states")
outputs |= {f"hidden_states.{number}": state for number, state in enumerate(states)}
if labels is not None:
    loss, gradients = model.gradients(inputs, labels)
    outputs["loss"] = np.array(loss * FACTOR)
    outputs |= {f"gradients.{key}": gradient for key, gradient in gradients.items()}
arrays = {key: np.asarray(array, order="C") for key, array in outputs.items()}
save_file(arrays, sys.argv[3])
"""


@pytest.mark.parametrize(("factor", "wrong"), [("1", set()), ("1.001", {"loss"})])
def test_a_program_takes_labels_and_packed_rows(random_folder, factor, wrong):
    command = [sys.executable, "-c", OURS.replace("FACTOR", factor), random_folder]
    port = elsewhere(command, takes=("labels", "cu_seqlens"))
    report = reference.parity.compare(random_folder, backends=(), port=port)
    assert {row.tensor for row in report.rows if not row.passed} == wrong
    assert report.unchecked == {"port": ("sentence embedding", "packed sentence embedding")}
    checked = {row.tensor for row in report.rows}
    assert "gradients.embeddings.LayerNorm.bias" in checked
    assert {"loss", "packed.last_hidden_state"} < checked


def test_a_program_takes_what_a_port_takes(random_folder):
    with pytest.raises(InputError, match=r"takes 'mask' is unknown; .* labels, cu_seqlens"):
        elsewhere([sys.executable], takes=("labels", "mask"))


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ([sys.executable, "-c", "raise SystemExit(3)"], "ended with status 3"),
        ([sys.executable, "-c", "1 / 0"], "status 1: .*ZeroDivisionError: division by zero"),
        (
            [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"],
            "was ended by signal 9",
        ),
        ([sys.executable, "-c", "pass"], "has written no out.safetensors"),
        ([sys.executable, "-c", "import time; time.sleep(60)"], "has not ended after 2 sec"),
        (["/no/such/program"], "/no/such/program cannot be run: No such file"),
    ],
)
def test_a_program_that_fails_is_explained(random_folder, command, message):
    port = elsewhere(command, timeout=2 if "sleep" in command[-1] else 600)
    with pytest.raises(InputError, match=f"the port raised InputError: .*{message}"):
        reference.parity.compare(random_folder, backends=(), port=port)
