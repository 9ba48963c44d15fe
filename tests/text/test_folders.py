"""One text half: folders in all the ways that sentence-transformers and Transformers write
them, embedded by both and by every reader of this package. Either the vectors agree, to the
noise of float32, or the folder is refused by name."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import transformers
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import (
    Dropout,
    Normalize,
    Pooling,
    Transformer,
)

import reference
from reference.candle import _native
from reference.errors import EncodersError
from reference.parity.arrays import compare_arrays
from reference.parity.random_models import random_checkpoint
from tests.conftest import BACKENDS
from tests.text.small import BERT_WORDS, MPNET_WORDS, byte_pieces, sentence_pieces

TEXTS = [
    "The River stands beside a stone",
    "hello WORLD, é Ünï 中文!",
    "[MASK] <mask> [spare] </s>",
    "a stone " * 30,
    "",
    "HELLO Σ ΣΑΣ",
]

MAX = {"max_seq_length": 9}
OLD_MEAN = {
    "word_embedding_dimension": 32,
    "pooling_mode_cls_token": False,
    "pooling_mode_mean_tokens": True,
    "pooling_mode_max_tokens": False,
    "pooling_mode_mean_sqrt_len_tokens": False,
}
OLD_TWO = OLD_MEAN | {"pooling_mode_max_tokens": True}
OLD_ROOT = {"word_embedding_dimension": 32, "pooling_mode_mean_sqrt_len_tokens": True}
OLD_LATER = OLD_MEAN | {
    "pooling_mode_mean_tokens": False,
    "pooling_mode_weightedmean_tokens": True,
    "pooling_mode_lasttoken": True,
}
BERT, POOLING = "sentence_bert_config.json", "1_Pooling/config.json"
TOKENIZER, MODEL = "tokenizer_config.json", "config_sentence_transformers.json"
PADDING = {
    "strategy": "BatchLongest",
    "direction": "Left",
    "pad_to_multiple_of": None,
    "pad_id": 0,
    "pad_type_id": 0,
    "pad_token": "[PAD]",
}
SPARE = {"content": "[spare]", "special": True}

# Each folder: which model, what sentence-transformers is told when it writes it, and what is
# then changed in a file, or which files go.
FOLDERS = {
    "as written": ("bert", {}, {}),
    "normalised": ("bert", {"normalize": True}, {}),
    "cls": ("bert", {"pooling": "cls"}, {}),
    "max": ("bert", {"pooling": "max"}, {}),
    "cls and mean": ("bert", {"pooling": ("cls", "mean"), "normalize": True}, {}),
    "all three": ("bert", {"pooling": ("max", "cls", "mean")}, {}),
    "mean by the root": ("bert", {"pooling": "mean_sqrt_len_tokens"}, {}),
    "weighted mean": ("bert", {"pooling": "weightedmean"}, {}),
    "last token": ("bert", {"pooling": "lasttoken", "normalize": True}, {}),
    "three later ones": (
        "bert",
        {"pooling": ("lasttoken", "mean_sqrt_len_tokens", "weightedmean")},
        {},
    ),
    "old mean by the root": ("bert", {}, {POOLING: OLD_ROOT}),
    "old pooling, two later ones": ("bert", {}, {POOLING: OLD_LATER}),
    "old pooling": ("bert", {}, {POOLING: OLD_MEAN}),
    "old pooling, two": ("bert", {}, {POOLING: OLD_TWO}),
    "old pooling, none": ("bert", {}, {POOLING: {"word_embedding_dimension": 32}}),
    "prompts": ("bert", {"prompts": {"query": "hello "}}, {}),
    "default prompt": (
        "bert",
        {"prompts": {"query": "a River "}, "default_prompt_name": "query"},
        {},
    ),
    "empty prompt": ("bert", {"default_prompt_name": "document"}, {}),
    "no such prompt": ("bert", {}, {MODEL: {"default_prompt_name": "q"}}),
    "truncate_dim": ("bert", {"truncate_dim": 8}, {}),
    "truncate_dim, normalised": ("bert", {"truncate_dim": 8, "normalize": True}, {}),
    "truncate_dim beyond": ("bert", {"truncate_dim": 99}, {}),
    "max_seq_length": ("bert", {}, {BERT: MAX}),
    "max_seq_length, old name": (
        "bert",
        {},
        {"sentence_distilbert_config.json": MAX, BERT: None},
    ),
    "max_seq_length, empty first": (
        "bert",
        {},
        {"sentence_roberta_config.json": MAX, BERT: ...},
    ),
    "model_max_length": ("bert", {}, {TOKENIZER: {"model_max_length": 7}}),
    "max_len": ("bert", {}, {TOKENIZER: {"max_len": 7, "model_max_length": ...}}),
    "both lengths": ("bert", {}, {BERT: MAX, TOKENIZER: {"model_max_length": 7}}),
    "tokenizer_args": ("bert", {}, {BERT: {"tokenizer_args": {"model_max_length": 8}} | MAX}),
    "cased by tokenizer_args": (
        "bert",
        {},
        {BERT: {"tokenizer_args": {"do_lower_case": False}}},
    ),
    "cased": ("bert", {}, {TOKENIZER: {"do_lower_case": False}}),
    "accents kept": ("bert", {}, {TOKENIZER: {"strip_accents": False}}),
    "Chinese whole": ("bert", {}, {TOKENIZER: {"tokenize_chinese_chars": False}}),
    "lower-cased first": (
        "bert",
        {},
        {BERT: {"do_lower_case": True}, TOKENIZER: {"do_lower_case": False}},
    ),
    "cut on the left": ("bert", {}, {BERT: MAX, TOKENIZER: {"truncation_side": "left"}}),
    "padded on the left": ("bert", {}, {TOKENIZER: {"padding_side": "left"}}),
    "padded on the left by its file": ("electra", {}, {"tokenizer.json": {"padding": PADDING}}),
    "padded on the right after all": (
        "distilbert",
        {},
        {"tokenizer.json": {"padding": PADDING}, TOKENIZER: {"padding_side": "right"}},
    ),
    "roberta, padded on the left": (
        "roberta",
        {"pooling": ("cls", "mean")},
        {TOKENIZER: {"padding_side": "left"}},
    ),
    "mpnet, padded on the left": ("mpnet", {}, {"tokenizer.json": {"padding": PADDING}}),
    "modernbert, padded on the left": (
        "modernbert",
        {"pooling": ("cls", "mean")},
        {TOKENIZER: {"padding_side": "left"}},
    ),
    "without a mask": ("bert", {}, {TOKENIZER: {"model_input_names": ["input_ids"]}}),
    "special tokens split": ("bert", {}, {TOKENIZER: {"split_special_tokens": True}}),
    "one more token": (
        "bert",
        {},
        {TOKENIZER: {"added_tokens_decoder": {"94": SPARE}}},
    ),
    "other frame": ("bert", {}, {TOKENIZER: {"cls_token": "[spare]"}}),
    "file as it stands": ("bert", {}, {TOKENIZER: {"tokenizer_class": "TokenizersBackend"}}),
    "vocab.txt": ("bert", {}, {"tokenizer.json": None, "vocab.txt": BERT_WORDS}),
    "no tokenizer_config": ("bert", {}, {TOKENIZER: None}),
    "no modules.json": (
        "bert",
        {},
        dict.fromkeys(("modules.json", BERT, MODEL, "1_Pooling/config.json")),
    ),
    "modules.json gone": ("bert", {}, {"modules.json": None}),
    "roberta": ("roberta", {}, {}),
    "roberta, a space first": ("roberta", {}, {TOKENIZER: {"add_prefix_space": True}}),
    "roberta, lower-cased": ("roberta", {}, {BERT: {"do_lower_case": True} | MAX}),
    "xlm-roberta": ("xlm-roberta", {"normalize": True}, {}),
    "xlm-roberta, lower-cased": ("xlm-roberta", {}, {BERT: {"do_lower_case": True}}),
    "mpnet": ("mpnet", {"normalize": True}, {BERT: MAX}),
    "mpnet, file alone": ("mpnet", {}, {TOKENIZER: None, BERT: MAX}),
    "distilbert": ("distilbert", {"pooling": "cls"}, {}),
    "electra": ("electra", {}, {}),
    "modernbert": ("modernbert", {}, {}),
    "modernbert, beyond its length": ("modernbert", {}, {BERT: {"max_seq_length": 120}}),
    "dropout": ("bert", {"dropout": True}, {}),
    "without the prompt": (
        "bert",
        {"include_prompt": False, "prompts": {"q": "the cat "}, "default_prompt_name": "q"},
        {},
    ),
    "CrossEncoder": ("bert", {}, {MODEL: {"model_type": "CrossEncoder"}}),
    "chat": ("bert", {}, {TOKENIZER: {"chat_template": "{{ messages[0].content }} please"}}),
    "add_bos_token": ("bert", {}, {TOKENIZER: {"add_bos_token": True}}),
    "model_args": ("bert", {}, {BERT: {"model_args": {"attn_implementation": "eager"}}}),
    "config_args": ("bert", {}, {BERT: {"config_args": {"num_hidden_layers": 1}}}),
    "Normalize of tokens": (
        "bert",
        {"normalize": True},
        {"2_Normalize/config.json": {"module_input_name": "token_embeddings"}},
    ),
}
# What a reader need not embed: it says so by name, and sentence-transformers may fail as well.
REFUSED = {
    "no such prompt",
    "modules.json gone",
    "CrossEncoder",
    "config_args",
    "chat",
    "add_bos_token",
    "padded on the left",
    "padded on the left by its file",
    "without a mask",
    "Normalize of tokens",
}
# What Rust alone refuses, by name.
REFUSED_BY_RUST = {"dropout", "without the prompt"}
ARCHITECTURES = {
    "bert": ("BertModel", transformers.BertTokenizer, BERT_WORDS),
    "distilbert": ("DistilBertModel", transformers.DistilBertTokenizer, BERT_WORDS),
    "electra": ("ElectraModel", transformers.BertTokenizer, BERT_WORDS),
    "mpnet": ("MPNetModel", transformers.MPNetTokenizer, MPNET_WORDS),
    "roberta": ("RobertaModel", transformers.RobertaTokenizer, byte_pieces),
    "xlm-roberta": ("XLMRobertaModel", transformers.XLMRobertaTokenizer, sentence_pieces),
    "modernbert": ("ModernBertModel", transformers.PreTrainedTokenizerFast, byte_pieces),
}


def base(folder: Path, kind: str) -> Path:
    """A random model with a tokenizer that Transformers has saved."""
    architecture, tokenizer_class, words = ARCHITECTURES[kind]
    random_checkpoint(folder, architecture, vocab_size=300)
    if callable(words):
        words().save(str(folder / "tokenizer.json"))
    else:
        (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    names = {} if kind != "modernbert" else {"pad_token": "<pad>", "mask_token": "<mask>"}
    tokenizer_class.from_pretrained(folder, **names).save_pretrained(folder)
    (folder / "vocab.txt").unlink(missing_ok=True)
    return folder


def write(folder: Path, source: Path, told: dict, changes: dict) -> Path:
    """What sentence-transformers writes, and then what is changed of it."""
    told = dict(told)
    transformer = Transformer(str(source))
    pooling = Pooling(
        transformer.get_embedding_dimension(),
        told.pop("pooling", "mean"),
        include_prompt=told.pop("include_prompt", True),
    )
    modules = [transformer, pooling]
    modules += [Dropout(0.1)] if told.pop("dropout", False) else []
    modules += [Normalize()] if told.pop("normalize", False) else []
    model = SentenceTransformer(modules=modules, device="cpu", **told)
    model.save(str(folder), create_model_card=False)
    for name, change in changes.items():
        change_file(folder / name, change)
    return folder


def change_file(path: Path, change: object) -> None:
    """A list of words, an object whose keys replace the file's, one that replaces them all
    where it is a pooling's; ... empties it, of a key too; None is its end."""
    if change is None:
        path.unlink()
    elif isinstance(change, list):
        path.write_text("\n".join(change) + "\n")
    elif change is ...:
        path.write_text("{}")
    else:
        keep = path.is_file() and path.parent.name != "1_Pooling"
        values = (json.loads(path.read_text()) if keep else {}) | change
        path.write_text(json.dumps({k: v for k, v in values.items() if v is not ...}))


