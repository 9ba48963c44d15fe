"""SentencePiece models that are read under their own ids."""

import json

import pytest
import sentencepiece

from reference.errors import CheckpointError, ConfigError
from reference.families.reading import config_from_dict
from reference.text import TOKENIZER_FILES, read_tokenizer

LINES = [f"the river {word} stands beside a stone {word}" for word in "abcdefghij" * 20]
IDS = {"pad_id": 0, "unk_id": 1, "bos_id": 2, "eos_id": 3, "control_symbols": ["[MASK]"]}


def train(folder, **changes):
    """A folder that holds a tokenizer.model and nothing else."""
    folder.mkdir(exist_ok=True)
    options = {"vocab_size": 34, "model_type": "bpe", "minloglevel": 2} | IDS | changes
    with (folder / "tokenizer.model").open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(LINES), model_writer=file, **options
        )
    return folder


@pytest.fixture
def folder(tmp_path):
    return train(tmp_path / "folder")


def config(vocab_size):
    sizes = {"hidden_size": 8, "num_attention_heads": 2, "max_position_embeddings": 40}
    return config_from_dict({"model_type": "bert", "vocab_size": vocab_size} | sizes)


@pytest.fixture
def tokenizer(folder):
    return read_tokenizer(folder)


def test_a_folder_that_holds_a_model_alone(tokenizer):
    special = {"pad": 0, "unk": 1, "cls": 2, "sep": 3, "mask": 4}
    assert tokenizer.special_tokens == special and tokenizer.special_ids == set(range(5))
    assert tokenizer.vocab_size == len(tokenizer.vocabulary) == 34
    library = tokenizer.vocabulary.processor
    (ids,) = tokenizer([LINES[0]])
    assert ids == [2, *library.encode(LINES[0]), 3] and tokenizer.decode(ids) == LINES[0]
    assert {"tokenizer.model", "tokenizer.vocab"} <= set(TOKENIZER_FILES)


def test_a_mask_in_a_text_is_one(tokenizer):
    """With the space before it, as a piece in its place would be."""
    text = "the [MASK] stands"
    (encoding,) = tokenizer([text])
    (before,), (after,) = tokenizer(["the"]), tokenizer(["stands"])
    assert encoding == [*before[:-1], 4, *after[1:]]
    assert [text[a:b] for a, b in encoding.offsets][len(before) - 1] == "[MASK]"
    assert tokenizer.decode(encoding, False) == "<s> the[MASK] stands</s>"
    assert 2 in tokenizer(["a <s> b"])[0][1:] and 4 not in tokenizer(["a [mask] b"])[0]


def test_special_tokens_may_be_read_as_letters(folder):
    (folder / "tokenizer_config.json").write_text('{"split_special_tokens": true}')
    tokenizer = read_tokenizer(folder)
    (ids,) = tokenizer(["the [MASK] </s>"])
    assert not {0, 2, 3, 4} & set(ids[1:-1])
    assert tokenizer.unk_token_id in ids  # the brackets, which are in no line


def test_pairs_and_cuts(tokenizer):
    (pair,) = tokenizer(["the river"], ["a stone"])
    (one,), (other,) = tokenizer(["the river"]), tokenizer(["a stone"])
    assert pair == [*one, 3, *other[1:]] and pair.sequence_ids.count(1) == len(other) - 2
    assert pair.special_tokens_mask.count(1) == 4
    (cut,) = tokenizer([LINES[0]], max_length=6)
    assert len(cut) == 6 and cut[-1] == 3 and cut == [*tokenizer([LINES[0]])[0][:5], 3]


def test_unknown_letters(tokenizer):
    (ids,) = tokenizer(["the ж"])
    assert ids.count(1) == 1 and tokenizer.decode(ids) == "the "
    assert tokenizer.vocabulary.token_id("ж") is None
    assert (
        tokenizer.vocabulary.token_id("<unk>") == 1 and tokenizer.vocabulary.piece(34) is None
    )


def test_how_words_are_spelled(tokenizer):
    vocabulary = tokenizer.vocabulary
    assert vocabulary.spelled("the", True) == tokenizer(["the"])[0][1:-1]
    inside = vocabulary.spelled("the", False)
    assert "".join(map(vocabulary.piece, inside)) == "the"


def test_the_model_must_have_as_many_pieces(folder):
    assert read_tokenizer(folder, config(34)).max_length == 40
    with pytest.raises(CheckpointError, match=r"has 34 pieces, .* vocab_size is 40: tokenizer"):
        read_tokenizer(folder, config(40))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pad_id": 4, "control_symbols": []}, "gives <pad> the id 4; its first pieces must"),
        ({"pad_id": -1}, "has no <pad>; its first pieces must be <pad> 0, <unk> 1, <s> 2"),
        ({"control_symbols": []}, r"has no \[MASK\]; its first pieces must be"),
        ({"control_symbols": ["x", "[MASK]"]}, r"gives \[MASK\] the id 5"),
        ({"unk_id": 0, "pad_id": 1}, "gives <pad> the id 1"),
        ({"eos_id": -1}, "has no </s>"),
        ({"byte_fallback": True, "vocab_size": 300}, "writes unknown characters as bytes"),
    ],
)
def test_models_with_other_special_tokens(tmp_path, changes, message):
    folder = train(tmp_path / "folder", **changes)
    with pytest.raises(CheckpointError, match=message):
        read_tokenizer(folder)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"mask_token": "<mask>"}, CheckpointError, "folder has mask_token '<mask>'"),
        ({"add_prefix_space": True}, CheckpointError, "folder has add_prefix_space"),
        ({"split_special_tokens": 3}, ConfigError, "split_special_tokens is 3"),
        ({"model_max_length": 1}, ConfigError, "model_max_length is 1"),
        ({"truncation_side": "top"}, ConfigError, "truncation_side is 'top'"),
        ({"padding_side": "top"}, ConfigError, "padding_side is 'top'"),
    ],
)
def test_settings_that_do_not_go_with_it(folder, settings, error, message):
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(error, match=message):
        read_tokenizer(folder)


def test_damaged_and_missing(tmp_path):
    with pytest.raises(CheckpointError, match=r"no tokenizer: no .* or tokenizer\.model"):
        read_tokenizer(tmp_path)
    (tmp_path / "tokenizer.model").write_bytes(b"\xff" * 40)
    with pytest.raises(CheckpointError, match=r"tokenizer\.model is not a SentencePiece model"):
        read_tokenizer(tmp_path)
