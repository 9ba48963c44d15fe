"""A tokenizer.json is opened as Transformers opens it: by a class that the folder names, which
builds most of it anew. Either ids, token types and special tokens agree, or it is refused."""

import json
import shutil

import pytest
import transformers

from reference.errors import CheckpointError, ConfigError
from reference.families.reading import read_config
from reference.text import read_tokenizer
from tests.text.small import BERT_WORDS, MPNET_WORDS, byte_pieces, sentence_pieces

TEXTS = [
    "Hello, World! The naïve Café",
    "",
    "中文字 text ÉTÉ",
    "the RIVER [MASK] [SEP]  stone <mask></s> [unused3] [new] NEW",
    "don't  3.14 🙂\t\n end ",
    " a river stone",
]


def changed(path, **changes):
    values = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps(values | changes))


def check_like_transformers(folder):
    ours = read_tokenizer(folder, read_config(folder))
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    expected = theirs(TEXTS, truncation=True, max_length=12)
    encodings = ours(TEXTS, max_length=12)
    assert encodings == expected["input_ids"]
    pairs = theirs(TEXTS, TEXTS[::-1], return_token_type_ids=None)
    found = ours(TEXTS, TEXTS[::-1])
    assert found == pairs["input_ids"]
    types = [[0] * len(ids) for ids in pairs["input_ids"]]
    if read_config(folder).has_token_types:
        types = pairs.get("token_type_ids", types)
    assert [encoding.token_type_ids for encoding in found] == types
    for ids in pairs["input_ids"]:
        known = [number for number in ids if number < ours.vocab_size]
        for skip in (True, False):
            assert ours.decode(known, skip) == theirs.decode(known, skip_special_tokens=skip)
    for kind in ("cls", "sep", "pad", "unk", "mask"):
        name = f"{kind}_token_id"
        assert getattr(ours, name) == getattr(theirs, name)
    return ours


def added(content, number, **properties):
    """An entry of added_tokens_decoder."""
    return {str(number): {"content": content, "special": True} | properties}


MINILMS = "[PAD] [UNK] [CLS] [SEP] [MASK]".split()
SPECIALS = {
    number: token for token, number in zip(MINILMS, (0, 100, 101, 102, 103), strict=True)
}
DECODER = {k: v for n, t in SPECIALS.items() for k, v in added(t, n, normalized=False).items()}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"do_lower_case": False},
        {"do_lower_case": False, "strip_accents": True},
        {"strip_accents": False},
        {"tokenize_chinese_chars": False},
        {"tokenizer_class": "PreTrainedTokenizerFast", "do_lower_case": False},
        {"tokenizer_class": "BertTokenizerFast", "do_lower_case": False},
        {"tokenizer_class": "DistilBertTokenizer"},
        {"tokenizer_class": None, "do_lower_case": False},
        {"truncation_side": "left"},
        {"split_special_tokens": True},
        {"clean_up_tokenization_spaces": True},
        {"model_input_names": ["input_ids", "attention_mask"]},
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_input_names": ["input_ids", "token_type_ids", "attention_mask"],
        },
        {"additional_special_tokens": ["[unused3]"]},
        {"extra_special_tokens": ["[unused3]", "[unused4]"]},
        {"extra_special_tokens": {"image_token": "[unused3]"}},
        {"image_token": "[unused3]"},
        {"added_tokens_decoder": DECODER | added("[unused3]", 4)},
        {"added_tokens_decoder": DECODER | added("[unused3]", 4, special=False, lstrip=True)},
        {"added_tokens_decoder": added("[MASK]", 103, lstrip=True, normalized=False)},
        {"cls_token": "[unused3]", "sep_token": "[unused4]"},
        {"mask_token": {"__type": "AddedToken", "content": "[MASK]", "lstrip": True}},
        {"bos_token": "[unused3]"},
    ],
)
def test_the_settings_are_obeyed(copy, settings):
    changed(copy / "tokenizer_config.json", **settings)
    check_like_transformers(copy)


