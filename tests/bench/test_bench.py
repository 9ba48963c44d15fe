"""The bench measures what it says; how fast anything is, no test asserts."""

import argparse
import json
import shutil

import numpy as np
import pytest
import safetensors.torch
import torch

from reference.__main__ import main
from reference.bench import Timing, _texts, long_texts, mixed_texts, table
from reference.bench.worker import PEERS, Contestant, encoder
from reference.errors import InputError
from reference.families.reading import read_config
from reference.parity import random_checkpoint
from reference.parity.random_models import SWITCHES
from reference.text import read_tokenizer


def test_every_contestant_does_the_same_work(minilm):
    texts = [*mixed_texts(6), "one"]
    first, *others = [
        np.asarray(encoder(name, str(minilm))(texts))
        for name in (*PEERS, "torch", "mlx", "candle")
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


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_opens_no_pickle(minilm, tmp_path, name):
    folder = shutil.copytree(minilm, tmp_path / "model")
    tensors = safetensors.torch.load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(tensors, folder / "pytorch_model.bin")
    with pytest.raises(OSError, match=r"model\.safetensors"):
        encoder(name, str(folder))


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


def test_ratios_are_speeds():
    shown = table([Timing("a", 10.0, 100.0), Timing("b", 5.0, 300.0)]).splitlines()[-1]
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
    timed = "--backends torch --peers none --rounds 1 --json".split()
    assert main(["bench", str(long_model), *timed, str(path)]) == 0
    assert "one text of 4,096" in capfd.readouterr().out
    assert [record["name"] for record in json.loads(path.read_text())] == ["torch"]
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
    with pytest.raises(InputError, match="torch stopped with exit status 1"):
        Contestant("torch", tmp_path)


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
                "torch",
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
    assert captured.out == "" and "error: torch stopped with exit status -9" in captured.err


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
        Contestant("sentence-transformers", minilm)
