"""encode and similarity, on the real model; what a folder may say, on a small one."""

import json
import shutil
import warnings

import numpy as np
import pytest
import safetensors.numpy

import reference
from reference.errors import CheckpointError, ConfigError, InputError
from reference.parity import random_checkpoint
from reference.sentence import read_sentence_settings

WIDTH = 32  # of the small model
PROMPTS = {"prompts": {"query": "search query: "}, "default_prompt_name": "query"}
TEXTS = [
    "A cat sleeps.",
    "",
    "Rain fell on the stone wall all night long.",
    "42",
    "A cat sleeps.",
    "word " * 400,
]


def made(transformer: str, pooling: str, package: str = "sentence_transformers.models") -> str:
    """A modules.json that keeps its modules in these folders."""
    paths = {"Transformer": transformer, "Pooling": pooling}
    return json.dumps(
        [{"type": f"{package}.{kind}", "path": path} for kind, path in paths.items()]
    )


@pytest.fixture(scope="module")
def models(minilm):
    class Loaded(dict):
        def __missing__(self, backend):
            self[backend] = reference.load(minilm, backend=backend)
            return self[backend]

    return Loaded()


@pytest.fixture(scope="module")
def small(minilm, tmp_path_factory):
    """A folder as the embedded model's, with a transformer that is quickly copied and read:
    what is said beside it goes for any."""
    folder = tmp_path_factory.mktemp("small") / "model"
    shutil.copytree(minilm, folder, ignore=shutil.ignore_patterns("model.safetensors"))
    sizes = {"hidden_size": WIDTH, "max_position_embeddings": 512}
    return random_checkpoint(folder, tokenizer=minilm, pooling="mean", normalize=True, **sizes)


@pytest.fixture
def copy(small, tmp_path):
    """The small model's files, to be changed."""
    return shutil.copytree(small, tmp_path / "model")


@pytest.fixture(scope="module")
def of_sentence_transformers(minilm):
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(minilm), device="cpu").encode(TEXTS)


def test_encode_equals_sentence_transformers(models, of_sentence_transformers, backend):
    vectors = models[backend].encode(TEXTS)
    assert vectors.dtype == np.float32 and vectors.shape == (6, 384)
    # Components of unit vectors lie near 0.05; the exact gate is the parity table's.
    np.testing.assert_allclose(vectors, of_sentence_transformers, atol=1e-6)


def test_batches_do_not_change_the_result(models, backend):
    model = models[backend]
    whole = model.encode(TEXTS)
    for size in (1, 2, 5):
        np.testing.assert_allclose(model.encode(TEXTS, batch_size=size), whole, atol=1e-6)
    one_by_one = np.stack([model.encode(text) for text in TEXTS])
    np.testing.assert_allclose(one_by_one, whole, atol=1e-6)


def test_a_generator_is_embedded_a_window_at_a_time(models, monkeypatch, backend):
    model = models[backend]
    whole = model.encode(TEXTS)
    monkeypatch.setattr("reference.pipelines.batching.TEXTS_AT_ONCE", 4)
    np.testing.assert_allclose(model.encode(iter(TEXTS)), whole, atol=1e-6)
    np.testing.assert_allclose(model.encode(TEXTS), whole, atol=1e-6)
    assert model.encode(iter(())).shape == (0, 384)
    with pytest.raises(InputError, match=r"texts\[5\] is int"):
        model.encode(text for text in [*TEXTS[:5], 5])


def test_normalize_overrides_the_checkpoint(models, backend):
    model = models[backend]
    raw, unit = model.encode(TEXTS, normalize=False), model.encode(TEXTS, normalize=True)
    lengths = np.linalg.norm(raw, axis=1)
    assert (lengths > 1.5).all()
    np.testing.assert_allclose(raw / lengths[:, None], unit, atol=1e-6)
    np.testing.assert_array_equal(model.encode(TEXTS), unit)


def test_no_text_gives_no_vector(models, backend):
    assert models[backend].encode([]).shape == (0, 384)


def test_text_is_truncated_to_max_seq_length(models):
    model = models["torch"]
    assert model.tokenizer.max_length == 256
    words = "tree " * 300
    np.testing.assert_array_equal(model.encode(words), model.encode("tree " * 254))
    assert not np.allclose(model.encode(words), model.encode("tree " * 253))


def test_similarity(models, backend):
    result = models[backend].similarity(
        ["a cat", "a car"], ["a kitten", "an automobile", "the moon"]
    )
    assert result.scores.shape == (2, 3) and result.scores.dtype == np.float32
    assert result.embeddings.shape == (2, 384) and result.reference_embeddings.shape == (3, 384)
    assert result.scores.argmax(axis=1).tolist() == [0, 1]
    np.testing.assert_allclose(
        result.scores, result.embeddings @ result.reference_embeddings.T, atol=1e-6
    )


