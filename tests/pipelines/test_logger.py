"""The logger of a model: what a line says in each port, what it changes, which is nothing, and
that it goes as it came."""

import logging
import threading

import numpy as np
import pytest

import reference
from reference.backend import BACKENDS, DTYPES
from reference.errors import InputError
from reference.families import ARCHITECTURES
from reference.parity import random_checkpoint
from reference.pipelines.logged import statistics

IDS = np.array([[5, 6, 7, 8, 9], [10, 11, 12, 0, 0]])
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of embeddings, with MiniLM's words and weights of its own."""
    path = tmp_path_factory.mktemp("logger") / "bert"
    minilm = "sentence-transformers/all-MiniLM-L6-v2"
    return random_checkpoint(path, "BertModel", pooling="mean", tokenizer=minilm)


@pytest.fixture
def model(folder, backend):
    return reference.load(folder, backend=backend)


@pytest.fixture
def facts(caplog):
    """What the lines say, one after the other, and forgotten when read."""

    def read():
        found = [record.facts for record in caplog.records if record.name == "reference.model"]
        caplog.clear()
        return found

    return read


def operations(lines):
    return [line["operation"] for line in lines if "operation" in line]


@pytest.mark.parametrize(
    ("architecture", "last"),
    [
        ("BertForMaskedLM", "cls.predictions.decoder"),
        ("ModernBertForTokenClassification", "classifier"),
        ("ModernBertForMultipleChoice", "classifier"),
        ("RopeEncoderModel", "final_norm"),
        ("DistilBertForSequenceClassification", "classifier"),
        ("MPNetModel", "pooler"),
    ],
)
def test_all_operations_have_a_line_and_the_ports_agree(tmp_path, facts, architecture, last):
    folder = random_checkpoint(tmp_path / architecture, architecture)
    ids, mask = IDS, MASK
    if ARCHITECTURES[architecture].task.row == "choice":
        ids, mask = ids[None], mask[None]
    told = {}
    for backend in BACKENDS:
        model = reference.load(folder, backend=backend)
        plain = model.forward(ids, mask)
        model.logger.enable("all")
        logged = model.forward(ids, mask)
        told[backend] = facts()
        for name, array in plain.items():
            np.testing.assert_allclose(logged[name], array, **CLOSE)
    first = told["torch"]
    assert set(operations(first)) == set(model.logger._about.paths) - {"sentence_embedding"}
    assert operations(first)[0].endswith("embeddings")
    assert operations(first)[-1] == last
    for backend, lines in told.items():
        assert operations(lines) == operations(first)
        for ours, theirs in zip(lines[:-1], first[:-1], strict=True):
            for name in ("pass", "operation", "shape", "dtype", "nan", "inf"):
                assert ours[name] == theirs[name], (backend, ours["operation"])
            for name in ("mean", "std", "min", "max", "first", "last"):
                np.testing.assert_allclose(ours[name], theirs[name], **CLOSE)
        assert lines[-1]["backend"] == backend
        assert lines[-1]["architecture"] == architecture
        assert (lines[-1]["texts"], lines[-1]["tokens"]) == (2, 8)


