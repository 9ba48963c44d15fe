"""Sound folders to begin with: tiny, with everything beside the weights that Transformers and
sentence-transformers write."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors.numpy
import tokenizers
import transformers

from reference.char_encoder import CCLMModelBase, MLMPreprocessor
from reference.families import ARCHITECTURES
from reference.families.towers import TowerConfig
from reference.parity import random_checkpoint
from reference.parity.oracle import quiet

SIZES = {
    "num_hidden_layers": 2,
    "hidden_size": 16,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 40,
    "vocab_size": 300,
}
WORDS = (
    "the a cat sat on mat river ran café cafe 12 apples über uber to of and is it 你 好 . , ! "
    "? - ##s ##ed ##ing ##er ##a ##e ##t ##r un ##known Cat The"
).split()
BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
MPNET = ["<s>", "<pad>", "</s>", "<unk>", "[UNK]", "<mask>"]
ROBERTA = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
# In how many ways a folder may be laid out besides the usual one.
LAYOUTS = ("", "vocab.txt", "shards")


def word_pieces(
    kind: type = transformers.BertTokenizer, special: list[str] = BERT
) -> transformers.PreTrainedTokenizerBase:
    letters = [begin + letter for letter in "abcdefgh" for begin in ("", "##")]
    words = dict.fromkeys([*special, *WORDS, *letters])
    return kind(vocab={word: number for number, word in enumerate(words)})


def mpnets_word_pieces() -> transformers.PreTrainedTokenizerBase:
    return word_pieces(transformers.MPNetTokenizer, MPNET)


def words_of_no_class() -> transformers.PreTrainedTokenizerBase:
    """As ModernBERT's: nothing but what tokenizer.json says."""
    tokenizer = word_pieces()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.backend_tokenizer, **tokenizer.special_tokens_map
    )


def byte_pairs() -> transformers.PreTrainedTokenizerBase:
    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    words = [*ROBERTA, *alphabet, "th", "the", "Ġthe"]
    merges = [("t", "h"), ("th", "e"), ("Ġ", "the")]
    return transformers.RobertaTokenizer(
        vocab={word: number for number, word in enumerate(words)}, merges=merges
    )


def unigrams() -> transformers.PreTrainedTokenizerBase:
    pieces = ["▁the", "▁", *"abcdefghijklmnopqrstuvwxyz", "▁cat", "er", "s", "é", "你"]
    vocab = [(word, 0.0) for word in ["<s>", "<pad>", "</s>", "<unk>"]]
    vocab += [(piece, -1.0 - number / 7) for number, piece in enumerate(pieces)]
    return transformers.XLMRobertaTokenizer(vocab=[*vocab, ("<mask>", 0.0)])


TOKENIZERS: dict[str, Callable[[], transformers.PreTrainedTokenizerBase]] = {
    "roberta": byte_pairs,
    "mpnet": mpnets_word_pieces,
    "modernbert": words_of_no_class,
    "xlm-roberta": unigrams,
    "camembert": unigrams,
}


def make_seed(name: str, folder: Path) -> Path:
    """`name` is an architecture's, perhaps with a layout: "BertModel shards"."""
    architecture, _, layout = name.partition(" ")
    if architecture.startswith("CharEncoder"):
        return _make_characters(architecture, folder)
    family = ARCHITECTURES[architecture].family
    model_type = next(
        kind for kind, prefix in family.prefixes.items() if architecture.startswith(prefix)
    )
    tokenizer = TOKENIZERS.get(model_type, word_pieces)()
    base = architecture.endswith("Model")
    random_checkpoint(
        folder,
        architecture,
        pooling="mean" if base else None,
        normalize=base,
        pad_token_id=tokenizer.pad_token_id,
        **SIZES,
    )
    with quiet():
        tokenizer.save_pretrained(folder)
    _write(folder / "special_tokens_map.json", tokenizer.special_tokens_map)
    if base:
        _write(
            folder / "sentence_bert_config.json", {"max_seq_length": 24, "do_lower_case": False}
        )
        _write(
            folder / "config_sentence_transformers.json",
            {
                "__version__": {"sentence_transformers": "5.2.0"},
                "prompts": {"query": "the cat ", "document": ""},
                "default_prompt_name": None,
                "similarity_fn_name": "cosine",
            },
        )
        pooling = folder / "1_Pooling" / "config.json"
        _write(pooling, json.loads(pooling.read_text()) | {"include_prompt": True})
    if layout == "vocab.txt":
        words = sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
        (folder / "vocab.txt").write_text("".join(f"{word}\n" for word, _ in words))
        (folder / "tokenizer.json").unlink()
    if layout == "shards":
        _cut_in_two(folder)
    return folder


def _make_characters(architecture: str, folder: Path) -> Path:
    """What reads characters has no tokenizer, and names its sizes otherwise."""
    preprocessor = MLMPreprocessor(vocab_size=40, max_example_len=24)
    preprocessor.fit([word.removeprefix("##") for word in WORDS])
    base = CCLMModelBase(preprocessor, char_emb_size=8, n_filters=16)
    tower = TowerConfig(
        downsample_factor=4,
        n_strided_convs=2,
        n_conv_filters=8,
        num_layers=1,
        num_heads=2,
        hidden_dim=16,
    )
    sizes = {
        key: getattr(base.config, key)
        for key in (
            "vocab_size",
            "num_outputs",
            "max_example_len",
            "char_emb_size",
            "n_filters",
        )
    }
    random_checkpoint(folder, architecture, towers=[tower], **sizes)
    preprocessor.save(folder)
    return folder


def _cut_in_two(folder: Path) -> None:
    tensors = safetensors.numpy.load_file(folder / "model.safetensors")
    keys = sorted(tensors)
    weight_map = {}
    for number, part in enumerate((keys[::2], keys[1::2]), start=1):
        name = f"model-{number:05}-of-00002.safetensors"
        safetensors.numpy.save_file(
            {key: tensors[key] for key in part}, folder / name, metadata={"format": "pt"}
        )
        weight_map |= dict.fromkeys(part, name)
    (folder / "model.safetensors").unlink()
    _write(
        folder / "model.safetensors.index.json",
        {"metadata": {"total_size": 1}, "weight_map": weight_map},
    )


def _write(path: Path, values: Any) -> None:
    path.write_text(json.dumps(values, indent=2), encoding="utf-8")