def test_progress_goes_to_standard_error(models, capsys):
    models["torch"].encode(["a text"], show_progress=True)
    captured = capsys.readouterr()
    assert "1/1" in captured.err and captured.out == ""
    models["torch"].encode(["a text"])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["fine", None], r"texts\[1\] is NoneType"),
        (5, "must be a list of strings"),
        (None, "must be a list of strings"),
        (b"bytes", "must be a list of strings"),
        (np.array("a"), "must be a list of strings"),
        (["\ud800"], "surrogate"),
    ],
)
def test_texts_that_are_none(models, texts, message, backend):
    with pytest.raises(InputError, match=message):
        models[backend].encode(texts)


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, True, None, "8", np.array([1, 2])])
def test_batch_size_is_checked(models, batch_size, backend):
    with pytest.raises(InputError, match="batch_size"):
        models[backend].encode(["a"], batch_size=batch_size)


@pytest.mark.parametrize("value", ["yes", 1, 0.0, np.array([True, False])])
@pytest.mark.parametrize("name", ["normalize", "show_progress"])
def test_switches_are_checked(models, name, value, backend):
    with pytest.raises(InputError, match=f"{name} is .*; it must be True or False"):
        models[backend].encode(["a"], **{name: value})


def test_numpys_arguments_are_taken(models, backend):
    model = models[backend]
    expected = model.encode(TEXTS, batch_size=2, normalize=False)
    np.testing.assert_array_equal(
        model.encode(TEXTS, batch_size=np.int64(2), normalize=np.False_), expected
    )


def test_vectors_that_are_not_finite_are_an_error(copy, backend):
    """A weight that float16 cannot hold: encode says so; forward returns what was computed."""
    tensors = safetensors.numpy.load_file(copy / "model.safetensors")
    tensors["encoder.layer.0.output.LayerNorm.weight"] *= 1e6
    safetensors.numpy.save_file(tensors, copy / "model.safetensors")
    model = reference.load(copy, backend=backend, dtype="float16")
    with pytest.raises(
        CheckpointError, match=f"NaN or infinity; in float16 on {backend} .*dtype='float32'"
    ):
        model.encode(["a text"])
    assert not np.isfinite(model.forward([[101, 102]])["last_hidden_state"]).all()


def test_float64_gives_float64(minilm, models, backend):
    vectors = reference.load(minilm, backend=backend, dtype="float64").encode(TEXTS)
    assert vectors.dtype == np.float64
    np.testing.assert_allclose(vectors, models[backend].encode(TEXTS), atol=1e-6)


def test_what_is_saved_embeds_as_before(copy, tmp_path):
    from sentence_transformers import SentenceTransformer

    (copy / "1_Pooling/config.json").write_text(
        json.dumps({"embedding_dimension": WIDTH, "pooling_mode": "cls"})
    )
    (copy / "1_Pooling").rename(copy / "pool")
    modules = json.loads((copy / "modules.json").read_text())
    modules[1]["path"] = "pool"
    (copy / "modules.json").write_text(json.dumps(modules[:2]))
    (copy / "config_sentence_transformers.json").write_text(json.dumps(PROMPTS))
    model = reference.load(copy)
    model.save(tmp_path / "saved")
    expected = model.encode(TEXTS)
    np.testing.assert_array_equal(reference.load(tmp_path / "saved").encode(TEXTS), expected)
    theirs = SentenceTransformer(str(tmp_path / "saved"), device="cpu").encode(TEXTS)
    np.testing.assert_allclose(theirs, expected, atol=2e-6)


def test_a_default_prompt_is_put_before_every_text(copy, small, backend):
    from sentence_transformers import SentenceTransformer

    (copy / "config_sentence_transformers.json").write_text(json.dumps(PROMPTS))
    vectors = reference.load(copy, backend=backend).encode(TEXTS)
    np.testing.assert_allclose(
        vectors, SentenceTransformer(str(copy), device="cpu").encode(TEXTS), atol=1e-6
    )
    without = reference.load(small, backend=backend).encode(TEXTS[0])
    assert not np.allclose(vectors[0], without, atol=1e-3)


@pytest.mark.parametrize(
    "settings", [{"prompts": {"query": "query: "}}, {"default_prompt_name": "query"}]
)
def test_prompts_without_a_default_or_a_text_change_nothing(copy, small, settings):
    (copy / "config_sentence_transformers.json").write_text(json.dumps(settings))
    np.testing.assert_array_equal(
        reference.load(copy).encode(TEXTS), reference.load(small).encode(TEXTS)
    )


@pytest.mark.parametrize("way", ["cls", "max", ["cls", "mean"]])
def test_the_pooling_of_the_checkpoint_is_respected(copy, way, backend):
    from sentence_transformers import SentenceTransformer

    (copy / "1_Pooling/config.json").write_text(
        json.dumps({"embedding_dimension": WIDTH, "pooling_mode": way})
    )
    model = reference.load(copy, backend=backend)
    expected = SentenceTransformer(str(copy), device="cpu").encode(TEXTS)
    np.testing.assert_allclose(model.encode(TEXTS), expected, atol=2e-6)


