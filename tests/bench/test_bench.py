"""The bench measures what it says; how fast anything is, no test asserts."""

import argparse
import json
import shutil

import numpy as np
import pytest
import safetensors.torch
import torch

import reference
from reference.__main__ import main
from reference.backend import BACKENDS
from reference.bench import Timing, _texts, bench, table
from reference.bench.tasks import TASKS, with_masks
from reference.bench.worker import Contestant
from reference.bench.workloads import Workload, long_texts, mixed_texts
from reference.checkpoint import locate
from reference.errors import InputError
from reference.families.reading import read_config
from reference.parity import random_checkpoint
from reference.parity.random_models import SWITCHES
from reference.text import read_tokenizer

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
TAGS = ("O", "B-a", "I-a", "B-b", "I-b")
HEADS = {  # of tasks that no embedded model can do, or that are slow there
    "fill": ("BertForMaskedLM", ()),
    "train": ("BertForMaskedLM", ()),
    "classify": ("BertForSequenceClassification", ("good", "bad", "neither")),
    "rank": ("BertForSequenceClassification", ("relevant",)),
    "tag": ("BertForTokenClassification", TAGS),
    "detect": ("BertForMaskedSequence", ("one", "other")),
}


def test_every_contestant_does_the_same_work(minilm):
    texts = [*mixed_texts(6), "one"]
    first, *others = [
        np.asarray(TASKS["embed"].work(name, str(minilm))(texts))
        for name in (*TASKS["embed"].peers, *BACKENDS)
    ]
    for other in others:
        np.testing.assert_allclose(other, first, rtol=1e-6, atol=2e-6)


@pytest.mark.parametrize(
    "pooling",
    [["cls"], ["max"], ["cls", "mean"], ["mean_sqrt_len_tokens", "weightedmean", "lasttoken"]],
)
@pytest.mark.parametrize("normalize", [False, True])
def test_every_contestant_does_the_work_that_the_checkpoint_asks_for(
    minilm, tmp_path, pooling, normalize
):
    folder = random_checkpoint(
        tmp_path / "model", pooling="mean", normalize=normalize, vocab_size=30522
    )
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        shutil.copy(minilm / name, folder)
    settings = {"word_embedding_dimension": 32} | {
        SWITCHES[way]: way in pooling for way in SWITCHES
    }
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(settings))
    prompts = {"prompts": {"query": "query: "}, "default_prompt_name": "query"}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    test_every_contestant_does_the_same_work(folder)


@pytest.fixture(scope="module")
def made_for(minilm, tmp_path_factory):
    """The folder of a small model that can do a task."""
    made = {"embed": minilm, "search": minilm}

    def folder(task):
        if task not in made:
            architecture, labels = HEADS[task]
            names = {"id2label": dict(enumerate(labels))} if labels else {}
            target = tmp_path_factory.mktemp(task)
            made[task] = random_checkpoint(target, architecture, tokenizer=MINILM, **names)
        return made[task]

    return folder


OTHERS = ("embed", "detect", "train")


@pytest.mark.parametrize("task", [task for task in TASKS if task not in OTHERS])
def test_every_contestant_finds_the_same(made_for, task):
    folder = made_for(task)
    tokenizer = read_tokenizer(folder, read_config(folder))
    texts = TASKS[task].prepare(mixed_texts(12), tokenizer)
    for few in (texts, texts[:1]):
        first, *others = [
            TASKS[task].work(name, str(folder))(few) for name in (*TASKS[task].peers, *BACKENDS)
        ]
        expected = THEIRS[task](first)
        assert expected and all(names for names, _ in expected)
        for other in others:
            found = OURS[task](other)
            assert [names for names, _ in found] == [names for names, _ in expected]
            for (_, scores), (_, right) in zip(found, expected, strict=True):
                np.testing.assert_allclose(scores, right, rtol=1e-3, atol=1e-6)


def test_detections_are_timed_beside_vectors_of_the_same_texts(made_for):
    folder = made_for("detect")
    task, tokenizer = TASKS["detect"], read_tokenizer(folder, read_config(folder))
    texts = mixed_texts(6)
    marked = task.prepare([*texts, "two words"], tokenizer)
    assert [text.count("[[") for text in marked] == [4] * 6 + [2]
    vectors = [task.work(name, str(folder))(marked) for name in task.peers]
    with pytest.warns(UserWarning, match="no modules.json"):
        plain = reference.load(folder, pipeline="embeddings").encode([*texts, "two words"])
    for found in vectors:
        np.testing.assert_allclose(found, plain, atol=1e-5)
    for name in BACKENDS:
        assert [len(own) for own in task.work(name, str(folder))(marked)] == [4] * 6 + [2]


