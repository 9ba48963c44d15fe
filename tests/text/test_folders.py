"""One text half: folders in all the ways that sentence-transformers and Transformers write
them, embedded by both and by every reader of this package. Either the vectors agree, to the
noise of float32, or the folder is refused by name."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense

import reference
from reference.candle import _native
from reference.errors import EncodersError
from reference.parity.arrays import compare_arrays
from tests.conftest import BACKENDS
from tests.text.folders import FOLDERS, REFUSED, base, write

TEXTS = [
    "The River stands beside a stone",
    "hello WORLD, é Ünï 中文!",
    "[MASK] <mask> [spare] </s>",
    "a stone " * 30,
    "",
    "HELLO Σ ΣΑΣ",
]


def rust_vectors(folder: Path, texts: list[str], _: str, **asked: object) -> np.ndarray:
    """By the Rust library alone."""
    return _native.embed_texts(str(folder), texts, **asked)


def python_vectors(folder: Path, texts: list[str], backend: str, **asked: object) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = reference.load(folder, backend=backend, pipeline="embeddings")
        return model.encode(texts, **asked)


READERS = dict.fromkeys(BACKENDS, python_vectors) | {"rust": rust_vectors}


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """A saved model of each kind, made when it is asked for."""

    class Made(dict):
        def __missing__(self, kind):
            self[kind] = base(tmp_path_factory.mktemp(kind), kind)
            return self[kind]

    return Made()


@pytest.mark.parametrize("name", FOLDERS)
def test_every_reader_embeds_as_sentence_transformers(name, bases, tmp_path):
    kind, told, changes = FOLDERS[name]
    folder = write(tmp_path / "model", bases[kind], told, changes)
    if name in REFUSED:
        for reader, read in READERS.items():
            with pytest.raises(EncodersError) as refusal:
                read(folder, TEXTS, reader)
            assert str(folder) in str(refusal.value)
        return
    theirs = SentenceTransformer(str(folder), device="cpu")
    noisy = {"vectors": theirs.encode(TEXTS)}
    truth = {"vectors": theirs.double().encode(TEXTS)}
    found = {
        reader: {"vectors": read(folder, TEXTS, reader)} for reader, read in READERS.items()
    }
    report = compare_arrays(name, truth, noisy, found)
    assert report.passed, report.rows


def test_the_folders_differ(bases, tmp_path):
    """A change that changes no vector would show nothing."""
    vectors = {
        name: rust_vectors(
            write(tmp_path / str(number), bases["bert"], *FOLDERS[name][1:]), TEXTS, "rust"
        )
        for number, name in enumerate(FOLDERS)
        if FOLDERS[name][0] == "bert" and name not in REFUSED
    }
    plain = vectors.pop("as written")
    same = {
        name
        for name, changed in vectors.items()
        if changed.shape == plain.shape and np.allclose(changed, plain, atol=1e-3)
    }
    assert same == {
        "old pooling",
        "old pooling, none",
        "prompts",
        "empty prompt",
        "dropout",
        "without no prompt",
        "truncate_dim beyond",
        "file as it stands",
        "vocab.txt",
        "no tokenizer_config",
        "no modules.json",
        "model_args",
    }


@pytest.mark.parametrize(
    ("asked", "of_theirs"),
    [
        ({"prompt_name": "query"}, {"prompt_name": "query"}),
        ({"prompt": "a stone "}, {"prompt": "a stone "}),
        ({"prompt": ""}, {"prompt": ""}),
        ({"truncate_dim": 5}, {"truncate_dim": 5}),
        ({"normalize": True}, {"normalize_embeddings": True}),
        (
            {"truncate_dim": 5, "normalize": True},
            {"truncate_dim": 5, "normalize_embeddings": True},
        ),
    ],
)
@pytest.mark.parametrize("include_prompt", [True, False])
def test_every_reader_is_asked_as_sentence_transformers_is(
    asked, of_theirs, include_prompt, bases, tmp_path
):
    prompts = {"query": "hello ", "passage": "a stone "}
    told = {"prompts": prompts, "default_prompt_name": "passage", "truncate_dim": 20}
    told |= {"include_prompt": include_prompt, "after": [lambda: Dense(32, 24)]}
    folder = write(tmp_path / "model", bases["bert"], told, {})
    theirs = SentenceTransformer(str(folder), device="cpu")
    expected = theirs.encode(TEXTS, **of_theirs)
    for reader, read in READERS.items():
        found = read(folder, TEXTS, reader, **asked)
        np.testing.assert_allclose(found, expected, rtol=0, atol=5e-6)


@pytest.mark.parametrize(
    "told", [{"query": "hello ", "document": "a stone "}, {"passage": "x "}]
)
def test_queries_and_documents_have_the_prompts_that_they_have_there(told, bases, tmp_path):
    folder = write(tmp_path / "model", bases["bert"], {"prompts": told}, {})
    theirs = SentenceTransformer(str(folder), device="cpu")
    for name, encode in (("query", theirs.encode_query), ("document", theirs.encode_document)):
        for reader in ("torch", "rust"):
            found = READERS[reader](folder, TEXTS, reader, prompt_name=name)
            np.testing.assert_allclose(found, encode(TEXTS), rtol=0, atol=5e-6)
