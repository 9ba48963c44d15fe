"""What follows the pooling, prompts, and the order of modules, cut and length: as
sentence-transformers has it on the same folder."""

import json
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Dropout, LayerNorm, Pooling
from torch import nn

import reference
from reference.errors import CheckpointError, ConfigError, InputError
from reference.parity import random_checkpoint
from reference.sentence.modules import ACTIVATIONS
from tests.conftest import BACKENDS

TEXTS = ["A cat sleeps.", "", "Rain fell on the stone wall all night long.", "42"]
PROMPTS = {"query": "search: ", "passage": "a passage of some length: ", "odd": "??"}
WIDTH = 32
CHAINS = {
    "dense": lambda: [Dense(WIDTH, 20)],
    "dense without bias": lambda: [Dense(WIDTH, 20, bias=False, activation_function=nn.ReLU())],
    "dense, then normalize": lambda: [Dense(WIDTH, 20, activation_function=None), Normalize()],
    "normalize, then dense": lambda: [Normalize(), Dense(WIDTH, 20), Normalize()],
    "residual": lambda: [Dense(WIDTH, WIDTH, use_residual=True)],
    "residual of another size": lambda: [Dense(WIDTH, 7, use_residual=True)],
    "layer norm": lambda: [LayerNorm(WIDTH), Dropout(0.5), Dense(WIDTH, 9), LayerNorm(9)],
}


@pytest.fixture(scope="module")
def small(minilm, tmp_path_factory):
    """A transformer of MiniLM's words, quickly written and read: its vectors are as good as
    MiniLM's for whatever comes after."""
    folder = tmp_path_factory.mktemp("small")
    return random_checkpoint(folder, tokenizer=minilm, hidden_size=WIDTH)


def write(folder, small, modules, **settings):
    """The transformer with these modules after its pooling; weights are drawn, layer norms'
    too."""
    torch.manual_seed(1)
    transformer = Transformer(str(small), max_seq_length=64)
    model = SentenceTransformer(
        modules=[transformer, Pooling(WIDTH, pooling_mode="mean"), *modules], device="cpu"
    )
    for module in modules:
        for parameter in module.parameters():
            nn.init.normal_(parameter, std=0.2)
    model.save(str(folder))
    path = folder / "config_sentence_transformers.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    return folder


@pytest.fixture(scope="module", params=CHAINS)
def chain(request, small, tmp_path_factory):
    """A folder, and what sentence-transformers makes of it."""
    folder = write(tmp_path_factory.mktemp("chain"), small, CHAINS[request.param]())
    return folder, theirs(folder).encode(TEXTS)


@pytest.fixture(scope="module")
def prompted(small, tmp_path_factory):
    modules = [Dense(WIDTH, 20), Normalize()]
    return write(tmp_path_factory.mktemp("prompted"), small, modules, prompts=PROMPTS)


def theirs(folder):
    return SentenceTransformer(str(folder), device="cpu")


@pytest.mark.parametrize("backend", BACKENDS)
def test_modules_after_the_pooling(chain, backend, tmp_path):
    folder, expected = chain
    model = reference.load(folder, backend=backend)
    np.testing.assert_allclose(model.encode(TEXTS), expected, atol=5e-6)
    assert model.dimensions == expected.shape[1]
    assert model.encode([]).shape == (0, expected.shape[1])
    model.save(tmp_path / "saved")
    np.testing.assert_allclose(theirs(tmp_path / "saved").encode(TEXTS), expected, atol=5e-6)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(small, tmp_path, name):
    folder = write(tmp_path, small, [Dense(WIDTH, 12, activation_function=getattr(nn, name)())])
    vectors = reference.load(folder).encode(TEXTS)
    np.testing.assert_allclose(vectors, theirs(folder).encode(TEXTS), atol=2e-6)
    assert vectors.dtype == np.float32


@pytest.mark.parametrize("size", [None, 5, 20])
@pytest.mark.parametrize("normalize", [True, None])
def test_modules_then_the_cut_then_length_one(prompted, size, normalize):
    ours = reference.load(prompted).encode(TEXTS, truncate_dim=size, normalize=normalize)
    expected = theirs(prompted).encode(
        TEXTS, truncate_dim=size, normalize_embeddings=bool(normalize)
    )
    np.testing.assert_allclose(ours, expected, atol=2e-6)
    lengths = np.linalg.norm(ours, axis=1)
    if size == 5 and normalize is None:  # cut after its Normalize
        assert (lengths < 0.9).all()
    else:
        np.testing.assert_allclose(lengths, 1, atol=1e-6)


