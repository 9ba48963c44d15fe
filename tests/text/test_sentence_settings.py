"""What sentence-transformers' own files may say: taken over, or refused by name."""

import json
import shutil

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

import reference
from reference.errors import CheckpointError, ConfigError
from reference.families.reading import read_config
from reference.sentence import read_sentence_settings
from reference.text import read_tokenizer
from reference.text.sentence_settings import SENTENCE_FILES, read_text_settings
from tests.text.test_classes import changed

MODEL = "config_sentence_transformers.json"
BERT = "sentence_bert_config.json"


@pytest.fixture
def folder(minilm, tmp_path):
    """The embedded model's files without its weights."""
    return shutil.copytree(
        minilm, tmp_path / "whole", ignore=shutil.ignore_patterns("*.safetensors")
    )


@pytest.mark.parametrize(
    ("file", "content", "error", "message"),
    [
        (
            MODEL,
            {"model_type": "CrossEncoder"},
            ConfigError,
            "type is 'CrossEncoder'; only a S",
        ),
        (MODEL, {"model_type": "SparseEncoder"}, ConfigError, "model_type is 'SparseEncoder'"),
        (MODEL, {"truncate_dim": 0}, ConfigError, "truncate_dim is 0"),
        (MODEL, {"truncate_dim": 2.5}, ConfigError, r"truncate_dim is 2\.5"),
        (MODEL, {"truncate_dim": True}, ConfigError, "truncate_dim is True"),
        (
            MODEL,
            {"similarity_fn_name": "maxsim"},
            ConfigError,
            "similarity_fn_name is 'maxsim'",
        ),
        (MODEL, {"similarity_fn_name": ["dot"]}, ConfigError, "similarity_fn_name is"),
        ("1_Pooling/config.json", {"pooling_moed": "cls"}, ConfigError, "keys pooling_moed"),
    ],
)
def test_settings_of_the_model_that_are_refused(folder, file, content, error, message):
    changed(folder / file, **content)
    with pytest.raises(error, match=message):
        read_sentence_settings(folder, 384)


@pytest.mark.parametrize("path", [".", "./", "././."])
def test_a_pooling_beside_the_model_is_refused(folder, path):
    """Its config.json is the model's, and names no pooling."""
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["path"] = path
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(CheckpointError, match=r"sends Pooling to '.*folder inside its own"):
        read_sentence_settings(folder, 384)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"transformer_task": "fill-mask"},
            "transformer_task is 'fill-mask'; supported: 'feat",
        ),
        ({"module_output_name": "sentence_embedding"}, "module_output_name is"),
        ({"modality_config": {"image": {}}}, "modality_config is"),
        ({"processing_kwargs": {"text": {"max_length": 5}}}, "processing_kwargs is"),
        ({"query_length": 5}, "query_length is 5"),
        ({"query_expansion": {"length": 5}}, "query_expansion is"),
        ({"tokenizer_name_or_path": "other"}, "tokenizer_name_or_path is 'other'"),
        ({"config_args": {"num_hidden_layers": 1}}, "config_kwargs has .*num_hidden_layers"),
        ({"config_kwargs": {"is_decoder": True}}, "config_kwargs has"),
        ({"model_args": {"torch_dtype": "float16"}}, "model_kwargs has .*float16"),
        ({"tokenizer_args": {"padding_side": "left"}}, "processor_kwargs has .*padding_side"),
        ({"processor_kwargs": 5}, "processor_kwargs is 5"),
        ({"do_lower_case": "yes"}, "do_lower_case is 'yes'"),
        ({"max_seq_len": 20}, "has the keys max_seq_len, which"),
    ],
)
def test_arguments_of_the_transformer_that_are_refused(folder, content, message):
    changed(folder / BERT, **content)
    with pytest.raises(ConfigError, match=message):
        read_text_settings(folder)


