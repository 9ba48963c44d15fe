"""A word inside a text: with the space before it, or going on with the word before."""

import pytest


def pieces(tokenizer, text: str, begins_word: bool) -> list[str]:
    vocabulary = tokenizer.vocabulary
    return [vocabulary.piece(number) for number in vocabulary.spelled(text, begins_word)]


@pytest.mark.parametrize("text", ["river", "stone river", "the"])
def test_after_a_space_it_is_what_the_tokenizer_makes_of_it_there(both, text):
    ours, theirs = both
    before, whole = (
        theirs(t, add_special_tokens=False)["input_ids"] for t in ("a", f"a {text}")
    )
    assert whole == [*before, *ours.vocabulary.spelled(text, True)]


@pytest.mark.parametrize("text", ["able", "ing", "stone"])
def test_right_after_a_letter_the_pieces_have_no_space_in_them(both, text):
    ours, _ = both
    found = pieces(ours, text, False)
    assert found and not any(piece.startswith(("Ġ", "▁")) for piece in found)
    if ours.vocabulary.marks_spaces:
        assert "".join(found) == text or "<unk>" in found
    else:
        assert [piece[:2] for piece in found] == ["##"] * len(found)
        assert "".join(piece[2:] for piece in found) == text


def test_a_piece_as_wordpiece_writes_it(ours_and_theirs):
    ours, _ = ours_and_theirs["bert"]
    assert pieces(ours, "##ing", True) == pieces(ours, "##ing", False) == ["##ing"]
    assert pieces(ours, "New York", True) == ["new", "york"]
    assert pieces(ours, "\u2603", False) == ["[UNK]"]  # no piece is a snowman


def test_only_the_first_word_goes_on(ours_and_theirs):
    ours, _ = ours_and_theirs["modernbert"]
    assert pieces(ours, "array copy", False) == ["array", "Ġcopy"]
    assert pieces(ours, "array copy", True) == ["Ġarray", "Ġcopy"]


@pytest.mark.parametrize(
    ("before", "begins"),
    [
        ("", {"bert": True, "modernbert": False, "roberta": False, "sentencepiece": True}),
        ("the ", dict.fromkeys(("bert", "modernbert", "roberta", "sentencepiece"), True)),
        ("the\n", dict.fromkeys(("bert", "modernbert", "roberta", "sentencepiece"), True)),
        ("un", dict.fromkeys(("bert", "modernbert", "roberta", "sentencepiece"), False)),
        ("(", {"bert": True, "modernbert": False, "roberta": False, "sentencepiece": False}),
        ("中", {"bert": True, "modernbert": False}),
    ],
)
def test_what_begins_a_word(ours_and_theirs, before, begins):
    for kind, expected in begins.items():
        ours, _ = ours_and_theirs[kind]
        assert ours.vocabulary.begins_word(before) is expected, kind


def test_pieces_have_names(both):
    ours, theirs = both
    for token in theirs.convert_ids_to_tokens(range(len(theirs))):
        number = ours.vocabulary.token_id(token)
        assert number is None or ours.vocabulary.piece(number) == token
    assert ours.mask_token == theirs.mask_token
    assert ours.vocabulary.piece(10**6) is None
