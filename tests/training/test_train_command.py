"""python -m reference train: a model of one's own, from options and from a TOML file."""

import json
import re

import datasets
import pytest

import reference
from reference.__main__ import main, parser
from reference.commands import train
from reference.training.fitting import fit
from tests.training.conftest import sentences
from tests.training.test_fit import TEXTS

RUN = """
objective = "masked-lm"
family = "rope_encoder"
corpus = "text.txt"
tokenizer = "tokenizer"
backend = "candle"
epochs = 1
batch_size = 8
clip = "none"

[model_config]
num_layers = 1
embedding_dim = 16
hidden_dim = 24
num_heads = 2
"""


@pytest.fixture
def here(tokenizers, tmp_path, monkeypatch):
    """A folder with a corpus, a tokenizer and a TOML file."""
    (tmp_path / "text.txt").write_text("\n".join(TEXTS))
    (tmp_path / "tokenizer").symlink_to(tokenizers["rope_encoder"])
    (tmp_path / "run.toml").write_text(RUN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def recipe(folder):
    return json.loads((folder / "recipe.json").read_text())


def test_a_file_and_what_wins_over_it(here, capfd):
    command = ["train", "--config", "run.toml", "--output", "model"]
    options = "--epochs 2 --mask-prob 0.3 --learning-rate 1e-3 --set num_layers=2".split()
    assert main([*command, *options]) == 0
    assert "held out: loss" in capfd.readouterr().err
    found = recipe(here / "model")
    assert found["settings"]["epochs"] == 2 and found["settings"]["clip"] is None
    assert found["settings"]["batch_size"] == 8 and found["backend"] == "candle"
    assert found["objective"]["mask_prob"] == 0.3
    model = reference.load("model")
    assert model.config.num_hidden_layers == 2 and model.config.hidden_size == 16
    # The same as fit's.
    (here / "model").rename(here / "first")
    settings = {"epochs": 2, "mask_prob": 0.3, "learning_rate": 1e-3, "batch_size": 8}
    sizes = {"num_layers": 2, "embedding_dim": 16, "hidden_dim": 24, "num_heads": 2}
    start = {"family": "rope_encoder", "tokenizer": "tokenizer", "model_config": sizes}
    fit("text.txt", "model", **start, **settings, clip=None, backend="candle")
    assert recipe(here / "model") == found


def test_a_model_on_the_line_takes_the_place_of_a_new_one(here, capfd):
    assert main(["train", "--config", "run.toml", "--output", "model"]) == 0
    more = ["--model", "model", "--validation", "text.txt", "--output", "second"]
    assert main(["train", "--config", "run.toml", *more]) == 0
    found = recipe(here / "second")
    assert found["from"] == "the RopeEncoderForMaskedLM of model"
    assert found["samples"] == found["held_out"] == 60


def test_a_dataset_in_a_folder(here, capfd):
    whole = datasets.Dataset.from_dict({"sentence": sentences(30)})
    datasets.DatasetDict({"train": whole}).save_to_disk(here / "data")
    command = ["train", "--config", "run.toml", "--corpus", "data", "--output", "model"]
    assert main(command) == 2
    assert "the dataset has no column 'text'; it has sentence" in capfd.readouterr().err
    assert main([*command, "--columns", "text=sentence"]) == 0
    assert recipe(here / "model")["samples"] > 20
    assert main([*command[:3], "--corpus", "tokenizer", "--dry-run"]) == 2
    assert "is a folder, but no dataset that was saved" in capfd.readouterr().err


def test_a_dry_run_writes_nothing(here, capfd):
    before = sorted(here.iterdir())
    assert main(["train", "--config", "run.toml", "--dry-run"]) == 0
    shown = capfd.readouterr().out
    assert shown.startswith("masked-lm from a new rope_encoder: ") and "parameters; 54" in shown
    assert " steps over " in shown and re.search(r"about \d+ s", shown)
    assert sorted(here.iterdir()) == before


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("", "--objective is missing, one of masked-lm"),
        ("--objective masked-lm", "--corpus is missing"),
        ("--objective masked-lm --corpus text.txt", "--output is missing"),
        ("--task packages", "--task belongs to a recipe, which needs a FOLDER in front"),
        ("model --model x", "FOLDER belongs to a recipe, which has no --model"),
        ("model --layers 2 --mask-prob 1", "--layers belongs to a recipe, which has no --mask"),
        ("--config nowhere.toml", "nowhere.toml cannot be read: there is no such file"),
        ("--config text.txt", "text.txt is not a TOML file"),
        ("--config run.toml --output text.txt", "'text.txt' is no folder to write"),
        ("--config run.toml --dry-run --set num_layers", "'num_layers' is no KEY=VALUE"),
        ("--config run.toml --dry-run --epochs two", "epochs is 'two'; it must be a whole"),
        ("--config run.toml --dry-run --set num_layer=3", "did you mean num_layers"),
        ("--config run.toml --output new --resume", "'new' holds no unfinished run"),
    ],
)
def test_what_cannot_be_meant(command, message, here, capfd):
    assert main(["train", *command.split()]) == 2
    assert message in capfd.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("epoch = 3", "bad.toml has no 'epoch'; did you mean epochs?"),
        ("model_config = 3", "bad.toml: model_config must be a table"),
        ("corpus = 3", "bad.toml: corpus is 3; it must be a string"),
        ("epochs = ", "bad.toml is not a TOML file"),
    ],
)
def test_a_file_that_is_not_understood(content, message, here, capfd):
    (here / "bad.toml").write_text(content)
    assert main(["train", "--config", "bad.toml"]) == 2
    assert message in capfd.readouterr().err


def test_values_on_the_line():
    values = [train.value_of(text) for text in ("1", "1e-3", "true", "[64, 32]", "linear", "")]
    assert values == [1, 1e-3, True, [64, 32], "linear", ""]
    assert train.value_of("none") is train.NONE
    options = parser().parse_args(["train", "--clip", "none"])
    assert options.clip is train.NONE and options.epochs is None
