"""Vectors in a file that may be larger than memory, and chunks of a long text."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import reference
from reference.errors import InputError
from reference.pipelines import resumable

TEXTS = [f"text number {number} of a few" for number in range(11)]


@pytest.fixture
def model(minilm, monkeypatch):
    monkeypatch.setattr("reference.pipelines.batching.TEXTS_AT_ONCE", 3)
    return reference.load(minilm)


def test_a_file_of_vectors(model, tmp_path):
    path = tmp_path / "vectors.npy"
    assert model.encode_to(path, iter(TEXTS), truncate_dim=7) == 11
    stored = np.load(path, mmap_mode="r")
    np.testing.assert_allclose(stored, model.encode(TEXTS, truncate_dim=7), atol=1e-6)
    assert list(tmp_path.iterdir()) == [path]
    assert model.encode_to(path, [], precision="binary") == 0
    assert np.load(path).shape == (0, 48) and np.load(path).dtype == np.int8


def test_other_ranges_are_another_file(model, tmp_path, monkeypatch):
    """Ranges are long arrays, of which a print shows the ends: they are told apart all the
    same."""
    monkeypatch.setattr(resumable.GrowingArray, "finish", lambda _: 1 / 0)
    path, ranges = tmp_path / "vectors.npy", np.stack([np.full(384, -1.0), np.ones(384)])
    with pytest.raises(ZeroDivisionError):
        model.encode_to(path, TEXTS, precision="int8", ranges=ranges)
    other = ranges.copy()
    other[1, 200] = 2
    with pytest.raises(InputError, match=r"begun with ranges 'those.*, not 'those[^;]*: go on"):
        model.encode_to(path, TEXTS, precision="int8", ranges=other)
    with pytest.raises(ZeroDivisionError):
        model.encode_to(path, TEXTS, precision="int8", ranges=ranges.tolist())


@pytest.mark.parametrize("step", range(12))
def test_it_goes_on_where_it_was_stopped(model, tmp_path, monkeypatch, step):
    """Stopped before each of its steps with files in turn: the second call makes the rest, the
    same numbers as in one go, and does not make again what was noted."""
    path, steps, made = tmp_path / "vectors.npy", [], []

    def stop(name, function):
        def wrapped(*arguments, **named):
            steps.append(name)
            if len(steps) == step + 1:
                raise KeyboardInterrupt
            return function(*arguments, **named)

        return wrapped

    array = resumable.GrowingArray
    with monkeypatch.context() as patch:
        patch.setattr(resumable, "write_atomically", stop("note", resumable.write_atomically))
        patch.setattr(array, "append", stop("row", array.append))
        patch.setattr(array, "finish", stop("end", array.finish))
        try:
            model.encode_to(path, TEXTS)
        except KeyboardInterrupt:
            assert not path.exists()
    noted = 3 * max(0, steps[:step].count("note"))
    real = model._embed
    model._embed = lambda rows, *args, **named: made.extend(rows) or real(rows, *args, **named)
    if not path.exists():
        assert model.encode_to(path, TEXTS) == 11
        assert len(made) == max(0, 11 - noted)
    np.testing.assert_allclose(np.load(path), model.encode(TEXTS), atol=1e-6)
    assert list(tmp_path.iterdir()) == [path]


def test_a_killed_process_loses_nothing(minilm, tmp_path):
    path, note = tmp_path / "vectors.npy", tmp_path / ".vectors.npy.note"
    code = (
        "import reference, reference.pipelines.batching as batching, signal\n"
        "batching.TEXTS_AT_ONCE = 8\n"
        "def texts():\n"
        "    yield from (f'text {n}' for n in range(120))\n"
        "    signal.pause()  # it never ends by itself, however late it is killed\n"
        f"model = reference.load({str(minilm)!r})\n"
        f"model.encode_to({str(path)!r}, texts())\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    while not note.exists() and process.poll() is None:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not path.exists() and note.exists()
    texts = [f"text {n}" for n in range(60)]
    model = reference.load(minilm)
    with pytest.raises(InputError, match="was begun with other texts"):
        model.encode_to(path, ["another text", *texts[1:]])
    with pytest.raises(InputError) as refused:
        model.encode_to(path, texts, truncate_dim=5, prompt="so: ")
    assert str(refused.value) == (
        f"{path.with_name('.vectors.npy.rows')} was begun with prompt '', not 'so: '; "
        "truncate_dim '384', not '5': go on as it was begun, or remove it"
    )
    begun = note.read_bytes()
    note.write_text('{"rows": 8}')
    with pytest.raises(InputError, match=r"\.vectors\.npy\.note is damaged; remove it"):
        model.encode_to(path, texts)
    note.write_bytes(begun)
    texts = [f"text {n}" for n in range(120)]
    assert model.encode_to(path, texts) == len(texts)
    np.testing.assert_allclose(np.load(path), model.encode(texts), atol=1e-6)
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_it_cannot_write(model, tmp_path):
    with pytest.raises(InputError, match="there is no folder"):
        model.encode_to(tmp_path / "none" / "x.npy", TEXTS)
    with pytest.raises(InputError, match="must be a list of strings"):
        model.encode_to(tmp_path / "x.npy", "a text")
    for path in (None, 5, b"x.npy", ["x.npy"]):
        with pytest.raises(InputError, match=r"^path is .*; it must be the name of a file"):
            model.encode_to(path, TEXTS)
    for path in ("\ud800.npy", "a\0b.npy"):
        with pytest.raises(InputError, match="cannot be written"):
            model.encode_to(path, TEXTS)


LONG = "The cat sat on the wall. It was asleep. Rain fell, and it did not care."
CHUNKS = [(0, 24), (24, 39), (39, len(LONG))]


def test_a_chunk_that_is_all_is_the_text(minilm, backend):
    model = reference.load(minilm, backend=backend)
    whole = model.encode_chunks(LONG, [(0, len(LONG))])
    np.testing.assert_allclose(whole[0], model.encode(LONG), atol=1e-6)


def test_chunks_are_pooled_from_the_whole(minilm, backend):
    """Written once more by hand: hidden states of the whole text, means of the tokens."""
    model = reference.load(minilm, backend=backend)
    (encoding,) = model.tokenizer([LONG])
    hidden = model.forward([encoding])["last_hidden_state"][0]
    starts = [start for start, _ in encoding.offsets]
    inside = [[n for n, s in enumerate(starts) if a <= s < b] for a, b in CHUNKS]
    last = len(encoding) - 1  # [SEP], whose offsets are (0, 0) like those of [CLS]
    members = [sorted({0, *inside[0]} - {last}), inside[1], [*inside[2], last]]
    expected = np.stack([hidden[tokens].mean(axis=0) for tokens in members])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    vectors = model.encode_chunks(LONG, CHUNKS)
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    alone = model.encode([LONG[a:b] for a, b in CHUNKS])
    assert not np.allclose(vectors, alone, atol=0.01)  # "it" by itself knows of no cat


@pytest.mark.parametrize(
    ("text", "chunks", "message"),
    [
        (LONG, [], "chunks is empty"),
        (LONG, [(0, 999)], r"chunks\[0\] is \(0, 999\)"),
        (LONG, [(5, 9), (3, 12)], r"chunks\[1\] is \(3, 12\)"),
        (LONG, [(3, 3)], r"chunks\[0\] is \(3, 3\)"),
        (LONG, [(3, 4)], "no token that begins in it"),
        (LONG, 5, "must be a list of"),
        (LONG, [(0.9, 24)], "chunks is .*; it must be a list of .* of whole numbers"),
        (LONG, ["09"], "of whole numbers"),
        (LONG, [(0, float("inf"))], "of whole numbers"),
        (LONG, [(0, 10**5000)], r"chunks\[0\] is .* that cannot be printed; chunks follow"),
        (LONG, [(-1, 3)], r"chunks\[0\] is \(-1, 3\)"),
        ("word " * 400, [(0, 9)], "146 tokens more than the 256"),
        (5, [(0, 9)], r"text\[0\] is int 5"),
    ],
)
def test_chunks_that_cannot_be(minilm, backend, text, chunks, message):
    with pytest.raises(InputError, match=message):
        reference.load(minilm, backend=backend).encode_chunks(text, chunks)