def test_the_old_spelling_of_pooling(copy):
    switches = {
        "word_embedding_dimension": WIDTH,
        "pooling_mode_cls_token": True,
        "pooling_mode_mean_tokens": False,
    }
    (copy / "1_Pooling/config.json").write_text(json.dumps(switches))
    assert read_sentence_settings(copy, WIDTH).pooling == ("cls",)


def test_without_normalize_in_modules(copy):
    modules = json.loads((copy / "modules.json").read_text())[:2]
    (copy / "modules.json").write_text(json.dumps(modules))
    assert np.linalg.norm(reference.load(copy).encode("a text")) > 1.5


def test_a_checkpoint_that_was_not_made_to_embed_warns(copy):
    (copy / "modules.json").unlink()
    with pytest.raises(CheckpointError, match=r"has config_sent.* no modules\.json, without"):
        reference.load(copy)
    for name in ("config_sentence_transformers.json", "sentence_bert_config.json"):
        (copy / name).unlink()
    with pytest.warns(UserWarning, match="not saved as an embedding model"):
        reference.load(copy)


@pytest.mark.parametrize(
    ("file", "content", "error", "message"),
    [
        ("modules.json", "[", CheckpointError, "not valid JSON"),
        ("modules.json", "{}", CheckpointError, "must be a list"),
        ("modules.json", '[{"idx": 0}]', CheckpointError, "without a type"),
        (
            "modules.json",
            '[{"type": "sentence_transformers.a.Transformer"},'
            ' {"type": "sentence_transformers.Dense"}]',
            ConfigError,
            "Transformer, Dense",
        ),
        (
            "modules.json",
            '[{"type": "sentence_transformers.Transformer"},'
            ' {"type": "sentence_transformers.Pooling", "path": "../other"}]',
            CheckpointError,
            "must be a folder inside its own",
        ),
        (
            "1_Pooling/config.json",
            '{"pooling_mode_mean_tokens": 1}',
            ConfigError,
            "must be true or false",
        ),
        (
            "1_Pooling/config.json",
            '{"word_embedding_dimension": 768}',
            ConfigError,
            "hidden_size 32",
        ),
        ("1_Pooling/config.json", '{"include_prompt": 0}', ConfigError, "include_prompt is 0"),
        (
            "1_Pooling/config.json",
            '{"pooling_mode_median": true}',
            ConfigError,
            "asks for pooling_mode_median",
        ),
        (
            "modules.json",
            made("", "9_P"),
            CheckpointError,
            "sends Pooling to '9_P', which holds no config.json",
        ),
        ("modules.json", made("", "a" * 5000), CheckpointError, "which holds no config.json"),
        ("modules.json", made("", ""), CheckpointError, "sends Pooling to ''"),
        (
            "modules.json",
            made("0_Transformer", "1_Pooling"),
            CheckpointError,
            "0_Transformer/config.json is missing",
        ),
        (
            "modules.json",
            made("", "1_Pooling", "my.package"),
            ConfigError,
            "only modules of sentence_transformers",
        ),
        (
            "modules.json",
            made("", "1_Pooling", "x"),
            ConfigError,
            "only modules of sentence_transformers",
        ),
        (
            "config_sentence_transformers.json",
            '{"default_prompt_name": "q"}',
            ConfigError,
            "prompts has query, doc",
        ),
        (
            "config_sentence_transformers.json",
            '{"default_prompt_name": 5}',
            ConfigError,
            "must be a string",
        ),
        (
            "config_sentence_transformers.json",
            '{"default_prompt_name": "q", "prompts": {"q": 7}}',
            ConfigError,
            "the prompt 'q' is 7",
        ),
    ],
)
def test_sentence_settings_that_cannot_be_honoured(copy, file, content, error, message):
    (copy / file).write_text(content)
    with pytest.raises(error, match=message):
        reference.load(copy)


def test_similarity_takes_vectors_already_made(models, backend):
    model = models[backend]
    texts, references = TEXTS[:2], TEXTS[1:]
    whole = model.similarity(texts, references)
    vectors = model.encode(references)
    half = model.similarity(texts, vectors)
    np.testing.assert_allclose(half.scores, whole.scores, atol=1e-6)
    assert half.reference_embeddings is vectors
    with pytest.raises(InputError, match=r"references has shape \(384,\)"):
        model.similarity(texts, vectors[0])
    with pytest.raises(InputError, match="texts holds NaN"):
        model.similarity(np.full_like(vectors, np.nan), vectors)


def test_what_was_cut_is_told_at_the_line_of_the_caller(minilm):
    """Python tells a warning once a line: at lines of ours, the second caller would hear
    nothing."""
    model = reference.load(minilm)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("default")
        model.encode(["word " * 400])
        model.encode(["word " * 400])
        list(model.encode_parts(["word " * 400]))
    assert [warning.filename for warning in told] == [__file__] * 3
    assert len({warning.lineno for warning in told}) == 3


def test_a_prompt_does_not_hide_a_wrong_name(minilm, backend):
    model = reference.load(minilm, backend=backend)
    with pytest.raises(InputError, match="prompt_name is 'nope'; this model has the prompts"):
        model.encode("a", prompt="x", prompt_name="nope")
