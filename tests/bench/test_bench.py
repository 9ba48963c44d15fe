"""The bench measures what it says; how fast anything is, no test asserts."""

import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

import reference
from reference.__main__ import main
from reference.backend import BACKENDS
from reference.bench import Timing, _texts, bench, growth, table, worker
from reference.bench.machine import Load, peak_memory
from reference.bench.plot import draw
from reference.bench.tasks import OURS, TASKS, with_masks
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


ENGINES = ("ctranslate2", "openvino", "onnxruntime")
IN_PROCESS = (
    *(n for n in TASKS["embed"].peers if ":" not in n and n not in ENGINES),
    *BACKENDS,
)
FEWER_BITS = [
    name for name in (*OURS, *TASKS["embed"].peers) if name.endswith((":bfloat16", ":int8"))
]
TEXTS = [*mixed_texts(6), "one"]


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield Path(os.environ["XDG_CACHE_HOME"]) / "encoders-three-ways" / "engines"


def test_every_contestant_does_the_same_work(minilm):
    first, *others = [
        np.asarray(TASKS["embed"].work(name, str(minilm))(TEXTS)) for name in IN_PROCESS
    ]
    for other in others:
        np.testing.assert_allclose(other, first, rtol=1e-6, atol=2e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_does_the_same_work(minilm, tmp_path, cache, engine):
    """In a process of its own, since this one has MLX. What was converted is kept, whole, and
    is another model's only if that has the same files."""
    bert = random_checkpoint(tmp_path / "model", tokenizer=minilm, pooling="mean")
    expected = np.asarray(TASKS["embed"].work("torch", str(bert))(TEXTS))
    before = set(cache.glob("*"))
    for _ in range(2):
        found = _vectors(engine, bert, tmp_path / "vectors.npy")
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=2e-6)
        (made,) = set(cache.glob("*")) - before
        assert made.name.startswith(f"{engine}-")


@pytest.mark.parametrize("name", FEWER_BITS)
def test_fewer_bits_are_nearly_the_same_work(minilm, tmp_path, cache, name):
    """And not quite: a dtype that was ignored would give the very numbers of float32."""
    bert = random_checkpoint(tmp_path / "model", tokenizer=minilm, pooling="mean")
    exact = np.asarray(TASKS["embed"].work("torch", str(bert))(TEXTS))
    found = _vectors(name, bert, tmp_path / "vectors.npy")
    lengths = np.linalg.norm(exact, axis=1) * np.linalg.norm(found, axis=1)
    assert ((exact * found).sum(1) / lengths).min() > 0.99
    if name != "openvino:bfloat16":  # which it takes only where the processor has it
        assert np.abs(exact - found).max() > 1e-4


def _vectors(engine, folder, path):
    code = (
        "import sys, numpy; from reference.bench.tasks import TASKS; name, folder, path, "
        "*texts = sys.argv[1:]; numpy.save(path, TASKS['embed'].work(name, folder)(texts))"
    )
    subprocess.run([sys.executable, "-c", code, engine, folder, path, *TEXTS], check=True)
    return np.load(path)


def test_what_an_engine_cannot_have_is_left_out(long_model, capfd):
    work = Workload("one", "a", "two", ["a", "b"])
    (timing,) = bench(
        str(long_model), ["ctranslate2", "candle"], 1, work, spare=["ctranslate2"], repeats=0
    )
    assert timing.name == "candle"
    said = capfd.readouterr().err
    assert "ctranslate2 cannot convert" in said and "ctranslate2 is left out" in said
    with pytest.raises(InputError, match="ctranslate2 stopped"):
        bench(str(long_model), ["ctranslate2"], 1, work, repeats=0)


def test_a_round_that_others_disturb_is_done_again(minilm, monkeypatch):
    """Of three rounds the first is disturbed, and the second, and it is done again but once."""
    loads = iter([0, 50, 100, 140, 200, 200])  # of 100 ticks in each round the others' share

    class Counted:
        times = 0

        def __init__(self, task, name, folder, threads):
            self.name, self.pid = name, os.getpid()

        def time(self, texts):
            Counted.times += 1
            return 1.0

        start = time

        def close(self):
            pass

    monkeypatch.setattr("reference.bench.Contestant", Counted)
    monkeypatch.setattr("reference.bench.PAUSE", 0)
    had = itertools.count(0, 100)
    monkeypatch.setattr(Load, "now", lambda processes: Load(next(had), next(loads), 0))
    (timing,) = bench(minilm, ["torch"], 2, Workload("one", "a", "two", ["a", "b"]), repeats=1)
    assert timing.others == pytest.approx((0.4 + 0.0) / 2)
    assert Counted.times == 2 + 2 + 3 * 2  # two starts, first runs, and three rounds
    shown = table([timing])
    assert shown.endswith(
        "Other work took 20% of the machine meanwhile: it was not quiet, and the numbers are "
        "worth less."
    )


