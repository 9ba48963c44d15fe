"""Tokenizers of the four kinds that checkpoint folders carry, each beside Transformers' own."""

import json
import shutil
from pathlib import Path

import pytest
import sentencepiece
import tokenizers
import transformers

from reference.checkpoint import SMALL_MODERNBERT, locate
from reference.families.reading import config_from_dict, read_config
from reference.text import read_tokenizer

KINDS = ("bert", "modernbert", "roberta", "sentencepiece")


@pytest.fixture
def copy(minilm, tmp_path):
    """What a tokenizer needs of the embedded model's folder, to be changed."""
    folder = tmp_path / "model"
    folder.mkdir()
    for name in (
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.txt",
        "sentence_bert_config.json",
    ):
        shutil.copy(minilm / name, folder)
    return folder


@pytest.fixture(scope="session")
def folders(minilm, tmp_path_factory) -> dict[str, Path]:
    """A folder of each kind, its config.json too."""
    return {
        "bert": minilm,
        "modernbert": locate(SMALL_MODERNBERT),
        "roberta": _roberta(tmp_path_factory.mktemp("roberta")),
        "sentencepiece": _sentencepiece(tmp_path_factory.mktemp("sentencepiece")),
    }


@pytest.fixture(scope="session")
def ours_and_theirs(folders):
    made = {}
    for kind, folder in folders.items():
        theirs = (
            transformers.XLMRobertaTokenizer.from_pretrained(folder)
            if kind == "sentencepiece"
            else transformers.AutoTokenizer.from_pretrained(folder)
        )
        made[kind] = read_tokenizer(folder, _config(folder)), theirs
    return made


@pytest.fixture(scope="session", params=KINDS)
def both(request, ours_and_theirs):
    """Our tokenizer and Transformers', of each kind."""
    return ours_and_theirs[request.param]


def _config(folder: Path):
    if (folder / "config.json").is_file():
        return read_config(folder)
    return config_from_dict({"model_type": "xlm-roberta"})


def _roberta(folder: Path) -> Path:
    """RoBERTa's byte-level pieces and its template, with two separators between the texts."""
    tokenizer = tokenizers.ByteLevelBPETokenizer(add_prefix_space=False, trim_offsets=True)
    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer.train_from_iterator(
        ["the river stands beside a stone"] * 9, 300, 2, False, specials
    )
    tokenizer.post_processor = tokenizers.processors.RobertaProcessing(
        ("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {"cls": "<s>", "pad": "<pad>", "sep": "</s>", "unk": "<unk>", "mask": "<mask>"}
    settings = {f"{kind}_token": name for kind, name in names.items()}
    (folder / "tokenizer_config.json").write_text(
        json.dumps(settings | {"tokenizer_class": "PreTrainedTokenizerFast"})
    )
    return folder


def _sentencepiece(folder: Path) -> Path:
    """A multilingual checkpoint's sentencepiece.bpe.model alone, in fairseq's order of ids."""
    text = folder / "text"
    lines = [f"the river {word} stands beside a stone {word}" for word in "abcdefghij" * 20]
    text.write_text("\n".join(lines))
    sentencepiece.SentencePieceTrainer.train(
        input=str(text),
        model_prefix=str(folder / "sentencepiece.bpe"),
        vocab_size=28,
        model_type="unigram",
        unk_id=0,
        bos_id=1,
        eos_id=2,
        minloglevel=2,
    )
    return folder