def test_cased_and_uncased_differ(copy):
    """So that the test above can fail."""
    lower = read_tokenizer(copy, read_config(copy))(TEXTS)
    changed(copy / "tokenizer_config.json", do_lower_case=False)
    assert read_tokenizer(copy, read_config(copy))(TEXTS) != lower


@pytest.mark.parametrize("token", ["[unused3]", {"content": "[unused3]", "lstrip": True}])
def test_the_older_files_name_tokens_too(copy, token):
    changed(copy / "special_tokens_map.json", mask_token=token)
    changed(copy / "added_tokens.json", **{"[unused4]": 5})
    assert check_like_transformers(copy).mask_token_id == 4


@pytest.mark.parametrize("fast", [True, False])
def test_a_token_beyond_the_vocabulary(copy, fast):
    """It gets the next id, as in Transformers, and the model has no row for it."""
    name = "PreTrainedTokenizerFast" if fast else "BertTokenizer"
    changed(
        copy / "tokenizer_config.json",
        tokenizer_class=name,
        added_tokens_decoder=DECODER | added("[new]", 30522),
    )
    changed(copy / "config.json", vocab_size=30523)
    assert read_tokenizer(copy, read_config(copy))(["[new]"]) == [[101, 30522, 102]]
    check_like_transformers(copy)


def test_a_file_without_the_added_tokens(copy):
    changed(copy / "tokenizer.json", added_tokens=[])
    assert check_like_transformers(copy)(["[MASK]"]) == [[101, 103, 102]]


def test_what_the_class_would_overrule_is_warned_of(copy):
    """Transformers' BertTokenizer lower-cases unless the settings forbid it."""
    content = json.loads((copy / "tokenizer.json").read_text())
    content["normalizer"]["lowercase"] = False
    (copy / "tokenizer.json").write_text(json.dumps(content))
    (copy / "tokenizer_config.json").unlink()
    with pytest.warns(UserWarning, match="has lowercase False, but .* names? no|does not name"):
        check_like_transformers(copy)
    changed(copy / "tokenizer_config.json", do_lower_case=False)
    check_like_transformers(copy)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("normalizer", None),
        ("normalizer", {"type": "Lowercase"}),
        ("pre_tokenizer", {"type": "Whitespace"}),
        ("post_processor", None),
        ("model", {"type": "WordPiece", "max_input_chars_per_word": 20}),
        ("model", {"type": "BPE"}),
    ],
)
def test_what_the_class_would_throw_away_is_refused(copy, part, value):
    content = json.loads((copy / "tokenizer.json").read_text())
    content[part] = content["model"] | value if part == "model" else value
    (copy / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=rf"{part}.* BertTokenizer, .*must name"):
        read_tokenizer(copy, read_config(copy))
    if part in ("normalizer", "pre_tokenizer"):
        changed(copy / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
        check_like_transformers(copy)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"tokenizer_class": "AlbertTokenizer"}, ConfigError, "class is 'AlbertTokenizer'"),
        ({"tokenizer_class": 5}, ConfigError, "tokenizer_class is 5"),
        ({"do_lower_case": "no"}, ConfigError, "do_lower_case is 'no'"),
        ({"strip_accents": 1}, ConfigError, "strip_accents is 1"),
        ({"split_special_tokens": "x"}, ConfigError, "split_special_tokens is 'x'"),
        ({"model_input_names": "ids"}, ConfigError, "model_input_names is 'ids'"),
        ({"model_input_names": []}, ConfigError, "without attention_mask"),
        ({"padding_side": "up"}, ConfigError, "padding_side is 'up'"),
        ({"padding_side": "left"}, ConfigError, "padding_side is left; .* of a bert"),
        ({"cls_token": None}, ConfigError, "cls_token is null"),
        ({"added_tokens_decoder": []}, ConfigError, "added_tokens_decoder must be an object"),
        ({"added_tokens_decoder": {"4": "x"}}, CheckpointError, "'x' has the id"),
        ({"added_tokens_decoder": {"4": {"content": 4}}}, ConfigError, "decoder is 4"),
        ({"added_tokens_decoder": added("[MASK]", 4)}, CheckpointError, "lists it as"),
        ({"added_tokens_decoder": added("[MASK]", "a")}, CheckpointError, "invalid literal"),
    ],
)
def test_settings_that_cannot_be_obeyed(copy, settings, error, message):
    changed(copy / "tokenizer_config.json", **settings)
    with pytest.raises(error, match=message):
        read_tokenizer(copy, read_config(copy))


