"""WordPiece and pairs of bytes, held against Transformers and against the library itself."""

import numpy as np
import pytest
import tokenizers
import transformers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import models, normalizers, pre_tokenizers, trainers

from reference.training import train_tokenizer
from reference.training.tokenizer.hugging_face import SPECIAL
from tests.training.tokenizer.text import HUGGING_FACE, SENTENCES, SIZES


@pytest.fixture(scope="module", params=HUGGING_FACE)
def both(request, trained):
    folder, ours = trained[request.param]
    return ours, transformers.AutoTokenizer.from_pretrained(folder)


def test_transformers_knows_the_special_tokens(both):
    ours, theirs = both
    assert theirs.convert_tokens_to_ids(list(SPECIAL)) == [0, 1, 2, 3, 4]
    for name in ("pad", "unk", "cls", "sep", "mask"):
        key = f"{name}_token_id"
        assert getattr(theirs, key) == getattr(ours, key) is not None
    assert len(theirs) == ours.vocab_size and set(theirs.all_special_ids) == ours.special_ids


@given(st.text(max_size=40))
def test_ids_are_those_of_transformers(both, text):
    ours, theirs = both
    assert ours([text])[0] == theirs(text)["input_ids"]


def test_sentences_and_pairs_are_those_of_transformers(both):
    ours, theirs = both
    texts, pairs = SENTENCES[:40], [f"{text} [MASK], too" for text in SENTENCES[40:80]]
    found = ours(texts, pairs, padding=True)
    expected = theirs(texts, pairs, padding=True, return_tensors="np")
    assert found.keys() == expected.keys()
    for key, array in found.items():
        np.testing.assert_array_equal(array, expected[key])
    for encoding in ours(texts):
        assert ours.decode(encoding) == theirs.decode(encoding, skip_special_tokens=True)


def test_pairs_of_bytes_are_those_of_the_library(trained):
    """Trained on the lines themselves."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=SIZES["byte-bpe"],
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    _, ours = trained["byte-bpe"]
    assert ours.vocabulary.tokenizer.get_vocab() == tokenizer.get_vocab()


def test_word_pieces_are_those_of_the_library(tmp_path):
    """Where no two pairs are equally frequent: the library leaves it to chance which of those
    comes first, and with other first pairs the later ones are others too."""
    counts = {"stone": 5, "river": 23, "cloud": 101, "thunder": 401}
    lines = [
        " ".join([word[:end]] * (count + 3**end))
        for word, count in counts.items()
        for end in range(1, len(word) + 1)
    ]
    tokenizer = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    size = len(SPECIAL) + 2 * len(set("".join(counts))) + 12
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=list(SPECIAL), show_progress=False
    )
    tokenizer.train_from_iterator(lines, trainer)
    ours = train_tokenizer(lines, tmp_path / "ours", kind="wordpiece", vocab_size=size)
    found, expected = set(ours.vocabulary.tokenizer.get_vocab()), set(tokenizer.get_vocab())
    assert found == expected


def test_rare_characters_are_unknown_to_word_pieces(tmp_path):
    texts = ["the river and the stone " * 500 + "ж"]
    few = train_tokenizer(texts, tmp_path / "few", kind="wordpiece", vocab_size=30)
    assert few(["the ж"])[0].count(few.unk_token_id) == 1
    all_of_them = {"kind": "wordpiece", "vocab_size": 31, "coverage": 1}
    every = train_tokenizer(texts, tmp_path / "every", **all_of_them)
    assert every.unk_token_id not in every(["the ж"])[0]