def test_every_contestant_learns():
    """Each hides other words, but they take as many steps and the loss falls."""
    texts = mixed_texts(40)
    for name in (*TASKS["train"].peers, *BACKENDS):
        work = TASKS["train"].work(name, str(locate(TASKS["train"].model)))
        losses = [work(texts) for _ in range(4)]
        assert {len(steps) for steps in losses} == {2}, name
        assert np.mean(losses[-1]) < np.mean(losses[0]) - 0.1, name


# What a contestant returned, as names and scores for each text.
THEIRS = {
    "search": lambda found: [_pairs(hits, "corpus_id", "score") for hits in found],
    "fill": lambda found: [_pairs(words, "token_str", "score") for words in found],
    "classify": lambda found: [_pairs(labels, "label", "score") for labels in found],
    "rank": lambda found: [_pairs(found, "corpus_id", "score")],
    "tag": lambda found: [_pairs(spans, "start", "score") for spans in found],
}
OURS = {
    "search": lambda found: [_pairs(hits, "index", "score") for hits in found],
    "fill": lambda found: [_pairs(words, "token", "probability") for (words,) in found],
    "classify": lambda found: [(list(c.labels), list(c.probabilities)) for c in found],
    "rank": lambda found: [_pairs(found, "index", "score")],
    "tag": lambda found: [_pairs(spans, "start", "score") for spans in found],
}


def _pairs(records, name, score):
    records = [r if isinstance(r, dict) else r.to_dict() for r in records]
    return [record[name] for record in records], [record[score] for record in records]


@pytest.mark.parametrize(
    ("task", "name"),
    [(task, name) for task in TASKS if task != "detect" for name in TASKS[task].peers],
)
def test_a_peer_opens_no_pickle(made_for, tmp_path, task, name):
    folder = shutil.copytree(made_for(task), tmp_path / "model")
    tensors = safetensors.torch.load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(tensors, folder / "pytorch_model.bin")
    # What a pipeline raises holds the OSErrors of the classes that it has tried.
    with pytest.raises((OSError, ValueError), match=r"no file named model\.safetensors"):
        TASKS[task].work(name, str(folder))


def test_the_table_and_the_file(tmp_path, capfd):
    path = tmp_path / "timings.json"
    arguments = [
        "--backends",
        "torch",
        "--peers",
        "transformers",
        "--rounds",
        "1",
        "--count",
        "4",
        "--json",
        str(path),
    ]
    assert main(["bench", *arguments]) == 0
    timings = [Timing(**record) for record in json.loads(path.read_text())]
    assert [timing.name for timing in timings] == ["transformers", "torch"]
    assert all(timing.latency_ms > 0 and timing.throughput > 0 for timing in timings)
    lines = capfd.readouterr().out.splitlines()
    assert (
        lines[-2].startswith("transformers")
        and "1.00x" in lines[-2]
        and lines[-1].startswith("torch")
    )


@pytest.mark.parametrize("task", TASKS)
def test_every_task_is_timed(made_for, tmp_path, capfd, task):
    path = tmp_path / "timings.json"
    arguments = ["--task", task, "--backends", "candle", "--peers", "none"]
    arguments += ["--rounds", "1", "--count", "2", "--json", str(path)]
    assert main(["bench", str(made_for(task)), *arguments]) == 0
    (timing,) = json.loads(path.read_text())
    assert timing["name"] == "candle" and timing["latency_ms"] > 0 and timing["throughput"] > 0
    assert "one sentence" in capfd.readouterr().out


def test_a_task_has_its_own_model_and_peers(capfd):
    assert main(["bench", "--task", "rank"]) == 2
    assert "needs a model that ranks, a cross-encoder, and none comes" in capfd.readouterr().err
    assert main(["bench", "--task", "search", "--peers", "transformers"]) == 2
    assert "it is one of sentence-transformers" in capfd.readouterr().err
    with pytest.raises(InputError, match="task 'nothing' is unknown; it is one of embed"):
        bench(MINILM, ["torch"], task="nothing")


def test_masks_are_put_into_texts(made_for):
    folder = made_for("fill")
    tokenizer = read_tokenizer(folder, read_config(folder))
    texts = with_masks(["one", "one two three", "word " * 40], tokenizer)
    assert texts[:2] == ["[MASK]", "one [MASK] three"]
    assert texts[2].split().index("[MASK]") == 5 and len(texts[2].split()) == 40