def folder_of(folder, model_type, tokenizer, **settings):
    changed(folder / "config.json", model_type=model_type, vocab_size=400)
    if isinstance(tokenizer, list):
        (folder / "vocab.txt").write_text("\n".join(tokenizer) + "\n")
    else:
        tokenizer.save(str(folder / "tokenizer.json"))
    changed(folder / "tokenizer_config.json", **settings)
    return folder


@pytest.mark.parametrize("settings", [{}, {"do_lower_case": False}, {"mask_token": "river"}])
@pytest.mark.parametrize("ready", [True, False])
def test_mpnet(tmp_path, settings, ready):
    folder = folder_of(tmp_path, "mpnet", MPNET_WORDS, **settings)
    if ready:
        transformers.MPNetTokenizer.from_pretrained(folder).save_pretrained(folder)
        (folder / "vocab.txt").unlink()
        (folder / "tokenizer_config.json").unlink()
        changed(folder / "tokenizer_config.json", **settings)
    assert check_like_transformers(folder).cls_token_id == 0


@pytest.mark.parametrize("model_type", ["bert", "distilbert", "electra"])
def test_berts_word_list(tmp_path, model_type):
    check_like_transformers(folder_of(tmp_path, model_type, BERT_WORDS))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"add_prefix_space": True},
        {"add_prefix_space": True, "trim_offsets": False},
        {"tokenizer_class": "PreTrainedTokenizerFast", "cls_token": "<s>", "sep_token": "</s>"},
        {"mask_token": {"__type": "AddedToken", "content": "<mask>", "lstrip": True}},
        {"clean_up_tokenization_spaces": True},
    ],
)
def test_roberta(tmp_path, settings):
    folder = folder_of(tmp_path, "roberta", byte_pieces(), **settings)
    if "tokenizer_class" in settings:
        for kind, name in zip(
            ("pad", "unk", "mask"), ("<pad>", "<unk>", "<mask>"), strict=True
        ):
            changed(folder / "tokenizer_config.json", **{f"{kind}_token": name})
    check_like_transformers(folder)


@pytest.mark.parametrize("model_type", ["xlm-roberta", "camembert"])
@pytest.mark.parametrize("settings", [{}, {"add_prefix_space": False}, {"mask_token": "stone"}])
def test_sentence_pieces_in_a_tokenizer_json(tmp_path, model_type, settings):
    check_like_transformers(folder_of(tmp_path, model_type, sentence_pieces(), **settings))


def test_modernbert_takes_the_file_as_it_stands(folders, tmp_path):
    """Whatever class the settings name."""
    folder = tmp_path / "modernbert"
    folder.mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(folders["modernbert"] / name, folder)
    changed(folder / "tokenizer_config.json", tokenizer_class="BertTokenizer")
    check_like_transformers(folder)


def test_a_bare_word_list_is_berts(folders, copy):
    changed(copy / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
    (copy / "tokenizer.json").unlink()
    with pytest.raises(CheckpointError, match="bare word list, which PreTrainedTokenizerFast"):
        read_tokenizer(copy, read_config(copy))


def test_dropout_is_refused(tmp_path):
    tokenizer = byte_pieces()
    folder = folder_of(tmp_path, "roberta", tokenizer)
    content = json.loads((folder / "tokenizer.json").read_text())
    content["model"]["dropout"] = 0.3
    (folder / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=r"dropout of 0\.3"):
        read_tokenizer(folder, read_config(folder))
