"""Folders in all the ways that sentence-transformers and Transformers write them;
test_folders.py embeds them."""

import json
from pathlib import Path

import torch
import transformers
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense
from sentence_transformers.sentence_transformer.modules import (
    Dropout,
    LayerNorm,
    Normalize,
    Pooling,
    Transformer,
)

from reference.parity.random_models import random_checkpoint
from tests.text.small import BERT_WORDS, MPNET_WORDS, byte_pieces, sentence_pieces

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
NN = torch.nn
QUERY = {"prompts": {"query": "a River "}, "default_prompt_name": "query"}

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
    "dropout": ("bert", {"after": [lambda: Dropout(0.1)]}, {}),
    "dense": ("bert", {"after": [lambda: Dense(32, 12)]}, {}),
    "dense, then normalised": ("bert", {"after": [lambda: Dense(32, 12), Normalize]}, {}),
    "normalised, then dense": ("bert", {"after": [Normalize, lambda: Dense(32, 12)]}, {}),
    "dense of two poolings": (
        "bert",
        {"pooling": ("cls", "mean"), "after": [lambda: Dense(64, 32, bias=False)]},
        {},
    ),
    "dense, residual": ("bert", {"after": [lambda: Dense(32, 32, use_residual=True)]}, {}),
    "dense, residual through a matrix": (
        "bert",
        {"after": [lambda: Dense(32, 12, use_residual=True)]},
        {},
    ),
    **{
        f"dense, {activation.__name__}": (
            "bert",
            {"after": [lambda activation=activation: Dense(32, 12, True, activation())]},
            {},
        )
        for activation in (NN.Identity, NN.ReLU, NN.GELU, NN.Sigmoid, NN.SiLU)
    },
    "dense, by its short name": (
        "bert",
        {"after": [lambda: Dense(32, 12)]},
        {"2_Dense/config.json": {"activation_function": "torch.nn.Sigmoid"}},
    ),
    "dense, no activation named": (
        "bert",
        {"after": [lambda: Dense(32, 12, True, NN.ReLU())]},
        {"2_Dense/config.json": {"activation_function": ...}},
    ),
    "layer norm": ("bert", {"after": [lambda: LayerNorm(32)]}, {}),
    "a long chain, cut": (
        "bert",
        {
            "after": [
                lambda: Dense(32, 48),
                lambda: Dropout(0.5),
                lambda: Dense(48, 24),
                lambda: LayerNorm(24),
                Normalize,
            ],
            "truncate_dim": 10,
        },
        {},
    ),
    "encoder in a folder": ("bert", {"inside": "0_Transformer", "normalize": True}, {}),
    "roberta in a folder": ("roberta", {"inside": "0_Transformer"}, {}),
    "without the prompt": ("bert", QUERY | {"include_prompt": False}, {}),
    "without the prompt, cls": (
        "bert",
        QUERY | {"include_prompt": False, "pooling": ("cls", "max")},
        {},
    ),
    "without the prompt, weighted": (
        "mpnet",
        QUERY | {"include_prompt": False, "pooling": ("weightedmean", "lasttoken")},
        {},
    ),
    "without the prompt, ends without a name": (
        "modernbert",
        QUERY | {"include_prompt": False},
        {},
    ),
    "without a prompt that is cut": (
        "bert",
        QUERY | {"include_prompt": False},
        {BERT: {"max_seq_length": 4}},
    ),
    "without no prompt": ("bert", {"include_prompt": False}, {}),
    "dense, activation of one's own": (
        "bert",
        {"after": [lambda: Dense(32, 12)]},
        {"2_Dense/config.json": {"activation_function": "torch.nn.Softsign"}},
    ),
    "dense of tokens": (
        "bert",
        {"after": [lambda: Dense(32, 12, module_output_name="other")]},
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
    "dense, activation of one's own",
    "dense of tokens",
    "CrossEncoder",
    "config_args",
    "chat",
    "add_bos_token",
    "padded on the left",
    "padded on the left by its file",
    "without a mask",
    "Normalize of tokens",
}
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
    modules += [Normalize()] if told.pop("normalize", False) else []
    torch.manual_seed(1)
    modules += [module() for module in told.pop("after", [])]
    for parameter in torch.nn.Sequential(*modules[2:]).parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    encoder = told.pop("inside", None)
    model = SentenceTransformer(modules=modules, device="cpu", **told)
    model.save(str(folder), create_model_card=False)
    if encoder:
        move_encoder(folder, encoder)
    for name, change in changes.items():
        change_file(folder / name, change)
    return folder


def move_encoder(folder: Path, inside: str) -> None:
    """What belongs to the Transformer into a folder of its own, as old releases have it."""
    (folder / inside).mkdir()
    for path in folder.iterdir():
        if path.is_file() and path.name not in ("modules.json", MODEL):
            path.rename(folder / inside / path.name)
    modules = json.loads((folder / "modules.json").read_text())
    modules[0]["path"] = inside
    (folder / "modules.json").write_text(json.dumps(modules))


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
