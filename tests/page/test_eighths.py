"""What a page loads: weights in eight bits, in parts, under their versions."""

import base64
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from safetensors.numpy import load_file, save_file

import reference
from reference.checkpoint import locate
from tests.page.wasm import KEPT, ROOT

MINILM = Path(locate("sentence-transformers/all-MiniLM-L6-v2"))
SOURCE = ROOT / "book" / "_extensions" / "model_in_page.py"


@pytest.fixture(scope="module")
def extension():
    found = importlib.util.spec_from_file_location("model_in_page", SOURCE)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


NUMBERS = st.floats(-100, 100, width=32).filter(lambda x: x == 0 or abs(x) > 1e-3)


@given(array=arrays.arrays(np.float32, (3, 64), elements=NUMBERS))
def test_eight_bits_are_right_to_half_a_step(extension, array):
    whole, scales = extension.in_eight_bits(array)
    assert whole.dtype == np.int8
    assert whole.shape == array.shape
    groups, scales = array.reshape(-1, 32), scales.astype(np.float64)[:, None]
    widened = whole.reshape(-1, 32) * scales
    # The scale itself is rounded to float16, so the largest number is off by a bit more.
    largest = np.abs(groups).max(axis=1, keepdims=True)
    assert (np.abs(widened - groups) <= scales / 2 + largest * 2.0**-10 + 2e-7).all()


def test_a_model_in_eight_bits_stays_near(wasm, extension, tmp_path):
    for path in MINILM.rglob("*.json"):
        target = tmp_path / path.relative_to(MINILM)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(path.read_bytes())
    packed = extension.weights_in_eight_bits(MINILM / "model.safetensors")
    assert len(packed) < 25_000_000
    (tmp_path / "model.safetensors.int8").write_bytes(packed)
    wasm.put(tmp_path, "eighths")
    wasm.load("eighths", "eighths")
    texts = [text for text in SENTENCES if text]
    found = np.array(wasm.ask(do="embed", name="eighths", texts=texts)["vectors"])
    encoder = reference.load(str(MINILM), backend="candle")
    cosines = (found * encoder.encode(texts)).sum(axis=1)
    assert cosines.min() > 0.999
    assert cosines.min() < 0.999999  # or the weights were not in eight bits


SENTENCES = (
    "The cat is asleep on the sofa.",
    "Rents rose again.",
    "He deposited the money at the bank.",
    "Returns a view of the array with axes transposed.",
    "¿Dónde está la biblioteca?",
    "x",
)


def test_parts_make_the_whole(extension, tmp_path):
    content = bytes(range(256)) * 30_000
    about = extension.in_parts("thing", content, tmp_path)
    assert about["bytes"] == len(content)
    texts = [
        (tmp_path / f"thing-{number}.js").read_text(encoding="ascii")
        for number in range(about["parts"])
    ]
    found = [json.loads(f"[{text.partition('(')[2].rpartition(')')[0]}]") for text in texts]
    assert [part[:2] for part in found] == [["thing", n] for n in range(about["parts"])]
    assert b"".join(base64.b64decode(part[2]) for part in found) == content
    other = extension.in_parts("thing", content + b"!", tmp_path)
    assert other["version"] != about["version"]


def test_files_in_a_row_are_listed_before_them(extension):
    row = extension.packed({"a.json": b"{}", "b/c": b"\n\n"})
    assert row == b'[["a.json", 2], ["b/c", 2]]\n{}\n\n'


def test_what_is_kept_is_small_enough_to_keep():
    assert KEPT.stat().st_size <= 2 << 20


def test_tensors_that_do_not_fit_groups_stay_as_they_are(extension, tmp_path):
    tensors = {
        "bias": np.ones(64, np.float32),
        "odd": np.ones((3, 5), np.float32),
        "even": np.ones((4, 32), np.float32),
    }
    save_file(tensors, tmp_path / "a.safetensors")
    (tmp_path / "b.safetensors").write_bytes(
        extension.weights_in_eight_bits(tmp_path / "a.safetensors")
    )
    found = {name: array.dtype for name, array in load_file(tmp_path / "b.safetensors").items()}
    assert found == {
        "bias": np.float32,
        "odd": np.float32,
        "even": np.int8,
        "even.scales": np.float16,
    }