def test_the_work_of_others_is_what_is_not_ours(tmp_path):
    def processor(user, idle, ours):
        (tmp_path / "stat").write_text(f"cpu {user} 0 0 {idle} 0 0 0 0 0 0\n")
        for pid, ticks in ((os.getpid(), 0), (7, ours)):
            (tmp_path / str(pid)).mkdir(exist_ok=True)
            times = " ".join(["0"] * 11)
            (tmp_path / str(pid) / "stat").write_text(f"{pid} (a) b) R {times[2:]} {ticks} 0 0")
        return Load.now([7], tmp_path)

    before = processor(100, 100, 50)
    assert processor(180, 120, 110).others_since(before) == pytest.approx(0.2)
    assert processor(90, 120, 110).others_since(before) == 0.0
    assert Load.now([8], tmp_path) is None


def test_cores_are_those_that_were_said(minilm):
    contestant = Contestant("embed", "candle", minilm, threads=1)
    try:
        assert contestant.time(["a text"]) > 0
        if hasattr(os, "sched_getaffinity"):
            assert len(os.sched_getaffinity(contestant.pid)) == 1
    finally:
        contestant.close()


def test_growth_is_a_power(monkeypatch, made_for):
    """Of a contestant that takes the square of what it is given, and another."""

    class Squared:
        def __init__(self, task, name, folder, threads):
            self.name, self.pid = name, os.getpid()
            layers = json.loads((folder / "config.json").read_text())["num_hidden_layers"]
            self.layers, self.first = layers, True

        def time(self, texts):
            self.first, first = False, self.first
            size = self.layers if self.name == "torch" else len(texts)
            return 9.0 if first else size**2 / 1000

        def close(self):
            pass

    monkeypatch.setattr("reference.bench.growth.Contestant", Squared)
    folder = str(made_for("embed"))
    (found,) = growth.grow(folder, ["torch"], "layers", 2, pause=0)
    assert found.sizes == (1, 2, 4) and found.ms == (1.0, 4.0, 16.0)
    (found,) = growth.grow(folder, ["candle"], "batch", 2, pause=0)
    assert found.sizes == (1, 2, 4, 8, 16, 32, 64) and found.exponent == pytest.approx(2)
    assert growth.table([found], "batch").splitlines()[1].endswith("2.00")


def test_the_time_falls_with_the_cores(monkeypatch, made_for):
    class Shared:
        def __init__(self, task, name, folder, threads):
            self.threads = threads

        def time(self, texts):
            return 12.0 / self.threads

        def close(self):
            pass

    monkeypatch.setattr("reference.bench.growth.Contestant", Shared)
    monkeypatch.setattr("reference.bench.growth.cores", lambda: 6)
    folder = str(made_for("embed"))
    (found,) = growth.grow(folder, ["torch"], "cores", 1, pause=0)
    assert found.sizes == (1, 2, 4, 6) and found.ms == (12_000, 6_000, 3_000, 2_000)
    assert found.exponent == pytest.approx(-1)
    with pytest.raises(InputError, match="leave that out"):
        growth.grow(folder, ["torch"], "cores", 1, threads=2)
    monkeypatch.setattr("reference.bench.growth.cores", lambda: 1)
    with pytest.raises(InputError, match="too few cores"):
        growth.grow(folder, ["torch"], "cores", 1)


def test_growth_is_measured(made_for, tmp_path, capfd):
    path = tmp_path / "growth.json"
    arguments = (
        "--grow tokens --task classify --backends candle --peers none --rounds 1".split()
    )
    folder = str(made_for("classify"))
    assert main(["bench", folder, *arguments, "--json", str(path)]) == 0
    (record,) = json.loads(path.read_text())
    assert record["name"] == "candle" and record["sizes"][:2] == [16, 32]
    assert all(ms > 0 for ms in record["ms"]) and "exponent" in capfd.readouterr().out
    assert main(["bench", "--grow", "batch", "--plot", str(tmp_path / "a.png")]) == 2
    assert "--grow and --plot do not go together" in capfd.readouterr().err


