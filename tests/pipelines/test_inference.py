"""Which pipeline a folder is loaded as, where nobody says."""

import json

import pytest
from safetensors.numpy import load_file, save_file

import reference
from reference.errors import CheckpointError, ConfigError, InputError
from reference.parity import random_checkpoint
from reference.pipelines import PIPELINES


def settings(folder, **values):
    path = folder / "config_sentence_transformers.json"
    path.write_text(json.dumps(values))


def renamed(folder, architectures):
    path = folder / "config.json"
    values = json.loads(path.read_text()) | {"architectures": architectures}
    path.write_text(json.dumps(values))


def test_the_embedded_models():
    assert reference.load("sentence-transformers/all-MiniLM-L6-v2").name == "embeddings"
    assert reference.load("encoders-three-ways/modernbert-docstrings").name == "masked-lm"


@pytest.mark.parametrize(
    ("architecture", "name"),
    [
        ("BertModel", "embeddings"),
        ("BertForMaskedLM", "masked-lm"),
        ("BertForSequenceClassification", "text-classification"),
        ("BertForTokenClassification", "token-classification"),
        ("ModernBertForMultipleChoice", "multiple-choice"),
    ],
)
def test_by_the_architecture(tmp_path, architecture, name, backend):
    folder = random_checkpoint(tmp_path, architecture=architecture, seed=0)
    assert reference.load(folder, backend=backend).name == name


def test_by_the_head_where_no_architecture_is_named(tiny, backend):
    masked, bare = tiny("BertForMaskedLM"), tiny("BertModel")
    renamed(masked, [])
    renamed(bare, [])
    assert reference.load(masked, backend=backend).name == "masked-lm"
    assert reference.load(bare, backend=backend).name == "embeddings"


def test_the_model_type_of_sentence_transformers_decides_first(tiny, backend):
    ranker = tiny("BertForSequenceClassification", num_labels=1)
    settings(ranker, model_type="CrossEncoder")
    assert reference.load(ranker, backend=backend).name == "text-classification"
    masked = tiny("BertForMaskedLM")
    (masked / "modules.json").write_text("[]")
    with pytest.raises(ConfigError, match="lists the modules none"):  # an embedding model's
        reference.load(masked, backend=backend)


@pytest.mark.parametrize("kind", ["SparseEncoder", "MultiVectorEncoder", 5, None])
def test_other_kinds_are_refused_by_name(tiny, kind, backend):
    folder = tiny("BertForMaskedLM")
    settings(folder, model_type=kind)
    with pytest.raises(ConfigError, match=f"model_type is {kind!r}, which has no pipeline"):
        reference.load(folder, backend=backend)


def test_an_unknown_pipeline_lists_the_known(tiny, backend):
    with pytest.raises(InputError, match="pipeline 'translation' is not available") as caught:
        reference.load(tiny(), backend=backend, pipeline="translation")
    assert all(name in str(caught.value) for name in PIPELINES)


def test_weights_that_are_not_there(tiny, backend):
    folder = tiny("BertForMaskedLM")
    with pytest.raises(CheckpointError, match=r"the pipelines embeddings, masked-lm$"):
        reference.load(folder, backend=backend, pipeline="token-classification")
    tensors = load_file(folder / "model.safetensors")
    kept = {key: tensor for key, tensor in tensors.items() if not key.startswith("cls.")}
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match=r"the pipelines embeddings$"):
        reference.load(folder, backend=backend, pipeline="masked-lm")
