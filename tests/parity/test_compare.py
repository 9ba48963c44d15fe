"""The promise: each port is no further from the truth than twice Transformers itself."""

import subprocess
import sys
from dataclasses import replace

import pytest

import reference
from reference.backend import BACKENDS, DTYPES, build
from reference.checkpoint import read_checkpoint
from reference.errors import CheckpointError, ConfigError, InputError
from reference.inputs import Inputs
from reference.parity import random_checkpoint
from reference.parity.batch import random_batch
from reference.parity.faults import FAULTS, seed
from reference.parity.subject import Subject


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_minilm(minilm, dtype):
    report = reference.parity.compare(minilm, dtype=dtype)
    assert report.passed, report.table()
    assert report.backends == BACKENDS
    per_backend = [row.tensor for row in report.rows if row.backend == "torch"]
    assert len(per_backend) == 2 * (7 + 2) + 1 + 1 + 103
    assert {"hidden_states.6", "packed.pooler_output", "sentence_embedding", "loss"} < set(
        per_backend
    )
    assert "gradients.embeddings.word_embeddings.weight" in per_backend


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int8"])
def test_minilm_in_half_precision(minilm, dtype):
    backends = [backend for backend in BACKENDS if dtype in DTYPES[backend]]
    report = reference.parity.compare(minilm, backends, dtype)
    assert report.passed, report.table()
    assert not any(row.tensor.startswith("gradients") for row in report.rows)


def test_texts_of_ones_own(minilm):
    report = reference.parity.compare(
        minilm, "torch", texts=["Yes", "A text of a user's own", "and one more"]
    )
    assert report.passed, report.table()


def test_a_checkpoint_of_another_head_is_compared_with_that_head(tmp_path):
    report = reference.parity.compare(
        random_checkpoint(tmp_path, "XLMRobertaForTokenClassification"), ("torch",)
    )
    assert report.passed, report.table()
    assert {"logits", "packed.logits", "gradients.classifier.weight"} < {
        row.tensor for row in report.rows
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backends": ("torch", "tensorflow")}, "backend 'tensorflow' is unknown"),
        ({"backends": ()}, "nothing to compare"),
        ({"dtype": "float8"}, "dtype 'float8' is unknown"),
        (
            {"dtype": "bfloat16", "backends": ("candle",)},
            "dtype 'bfloat16' is not available in candle",
        ),
        ({"dtype": ["float32"]}, "dtype .'float32'. is unknown"),
        (
            {"backends": None},
            "backends is None; it must be a list of names out of torch, mlx, candle",
        ),
        ({"backends": 5}, "backends is 5; it must be a list"),
        ({"backends": [["torch"]]}, "backend .'torch'. is unknown"),
        ({"texts": []}, "texts"),
        ({"texts": "a lone string"}, "texts must be a list of strings"),
    ],
)
def test_bad_arguments_are_explained(minilm, arguments, message):
    with pytest.raises(InputError, match=message):
        reference.parity.compare(minilm, **arguments)


@pytest.mark.parametrize(
    "arguments", [{"dtype": "bfloat16", "backends": "candle"}, {"backends": (), "port": 5}]
)
def test_arguments_are_checked_before_the_work(minilm, arguments, monkeypatch):
    monkeypatch.setattr("reference.parity.comparison.Subject", None)
    monkeypatch.setattr("reference.parity.comparison.read_checkpoint", None)
    with pytest.raises(InputError, match=r"not available in candle|port is a int"):
        reference.parity.compare(minilm, **arguments)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seed": -1}, "seed is -1"),
        (
            {"pooling": "median"},
            "pooling 'median' is unknown; it is one of cls, max, mean, mean_",
        ),
        ({"pooling": ["mean"]}, "pooling .'mean'. is unknown"),
        ({"normalize": True}, "normalize=True needs pooling"),
        ({"pooling": "mean", "normalize": "yes"}, "normalize is 'yes'"),
    ],
)
def test_a_random_checkpoint_that_means_nothing_is_refused(tmp_path, settings, message):
    with pytest.raises(InputError, match=message):
        random_checkpoint(tmp_path / "model", **settings)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("architecture", "settings", "message"),
    [
        ("BertModel", {"num_layers": 2}, "BertConfig has no num_layers; did you mean num_"),
        ("BertModel", {"qwertz": 2}, "BertConfig has no qwertz$"),
        ("DistilBertModel", {"hidden_dims": 2}, "did you mean hidden_dim"),
        ("BertModel", {"hidden_size": 0}, "hidden_size is 0; it must be a whole number"),
        ("BertModel", {"num_hidden_layers": -1}, "num_hidden_layers is -1"),
        ("BertModel", {"vocab_size": "many"}, "vocab_size is 'many'"),
        ("BertModel", {"hidden_size": 33}, "hidden_size 33 is not a multiple of"),
        ("BertModel", {"hidden_size": 2**20}, "a model of .* numbers; no encoder is that"),
        ("BertModel", {"hidden_act": "gelo"}, "hidden_act is 'gelo', which no port"),
        ("ModernBertModel", {"hidden_activation": None}, "hidden_activation is None"),
        ("DistilBertModel", {"dim": [1]}, r"dim is \[1\]"),
        ("BertForSequenceClassification", {"num_labels": 0}, "num_labels is 0"),
        ("BertModel", {"layer_norm_eps": -1.0}, "layer_norm_eps is -1.0"),
        ("BertModel", {"is_decoder": True}, "is_decoder is True"),
        ("NoSuchModel", {}, "architecture NoSuchModel is not implemented"),
        (7, {}, "architecture 7 is not implemented"),
    ],
)
def test_a_random_checkpoint_of_no_model_is_refused(tmp_path, architecture, settings, message):
    with pytest.raises(ConfigError, match=message):
        random_checkpoint(tmp_path / "model", architecture, **settings)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("folder", [None, 7, "", "a\0b"])
