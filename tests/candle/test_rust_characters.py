"""A model that reads characters, opened by the Rust library from its folder: what it finds is
what Python finds."""

import json

import numpy as np
import pytest

import reference
from reference.candle import _native
from reference.char_encoder import (
    CCLMModelBase,
    ComposedModel,
    MaskedLanguagePretrainer,
    MLMPreprocessor,
    TaggingPretrainer,
)
from reference.errors import CheckpointError, InputError
from tests.char_encoder.conftest import FOUR, LABELLED, TAGGED, TEXTS, THREE

# A joined emoji, a combining mark, right to left, an unknown character, beyond the length.
ODD = ["The 👩‍🔬 is e\u0301.", "שלום", "ẞ", "The river\nis\tred.", "The garden is red. " * 3]


@pytest.fixture(scope="module", params=[False, True], ids=["listed", "hashed"])
def parts(request):
    preprocessor = MLMPreprocessor(200, 32, hashed=request.param).fit(TEXTS)
    base = CCLMModelBase(preprocessor, 8, 32, num_hash_buckets=50)
    words = MaskedLanguagePretrainer(base, **FOUR)
    spans = TaggingPretrainer(base, **THREE).fit(TAGGED * 3, 6, learning_rate=1e-2)
    return words, spans, ComposedModel(base, [words.model, spans.model])


def test_texts_have_the_vectors_that_python_gives_them(parts, tmp_path):
    parts[2].save(tmp_path)
    theirs = reference.load(tmp_path, backend="candle").encode(TEXTS + ODD[:4])
    ours = _native.embed_texts(str(tmp_path), TEXTS + ODD[:4])
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    with pytest.raises(InputError, match="25 tokens more than the 32"):
        _native.embed_texts(str(tmp_path), ODD)


def test_they_are_classified_alike(parts, tmp_path):
    words, spans, _ = parts
    composed = ComposedModel(words.base, [words.model, spans.model])
    composed.fit(LABELLED, 2, learning_rate=1e-2, batch_size=8).save(tmp_path)
    ours = _native.classify_texts(str(tmp_path), ODD[:4])
    theirs = reference.load(tmp_path, backend="candle").classify(ODD[:4])
    for one, other in zip(ours, theirs, strict=True):
        assert one[0] == list(other.labels)
        np.testing.assert_allclose(one[1], other.probabilities, atol=1e-5)


def test_they_are_tagged_alike(parts, tmp_path):
    parts[1].save(tmp_path)
    ours = _native.tag_texts(str(tmp_path), TEXTS + ODD)
    model = reference.load(tmp_path, backend="candle")
    theirs = model.tag(TEXTS + ODD)
    assert any(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert [(*places, label, text) for _, places, label, _, text in one] == [
            (span.start, span.end, span.label, span.text) for span in other
        ]


def test_what_is_not_there_is_told(parts, tmp_path):
    words, _, composed = parts
    words.save(tmp_path / "words")
    with pytest.raises(InputError, match="reads characters and answers with output tokens"):
        _native.fill_texts(str(tmp_path / "words"), ["a"])
    composed.save(tmp_path / "model")
    path = tmp_path / "model" / "characters.json"
    content = json.loads(path.read_text())
    for change, message in (
        ({"kind": "bytes"}, "kind is .*bytes.*; it is one of listed, hashed"),
        ({"characters": 3}, "characters is 3"),
        ({"max_example_len": 0}, "max_example_len is 0"),
        ({"kind": "listed", "characters": "aa"}, "a character has two ids"),
    ):
        path.write_text(json.dumps(content | change))
        with pytest.raises(CheckpointError, match=message):
            _native.embed_texts(str(tmp_path / "model"), ["a"])
        with pytest.raises(CheckpointError, match=message.replace("bytes", "'bytes'")):
            reference.load(tmp_path / "model").encode(["a"])
    path.unlink()
    with pytest.raises(CheckpointError, match=r"no characters\.json"):
        _native.embed_texts(str(tmp_path / "model"), ["a"])


def test_an_empty_text_is_refused(parts, tmp_path):
    parts[2].save(tmp_path)
    with pytest.raises(InputError, match="has no tokens"):
        _native.embed_texts(str(tmp_path), [""])
    with pytest.raises(InputError, match="has no tokens"):
        reference.load(tmp_path).encode([""])