def test_a_line_says_what_the_operation_returned(model, facts):
    padded = reference.inputs.check_padded(model.config, IDS, MASK)
    truth = model.model.trace(padded, ["embeddings"])["embeddings"][MASK == 1]
    with model.logger.enabled("all", modules="embeddings"):
        model.forward(IDS, MASK)
    line, info = facts()
    assert line["shape"] == (2, 5, 32)
    assert line["dtype"] == "float32"
    for name in ("mean", "std", "min", "max"):
        np.testing.assert_allclose(line[name], getattr(truth, name)(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(line["first"], truth[0, :3], rtol=1e-5)
    np.testing.assert_allclose(line["last"], truth[-1, -3:], rtol=1e-5)
    assert info["device"].split(":")[0] in ("cpu", "gpu")
    assert info["batch"] == (2, 5)
    assert 0 < info["seconds"] < 60


@pytest.mark.parametrize("category", ["shapes", "statistics", "values", "info"])
def test_a_category_is_told_alone(model, facts, category):
    keys = {
        "shapes": {"shape", "dtype"},
        "statistics": {"mean", "std", "min", "max", "nan", "inf"},
        "values": {"first", "last"},
    }
    with model.logger.enabled({category}):
        model.encode(["a cat", "two dogs"])
    lines = facts()
    if category == "info":
        assert len(lines) == 1
        assert (lines[0]["call"], lines[0]["texts"]) == ("embed", 2)
    else:
        assert {frozenset(line) for line in lines} == {
            frozenset(keys[category] | {"pass", "operation"})
        }


def test_encode_makes_one_pass_and_ends_with_its_vectors(folder, facts):
    """MLX computes on a CPU a few texts at a time, and in one go while it is watched."""
    texts = ["a rather long text about a cat " * 4] * 40
    told = {}
    for backend in BACKENDS:
        model = reference.load(folder, backend=backend)
        if backend == "mlx":
            model.model.tokens_at_once = 64
        plain = model.encode(texts)
        with model.logger.enabled("shapes"):
            np.testing.assert_allclose(model.encode(texts), plain, rtol=1e-5, atol=1e-6)
        told[backend] = facts()
        assert told[backend] == told["torch"]
        assert told[backend][-1]["operation"] == "sentence_embedding"
        assert told[backend][-1]["shape"][1] == 32


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_the_dtype_is_the_models_own(folder, backend, facts, dtype):
    if dtype not in DTYPES[backend]:
        pytest.skip(f"{backend} has no {dtype}")
    model = reference.load(folder, backend=backend, dtype=dtype)
    with model.logger.enabled("shapes", modules="encoder.layer.0.attention.self.query"):
        model.encode(["a cat"])
    assert [line["dtype"] for line in facts()] == [dtype]


def test_when_off_the_ports_own_model_computes(model, facts):
    plain = model.model
    assert type(plain).__module__.startswith(f"reference.{model.backend}") or (
        model.backend == "candle" and type(plain).__name__ == "Model"
    )
    model.logger.disable()  # it is off already
    model.logger.enable()
    assert model.model is not plain
    model.logger.enable("values")  # takes the place of the first
    model.encode(["a cat"])
    assert "shape" not in facts()[0]
    assert repr(model.logger).startswith("<ModelLogger: values of ")
    model.logger.disable()
    model.logger.disable()
    assert model.model is plain
    assert repr(model.logger) == "<ModelLogger: off>"
    model.encode(["a cat"])
    assert facts() == []


def test_modules_are_chosen_by_patterns(model, facts):
    with model.logger.enabled("shapes", modules="*.attention.*"):
        model.encode(["a cat"])
    some = operations(facts())
    assert len(some) == 6 * model.config.num_hidden_layers
    assert all(".attention." in path for path in some)
    with model.logger.enabled("shapes", modules=["*.1.output", "sentence_*"]):
        model.encode(["a cat"])
    assert operations(facts()) == ["encoder.layer.1.output", "sentence_embedding"]


def test_of_so_many_passes_the_first_is_told(model, facts):
    with model.logger.enabled("info", every=3):
        for _ in range(7):
            model.forward(IDS)
        model.logger.enable("info", every=3)  # counts anew
        model.forward(IDS)
    assert [line["pass"] for line in facts()] == [1, 4, 7, 1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"categories": "shape"}, r"category 'shape' is unknown \(did you mean shapes\?\)"),
        ({"categories": ["info", "x"]}, "category 'x' is unknown; there are shapes, stat"),
        ({"categories": ()}, "categories is .*; it must be a name, or a set or list of them"),
        ({"categories": 3}, "categories is 3; it must be a name"),
        ({"modules": [b"x"]}, "modules is .*; it must be a name"),
        (
            {"modules": "encoder.layer.1.attention.self.quary"},
            r"no operation of BertModel matches .*did you mean encoder.layer.1.attention",
        ),
        ({"modules": ["*", "x.*"]}, r"matches the pattern 'x.\*'; they go from embeddings to"),
        ({"every": 0}, "every is 0; it must be a whole number of at least 1"),
    ],
)
def test_what_is_unknown_is_refused_at_once(folder, options, message):
    model = reference.load(folder)
    plain = model.model
    for call in (model.logger.enable, model.logger.enabled):
        with pytest.raises(InputError, match=message):
            call(**options)
    assert model.model is plain