def test_what_is_compared_was_timed_in_one_round(minilm, monkeypatch):
    """Half the time in two of three rounds is twice the speed; both medians over the rounds are
    10."""
    rounds = {"transformers": [2.0, 10.0, 50.0], "torch": [1.0, 10.0, 25.0]}

    class Timed:
        def __init__(self, task, name, folder):
            self.name = name
            self.seconds = iter([0.0] * 2 + [s for s in rounds[name] for _ in range(2)])

        def time(self, texts):
            return next(self.seconds)

        def close(self):
            pass

    monkeypatch.setattr("reference.bench.Contestant", Timed)
    monkeypatch.setattr("reference.bench.PAUSE", 0)
    first, second = bench(minilm, [*rounds], 3, Workload("one", "a", "two", ["a", "b"]))
    assert first.latency_speed == first.throughput_speed == 1.0
    assert second.latency_speed == second.throughput_speed == 2.0
    assert first.latency_ms == second.latency_ms == 10_000 and first.throughput == 0.2


def test_speeds_are_shown():
    timings = [Timing("a", 10.0, 100.0), Timing("b", 5.0, 300.0, 2.0, 3.0)]
    shown = table(timings).splitlines()[-1]
    assert "2.00x" in shown and "3.00x" in shown


@pytest.fixture
def long_model(minilm, tmp_path):
    """A tiny ModernBERT that takes 8,192 tokens, with a tokenizer."""
    sizes = {
        "vocab_size": 30522,
        "max_position_embeddings": 8192,
        "hidden_size": 16,
        "num_hidden_layers": 1,
    }
    folder = random_checkpoint(
        tmp_path / "long", "ModernBertModel", intermediate_size=16, pooling="mean", **sizes
    )
    shutil.copy(minilm / "tokenizer.json", folder)
    return folder


def test_long_texts_are_as_long_as_they_say(long_model):
    tokenizer = read_tokenizer(long_model, read_config(long_model))
    work = long_texts(tokenizer)
    lengths = [len(tokenizer([text])[0]) for text in work.many]
    assert len(lengths) == 16 and sum(lengths) == pytest.approx(16 * 272, rel=0.01)
    assert (
        sorted(lengths) != lengths and min(lengths) in (31, 32) and max(lengths) in (511, 512)
    )
    assert len(tokenizer([work.one])[0]) in (4095, 4096)


def test_a_model_of_long_texts_is_timed_on_them(long_model, tmp_path, capfd):
    path = tmp_path / "timings.json"
    timed = "--backends candle --peers none --rounds 1 --json".split()
    assert main(["bench", str(long_model), *timed, str(path)]) == 0
    assert "one text of 4,096" in capfd.readouterr().out
    assert [record["name"] for record in json.loads(path.read_text())] == ["candle"]
    few = "--workload sentences --count 3".split()
    assert main(["bench", str(long_model), *timed, str(path), *few]) == 0
    assert "one text of 4,096" not in capfd.readouterr().out


def test_long_texts_are_not_for_every_model(minilm, tmp_path, capfd):
    assert main(["bench", str(minilm), "--workload", "long"]) == 2
    assert "takes 256 tokens" in capfd.readouterr().err
    (tmp_path / "texts.txt").write_text("one\n")
    assert (
        main(
            ["bench", str(minilm), "--workload", "long", "--texts", str(tmp_path / "texts.txt")]
        )
        == 2
    )
    assert "brings its own texts" in capfd.readouterr().err


def test_texts_are_the_same_every_time():
    assert mixed_texts(5) == mixed_texts(5) != mixed_texts(5, seed=1)
    words = [len(text.split()) for text in mixed_texts(200)]
    assert min(words) >= 6 and max(words) <= 90 and np.median(words) < np.mean(words)


def test_a_contestant_that_dies_is_named(tmp_path):
    with pytest.raises(InputError, match="candle stopped with exit status 1"):
        Contestant("embed", "candle", tmp_path)


def test_a_contestant_that_dies_between_rounds_is_an_error(minilm, monkeypatch, capfd):
    """A broken pipe to a worker must not pass for a reader of the table who has seen enough."""
    time = Contestant.time

    def die_first(self, texts):
        self.process.kill()
        self.process.wait()
        return time(self, texts)

    monkeypatch.setattr(Contestant, "time", die_first)
    assert (
        main(
            [
                "bench",
                str(minilm),
                "--backends",
                "candle",
                "--peers",
                "none",
                "--rounds",
                "1",
                "--count",
                "4",
            ]
        )
        == 2
    )
    captured = capfd.readouterr()
    assert captured.out == "" and "error: candle stopped with exit status -9" in captured.err


def test_texts_of_a_file_are_its_lines(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text("one\x0ctext\u2028still the same\n\nanother\n", encoding="utf-8")
    assert _texts(argparse.Namespace(texts=str(path))) == [
        "one\x0ctext\u2028still the same",
        "another",
    ]


def test_a_peer_that_is_not_installed_is_named(minilm, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match="sentence-transformers is not installed"):
        Contestant("embed", "sentence-transformers", minilm)