def test_bars_are_drawn(tmp_path, capfd):
    work = Workload("one", "a", "two", ["a", "b"])
    for name in ("bars.png", "bars.svg"):
        draw([Timing("a", 10.0, 100.0), Timing("torch", 5.0, 300.0)], work, tmp_path / name)
        assert (tmp_path / name).stat().st_size > 1000
    assert main(["bench", "--plot", str(tmp_path / "bars.gif")]) == 2
    assert "must end with .png or .svg" in capfd.readouterr().err
    assert main(["bench", "--threads", "0"]) == 2
    assert "--threads" in capfd.readouterr().err


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
    assert all(timing.start_s > timing.latency_ms / 1000 for timing in timings)
    lines = capfd.readouterr().out.splitlines()
    if Load.now([]) is not None:  # where the system tells
        assert lines.pop().startswith("Other work took")
        assert all(100 < timing.memory_mb < 10_000 for timing in timings)
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
        def __init__(self, task, name, folder, threads):
            self.name, self.pid = name, os.getpid()
            self.seconds = iter([0.0] * 2 + [s for s in rounds[name] for _ in range(2)])

        def time(self, texts):
            return next(self.seconds)

        def start(self, texts):
            return {"transformers": 3.0, "torch": 2.0}[self.name]

        def close(self):
            pass

    monkeypatch.setattr("reference.bench.Contestant", Timed)
    monkeypatch.setattr("reference.bench.PAUSE", 0)
    work = Workload("one", "a", "two", ["a", "b"])
    first, second = bench(minilm, [*rounds], 3, work, repeats=0)
    assert first.latency_speed == first.throughput_speed == 1.0
    assert second.latency_speed == second.throughput_speed == 2.0
    assert first.latency_ms == second.latency_ms == 10_000 and first.throughput == 0.2
    assert first.latency_spread == (30 - 6) / 10
    assert (first.start_s, second.start_s) == (3.0, 2.0)


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


def test_a_peer_that_is_not_installed_is_named(minilm, monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match="sentence-transformers is not installed; install it"):
        Contestant("embed", "sentence-transformers", minilm)
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    with pytest.raises(InputError, match="candle-transformers is not installed; run make p"):
        Contestant("embed", "candle-transformers", minilm)


def test_a_program_is_a_contestant(minilm, monkeypatch, tmp_path):
    """It is given the folder, answers with seconds, and is told how many threads it has."""
    program = tmp_path / "peers" / "bin" / "embed-with-mlx-embeddings"
    program.parent.mkdir(parents=True)
    lines = f"""\
        #!{sys.executable}
        import json, os, sys
        assert sys.argv[1:] == [{str(minilm)!r}]
        print(0.0, flush=True)
        for line in sys.stdin:
            print(len(json.loads(line)) + int(os.environ["RAYON_NUM_THREADS"]) / 8, flush=True)
    """
    program.write_text(textwrap.dedent(lines))
    program.chmod(0o755)
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    monkeypatch.setattr("reference.bench.PAUSE", 0)
    work = Workload("one", "a", "two", ["a", "b"])
    (timing,) = bench(str(minilm), ["mlx-embeddings"], 1, work, threads=4, repeats=0)
    assert timing.latency_ms == 1500.0 and timing.throughput == 2 / 2.5


@pytest.mark.parametrize("name", TASKS["embed"].programs)
def test_a_program_does_the_same_work(minilm, tmp_path, name):
    """Where `make peers` has installed it."""
    program = worker.program("embed", name)
    if program is None:
        pytest.skip("make peers installs it")
    path, line = tmp_path / "vectors.safetensors", json.dumps(TEXTS) + "\n"
    subprocess.run([program, minilm, path], input=line, text=True, check=True)
    found = safetensors.torch.load_file(path)["vectors"].numpy()
    expected = np.asarray(TASKS["embed"].work("torch", str(minilm))(TEXTS))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=2e-6)


def test_what_a_process_held_at_most_is_told(tmp_path):
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "status").write_text("Name:\tx\nVmHWM:\t   2000 kB\nVmRSS:\t 9 kB\n")
    assert peak_memory(7, tmp_path) == 2.048
    assert peak_memory(8, tmp_path) is None