def test_a_random_checkpoint_needs_a_path(folder):
    with pytest.raises(InputError, match="it must be the path of a folder"):
        random_checkpoint(folder)


@pytest.mark.parametrize("inside", ["file", "file/model", "n" * 300])
def test_a_random_checkpoint_that_cannot_be_written_is_no_checkpoint(tmp_path, inside):
    (tmp_path / "file").write_text("a file")
    with pytest.raises(InputError, match="cannot be written: "):
        random_checkpoint(tmp_path / inside)


@pytest.mark.parametrize("architecture", ["BertModel", "MPNetModel", "ElectraModel"])
def test_the_epsilon_of_a_random_checkpoint_matters(tmp_path, architecture):
    """A port with another one, whichever, is far off."""
    checkpoint = read_checkpoint(random_checkpoint(tmp_path, architecture))
    for epsilon in (1e-12, 1e-5):
        config = replace(checkpoint.config, layer_norm_eps=epsilon)
        model = build("torch", config, checkpoint.architecture, checkpoint.tensors)
        port = lambda ids, mask, types, model=model: model.forward(Inputs(ids, mask), True)
        report = reference.parity.compare(tmp_path, backends=(), port=port)
        assert max(row.ratio for row in report.rows) > 20, report


def test_an_epsilon_outside_the_root_is_seen_on_a_random_checkpoint(random_folder):
    checkpoint = read_checkpoint(random_folder)
    subject = Subject(checkpoint, [random_batch(checkpoint.config)])
    finding = seed(FAULTS["epsilon_outside_the_root"], "torch", subject)
    assert finding.located and finding.worst.ratio > 20


@pytest.mark.parametrize("architecture", ["BertForMaskedLM", "ModernBertForMaskedLM"])
def test_a_random_checkpoint_takes_a_tokenizer_along(minilm, tmp_path, architecture):
    folder = random_checkpoint(
        tmp_path / "model", architecture, tokenizer=minilm, max_position_embeddings=600
    )
    # And not 512, as minilm's.
    assert len(reference.load(folder).tokenizer(["word " * 1000])[0]) == 600
    config = reference.load(folder).config
    theirs = reference.load(minilm).config
    assert (config.vocab_size, config.pad_token_id) == (theirs.vocab_size, theirs.pad_token_id)
    texts = ["one text", "and another one that is longer"]
    assert reference.load(folder).tokenizer(texts) == reference.load(minilm).tokenizer(texts)
    assert reference.parity.compare(folder, ("torch",), texts=texts).passed
    with pytest.raises(CheckpointError, match="no folder"):
        random_checkpoint(tmp_path / "other", tokenizer=tmp_path / "nowhere")
    assert not (tmp_path / "other").exists()


def test_texts_need_a_tokenizer(random_folder):
    with pytest.raises(CheckpointError, match="holds no tokenizer"):
        reference.parity.compare(random_folder, "torch", texts=["a text"])


def test_a_tokenizer_of_another_model_is_refused(random_folder, minilm, tmp_path):
    import shutil

    folder = tmp_path / "mixed"
    shutil.copytree(random_folder, folder)
    shutil.copy(minilm / "tokenizer.json", folder)
    with pytest.raises(CheckpointError, match="vocab_size is 61"):
        reference.parity.compare(folder, "torch")


def test_a_hub_id_that_cannot_be_had_is_explained():
    with pytest.raises(CheckpointError, match="no/such-model"):
        reference.parity.compare("no/such-model", "torch")


def test_importing_parity_imports_no_framework():
    code = (
        "import sys, reference; reference.parity.compare; from reference.parity import "
        "command; print(*{'torch', 'transformers', 'mlx', 'reference.candle'} & "
        "set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