def test_arguments_that_change_nothing_are_fine(folder):
    arguments = ("model_args", "config_args", "tokenizer_args", "processing_kwargs")
    changed(folder / BERT, **{key: {} for key in arguments})
    changed(
        folder / BERT,
        model_args={"torch_dtype": "float32", "trust_remote_code": True},
        transformer_task="feature-extraction",
        modality_config={
            "text": {"method": "forward", "method_output_name": "last_hidden_state"}
        },
        module_output_name="token_embeddings",
        query_length=None,
        unpad_inputs=False,
    )
    assert read_text_settings(folder).max_seq_length == 256


@pytest.mark.parametrize("name", SENTENCE_FILES)
def test_every_name_that_releases_have_given_the_file(folder, name):
    (folder / BERT).rename(folder / name)
    assert read_text_settings(folder).max_seq_length == 256


def test_an_empty_file_leaves_it_to_the_next(folder):
    (folder / BERT).rename(folder / SENTENCE_FILES[2])
    (folder / BERT).write_text("{}")
    assert read_text_settings(folder).max_seq_length == 256


def test_the_tokenizers_arguments_come_before_its_own_settings(folder):
    changed(folder / BERT, tokenizer_args={"model_max_length": 20, "do_lower_case": False})
    tokenizer = read_tokenizer(folder, read_config(folder))
    assert tokenizer.max_length == 20
    assert tokenizer(["River"]) != tokenizer(["river"])


@pytest.mark.parametrize("name", ["cosine", "dot", "euclidean", "manhattan", None])
def test_similarity_is_what_the_checkpoint_names(minilm, tmp_path, name):
    folder = shutil.copytree(minilm, tmp_path / "whole")
    changed(folder / MODEL, similarity_fn_name=name, truncate_dim=100)
    theirs = SentenceTransformer(str(folder), device="cpu")
    left, right = ["a cat", "a car"], ["a kitten", "an automobile", "the moon"]
    ours = reference.load(folder).similarity(left, right)
    expected = theirs.similarity(theirs.encode(left), theirs.encode(right))
    assert ours.embeddings.shape == (2, 100) and ours.scores.dtype == np.float32
    # Sums of a hundred products of numbers near 0.05, or of as many distances near 0.05.
    np.testing.assert_allclose(ours.scores, expected, atol=5e-6)


def test_unit_vectors_of_the_length_that_is_kept(minilm, tmp_path):
    """normalize=True is sentence-transformers' normalize_embeddings, which comes last."""
    folder = shutil.copytree(minilm, tmp_path / "whole")
    changed(folder / MODEL, truncate_dim=50)
    theirs = SentenceTransformer(str(folder), device="cpu")
    ours = reference.load(folder)
    texts = ["a cat", "the moon"]
    assert ours.dimensions == 50
    np.testing.assert_allclose(ours.encode(texts), theirs.encode(texts), atol=1e-6)
    unit = ours.encode(texts, normalize=True)
    expected = theirs.encode(texts, normalize_embeddings=True)
    np.testing.assert_allclose(unit, expected, atol=2e-6)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, atol=1e-6)
    assert (np.linalg.norm(ours.encode(texts, normalize=False), axis=1) > 0.8).all()


def test_token_types_of_the_tokenizer_reach_the_model(minilm, tmp_path, backend):
    """A template may give a text type 1."""
    folder = shutil.copytree(minilm, tmp_path / "whole")
    content = json.loads((folder / "tokenizer.json").read_text())
    for piece in content["post_processor"]["single"]:
        next(iter(piece.values()))["type_id"] = 1
    (folder / "tokenizer.json").write_text(json.dumps(content))
    changed(
        folder / "tokenizer_config.json",
        tokenizer_class="PreTrainedTokenizerFast",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )
    texts = ["a cat", "the moon stands over a stone"]
    expected = SentenceTransformer(str(folder), device="cpu").encode(texts)
    found = reference.load(folder, backend=backend).encode(texts)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    plain = reference.load(minilm, backend=backend).encode(texts)
    assert not np.allclose(found, plain, atol=1e-3)