def rust_vectors(folder: Path, texts: list[str], _: str) -> np.ndarray:
    """By the Rust library alone."""
    return _native.embed_texts(str(folder), texts)


def python_vectors(folder: Path, texts: list[str], backend: str) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return reference.load(folder, backend=backend, pipeline="embeddings").encode(texts)


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
    readers = dict(READERS)
    if name in REFUSED_BY_RUST:
        with pytest.raises(EncodersError):
            readers.pop("rust")(folder, TEXTS, "rust")
    theirs = SentenceTransformer(str(folder), device="cpu")
    noisy = {"vectors": theirs.encode(TEXTS)}
    truth = {"vectors": theirs.double().encode(TEXTS)}
    found = {
        reader: {"vectors": read(folder, TEXTS, reader)} for reader, read in readers.items()
    }
    report = compare_arrays(name, truth, noisy, found)
    assert report.passed, report.rows


def test_the_folders_differ(bases, tmp_path):
    """A change that changes no vector would show nothing."""
    vectors = {
        name: python_vectors(
            write(tmp_path / str(number), bases["bert"], *FOLDERS[name][1:]), TEXTS, "torch"
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
        "truncate_dim beyond",
        "file as it stands",
        "vocab.txt",
        "no tokenizer_config",
        "no modules.json",
        "model_args",
        "dropout",
    }