@pytest.mark.parametrize("normalize", [False, True])
def test_normalize_overrides_the_module_at_the_end_only(small, tmp_path, normalize):
    folder = write(tmp_path, small, CHAINS["normalize, then dense"]())
    without = SentenceTransformer(modules=list(theirs(folder))[:-1], device="cpu")
    expected = without.encode(TEXTS, normalize_embeddings=normalize)
    ours = reference.load(folder).encode(TEXTS, normalize=normalize)
    np.testing.assert_allclose(ours, expected, atol=2e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_prompts_by_name_and_by_purpose(prompted, backend):
    model, other = reference.load(prompted, backend=backend), theirs(prompted)
    for ours, expected in (
        (model.encode(TEXTS), other.encode(TEXTS)),
        (model.encode(TEXTS, prompt="x: "), other.encode(TEXTS, prompt="x: ")),
        (model.encode(TEXTS, prompt_name="odd"), other.encode(TEXTS, prompt_name="odd")),
        (model.encode_query(TEXTS), other.encode_query(TEXTS)),
        (model.encode_query(TEXTS, prompt=""), other.encode_query(TEXTS, prompt="")),
        (model.encode_document(TEXTS), other.encode_document(TEXTS)),
    ):
        np.testing.assert_allclose(ours, expected, atol=5e-6)
    with pytest.raises(InputError, match="prompt_name is 'none'; this model has the prompts"):
        model.encode(TEXTS, prompt_name="none")
    with pytest.raises(InputError, match="prompt is 5; it must be a string"):
        model.encode(TEXTS, prompt=5)


def test_documents_have_the_passages_prompt_where_none_is_theirs(small, tmp_path):
    """sentence-transformers has an empty prompt for "document" in every model."""
    folder = write(tmp_path, small, [], prompts={"passage": "a passage: "})
    model = reference.load(folder)
    np.testing.assert_array_equal(model.encode_document(TEXTS), model.encode(TEXTS))
    np.testing.assert_allclose(
        model.encode_document(TEXTS), theirs(folder).encode_document(TEXTS), atol=2e-6
    )


def test_a_transformer_in_a_folder_of_its_own(small, tmp_path, backend):
    folder = write(tmp_path / "model", small, [Dense(WIDTH, 8)])
    inner = folder / "0_Transformer"
    inner.mkdir()
    kept = {"modules.json", "config_sentence_transformers.json", "README.md"}
    for path in list(folder.iterdir()):
        if path.is_file() and path.name not in kept:
            shutil.move(path, inner)
    modules = json.loads((folder / "modules.json").read_text())
    modules[0]["path"] = "0_Transformer"
    (folder / "modules.json").write_text(json.dumps(modules))
    model = reference.load(folder, backend=backend)
    expected = theirs(folder).encode(TEXTS)
    np.testing.assert_allclose(model.encode(TEXTS), expected, atol=5e-6)
    assert str(folder) in repr(model) and "0_Transformer" not in repr(model)
    model.save(tmp_path / "saved")
    np.testing.assert_allclose(theirs(tmp_path / "saved").encode(TEXTS), expected, atol=5e-6)
    again = reference.load(tmp_path / "saved", backend=backend)
    np.testing.assert_allclose(again.encode(TEXTS), expected, atol=5e-6)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"activation_function": "torch.nn.Softplus"}, ConfigError, "supported are torch.nn's"),
        ({"activation_function": "my.Tanh"}, ConfigError, "activation_function is 'my.Tanh'"),
        ({"in_features": 5}, ConfigError, "in_features is 5, but vectors of 32 come in"),
        ({"out_features": 0}, ConfigError, "out_features is 0"),
        ({"out_features": 21}, CheckpointError, "its config asks for"),
        ({"bias": False}, CheckpointError, "its config asks for"),
        ({"use_residual": "yes"}, ConfigError, "must be true or false"),
        ({"module_input_name": "token_embeddings"}, ConfigError, "module_input_name"),
        ({"rank": 4}, ConfigError, "has the keys rank"),
    ],
)
def test_a_dense_that_cannot_be_honoured(small, tmp_path, changes, error, message):
    folder = write(tmp_path, small, [Dense(WIDTH, 20)])
    path = folder / "2_Dense" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(error, match=message):
        reference.load(folder)


def test_a_module_of_another_kind_is_refused_by_name(small, tmp_path):
    folder = write(tmp_path, small, [Dense(WIDTH, 20)])
    path = folder / "modules.json"
    path.write_text(path.read_text().replace("Dense", "CNN"))
    with pytest.raises(ConfigError, match="the module CNN; supported after a Pooling: Dense"):
        reference.load(folder)


@given(data=st.data())
def test_activations_stay_finite(data):
    values = st.floats(-1e4, 1e4, width=32)
    array = np.array([data.draw(st.lists(values, min_size=3, max_size=3))], np.float32)
    for name, activation in ACTIVATIONS.items():
        made = activation(array)
        assert made.dtype == np.float32 and np.isfinite(made).all(), name