def test_a_with_ends_as_it_began(model, facts):
    plain, logger = model.model, model.logger
    logger.enable("info")
    with logger.enabled("shapes", modules="embeddings"):
        with pytest.raises(KeyError, match="stop"), logger.enabled("values"):
            raise KeyError("stop")
        model.forward(IDS)
        assert set(facts()[0]) == {"pass", "operation", "shape", "dtype"}
        logger.disable()  # until the end of this `with`
        assert model.model is plain
    model.forward(IDS)
    assert [line["call"] for line in facts()] == ["forward"]
    logger.disable()
    with pytest.raises(InputError), logger.enabled():
        model.forward([[10**6]])
    assert model.model is plain


def test_a_pass_that_fails_leaves_no_watcher(model, facts, monkeypatch):
    """A handler of the user's may raise, in candle in the middle of Rust."""

    def refuse(record):
        raise RuntimeError("the disk is full")

    log = logging.getLogger("reference.model")
    monkeypatch.setattr(log, "filters", [refuse])
    before = model.encode(["a cat"])
    with model.logger.enabled("shapes"), pytest.raises(RuntimeError, match="disk is full"):
        model.encode(["a cat"])
    np.testing.assert_array_equal(model.encode(["a cat"]), before)
    monkeypatch.undo()
    with model.logger.enabled("shapes", modules="embeddings"):
        model.encode(["a cat"])
    assert len(facts()) == 1


def test_threads_see_their_own_passes(model, facts):
    """Each pass is told once and whole, however many are under way."""
    plain, threads, passes = model.model, 4, 8
    texts = ["a cat"]
    truth = model.encode(texts)
    barrier = threading.Barrier(threads)
    wrong = []

    def work():
        barrier.wait()
        for _ in range(passes):
            with model.logger.enabled("shapes", modules=["embeddings", "*.1.output"]):
                if not np.allclose(model.encode(texts), truth, rtol=1e-5, atol=1e-6):
                    wrong.append(1)

    others = [threading.Thread(target=work) for _ in range(threads)]
    for thread in others:
        thread.start()
    for thread in others:
        thread.join()
    assert not wrong
    assert model.model is plain
    paths = operations(facts())
    assert paths.count("embeddings") == paths.count("encoder.layer.1.output")
    assert len(paths) == 2 * threads * passes


def test_scopes_of_threads_may_end_in_any_order(model):
    plain = model.model
    first, second = model.logger.enabled("info"), model.logger.enabled("values")
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert repr(model.logger).startswith("<ModelLogger: values")
    second.__exit__(None, None, None)
    assert model.model is plain


def test_without_handlers_lines_go_to_stderr(folder, monkeypatch, capsys):
    """The test run has handlers of its own at the root."""
    log = logging.getLogger("reference.model")
    monkeypatch.setattr(log, "propagate", False)
    model = reference.load(folder)
    with model.logger.enabled("all", modules="*.1.output"):
        model.forward(IDS, MASK)
    out, err = capsys.readouterr()
    line, info = err.splitlines()
    assert out == ""
    assert line.startswith("encoder.layer.1.output  [2, 5, 32]      float32  mean ")
    assert "nan 0 inf 0" in line
    assert "values" in line
    assert info.startswith("pass 1: forward of BertModel on torch, float32, cpu: texts 2, ")
    handler = logging.Handler()
    records = []
    handler.emit = records.append
    log.addHandler(handler)
    try:
        with model.logger.enabled("info"):
            model.forward(IDS)
    finally:
        log.removeHandler(handler)
    assert len(records) == 1
    assert capsys.readouterr().err == ""


def test_statistics_tell_what_is_not_finite():
    found = statistics(np.array([1.0, 3.0, np.nan, np.inf, -np.inf], np.float32))
    assert found == {"mean": 2.0, "std": 1.0, "min": 1.0, "max": 3.0, "nan": 1, "inf": 2}
    nothing = statistics(np.array([np.nan], np.float32))
    assert np.isnan(nothing["mean"])
    assert nothing["nan"] == 1
