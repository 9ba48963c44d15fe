"""The two kinds of SentencePiece model, held against the library itself."""

import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from reference.text.sentence_piece import SPECIAL
from reference.training import train_tokenizer
from reference.training.tokenizer import Options, sentence_piece, tokenizer_files
from tests.training.tokenizer.text import SENTENCE_PIECE, SENTENCES, SIZES, write


@pytest.fixture(scope="module", params=SENTENCE_PIECE)
def both(request, trained):
    folder, ours = trained[request.param]
    path = folder / "tokenizer.model"
    return ours, sentencepiece.SentencePieceProcessor(model_file=str(path))


def test_the_library_knows_the_special_tokens(both):
    ours, library = both
    assert library.pad_id() == 0 and library.unk_id() == 1
    assert library.bos_id() == 2 and library.eos_id() == 3
    assert [library.id_to_piece(number) for number in range(5)] == list(SPECIAL)
    assert len(library) == ours.vocab_size


@given(st.text(max_size=40))
def test_ids_are_those_of_the_library(both, text):
    ours, library = both
    if not any(token in text for token in SPECIAL):
        assert ours([text])[0] == [2, *library.encode(text), 3]


def test_sentences_have_the_ids_of_the_library(both):
    ours, library = both
    assert ours(SENTENCES[:99]) == library.encode(SENTENCES[:99], add_bos=True, add_eos=True)
    for encoding, text in zip(ours(SENTENCES[:9]), SENTENCES, strict=False):
        assert ours.decode(encoding) == library.decode(encoding.ids) == text
        covered = {place for first, end in encoding.offsets for place in range(first, end)}
        assert covered == {place for place, letter in enumerate(text) if letter != " "}


@pytest.mark.parametrize("kind", SENTENCE_PIECE)
def test_the_vocabulary_is_written_as_the_library_writes_it(trained, kind, tmp_path):
    """The file beside the model, in the form that the library's own command has."""
    library = tmp_path / "library"
    sentencepiece.SentencePieceTrainer.train(
        input=str(write(tmp_path / "text.txt")),
        model_prefix=str(library),
        model_type=kind,
        vocab_size=SIZES[kind],
        pad_id=0,
        unk_id=1,
        bos_id=2,
        eos_id=3,
        control_symbols=["[MASK]"],
        minloglevel=2,
    )
    model = library.with_suffix(".model").read_bytes()
    theirs = library.with_suffix(".vocab").read_bytes()
    assert sentence_piece._pieces(model) == theirs
    folder, _ = trained[kind]
    assert (
        sentence_piece._pieces((folder / "tokenizer.model").read_bytes())
        == (folder / "tokenizer.vocab").read_bytes()
    )
    if kind == "bpe":  # which depends on nothing but counts
        assert (folder / "tokenizer.vocab").read_bytes() == theirs


def test_special_tokens_in_the_text_are_letters(tmp_path):
    """The library by itself takes them out, and does not know their brackets afterwards."""
    texts = ["a <s> b [MASK] c </s><unk> <pad>"] * 9
    tokenizer = train_tokenizer(texts, tmp_path / "new", kind="bpe", vocab_size=40)
    pieces = {tokenizer.vocabulary.piece(number) for number in range(5, 40)}
    assert set("<>/[]MASK") <= {piece for piece in pieces if len(piece) == 1}
    library = tokenizer.vocabulary.processor
    assert library.decode(library.encode(texts[0])) == texts[0]
    assert not {0, 1, 2, 3, 4} & set(library.encode(texts[0]))


def test_a_line_without_end_is_not_passed_over(tmp_path):
    """The library by itself leaves lines of more than 4,192 bytes out, without a word."""
    long = "z" + "x" * 9000 + " " + "word " * 2000
    options = {"kind": "bpe", "vocab_size": 30, "coverage": 1}
    tokenizer = train_tokenizer(["a b"] * 9 + [long], tmp_path / "new", **options)
    assert tokenizer.unk_token_id not in tokenizer(["word z xx"])[0]


def test_normal_forms(trained):
    for kind in SENTENCE_PIECE:
        _, tokenizer = trained[kind]
        assert tokenizer(["Ｔｈｅ　ﬁ"])[0] == tokenizer(["The fi"])[0]


def test_a_text_is_scaled_down_alike(monkeypatch):
    """A unigram model begins with the frequent strings of a text of limited length."""
    words = [(f"word{number:03}", 1 + number * 50) for number in range(100)]
    total = sum((len(word) + sentence_piece.BESIDE) * count for word, count in words)
    assert sentence_piece._in_share(list(words), total) == words
    scaled = dict(sentence_piece._in_share(list(words), total // 100))
    assert all(abs(scaled.get(word, 0) - count / 100) < 1 for word, count in words)
    assert sum(scaled.values()) == pytest.approx(sum(n for _, n in words) / 100, rel=0.02)
    monkeypatch.setattr(sentence_piece, "RUNNING_TEXT", 1)
    options = Options("unigram", SIZES["unigram"], word_budget=60_000)
    assert tokenizer_files(SENTENCES * 2, options) == tokenizer_files(SENTENCES * 2, options)
    library = sentencepiece.SentencePieceProcessor(
        model_proto=tokenizer_files(SENTENCES * 2, options)["tokenizer.model"]
    )
    assert len(library) == SIZES["unigram"]
