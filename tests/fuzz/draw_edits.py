"""Damage drawn at random, by the grammar of the files: a key that some reader knows, a value
of the wrong type or just beyond its bounds, a part of a tokenizer swapped for another."""

import copy
import dataclasses
import json
import random
from pathlib import Path
from typing import Any

from reference.families import FAMILIES
from reference.families.config import ACTIVATIONS
from reference.families.reading import LABEL_KEYS, METADATA
from tests.fuzz.edits import Edit, split_tensors
from tests.fuzz.tokenizer_parts import PARTS

VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 2, 3, 7, 64, 0.0, 0.5, -0.5, 1.0, 24.0, 1e30, 1e-30, 1e308,
    -1e308, 10**30, 2**31 - 1, 2**31, 2**63 - 1, 2**63, 10**400, float("nan"), float("inf"),
    "", " ", "0", "1", "a", "é", "\ud800", "\0", "../x", "/etc/passwd", "x" * 5000, "[UNK]",
    "left", "right", "gelu", "mean", "float16", "sdpa", [], [[]], {}, [0], [1, 2], ["a"],
    {"a": 1}, {"0": "a"}, {"1": "a"}, [None] * 100,
]  # fmt: skip
# Keys that one of the libraries reads, whether or not the sound file has them.
CONFIG_KEYS = (
    *(field.name for family in FAMILIES for field in dataclasses.fields(family.config)),
    *(spelling for family in FAMILIES for spelling in family.config.SPELLINGS.values()),
    *(
        key
        for family in FAMILIES
        for key in (*family.config.ONLY_VALUES, *family.config.LEGACY)
    ),
    *LABEL_KEYS,
    *METADATA,
    *"n_layers n_heads dim hidden_dim rope_theta rope_scaling text_config sub_configs "
    "attn_implementation_internal quantization_config tie_encoder_decoder base_model_tp_plan "
    "adapter_config torch_dtype sliding_window layer_types num_key_value_heads".split(),
)
KEYS = {
    "config.json": tuple(dict.fromkeys(CONFIG_KEYS)),
    "tokenizer_config.json": tuple(
        "do_lower_case strip_accents tokenize_chinese_chars truncation_side padding_side "
        "model_max_length max_len added_tokens_decoder additional_special_tokens cls_token "
        "sep_token pad_token unk_token mask_token bos_token eos_token add_prefix_space "
        "do_basic_tokenize never_split tokenizer_class auto_map clean_up_tokenization_spaces "
        "split_special_tokens add_bos_token add_eos_token special_tokens_map_file max_length "
        "truncation_strategy stride pad_to_multiple_of trim_offsets errors backend "
        "extra_special_tokens sp_model_kwargs legacy from_slow chat_template lowercase "
        "return_token_type_ids model_input_names vocab merges normalizer".split()
    ),
    "special_tokens_map.json": tuple(
        "cls_token sep_token pad_token unk_token mask_token bos_token eos_token "
        "additional_special_tokens".split()
    ),
    "sentence_bert_config.json": tuple(
        "max_seq_length do_lower_case model_args config_args tokenizer_args processor_kwargs "
        "config_kwargs model_kwargs transformer_task modality_config module_output_name "
        "method_name unpad_inputs message_format".split()
    ),
    "config_sentence_transformers.json": tuple(
        "prompts default_prompt_name similarity_fn_name truncate_dim model_type __version__ "
        "trust_remote_code activation_fn".split()
    ),
    "1_Pooling/config.json": tuple(
        "word_embedding_dimension embedding_dimension pooling_mode pooling_mode_cls_token "
        "pooling_mode_mean_tokens pooling_mode_max_tokens pooling_mode_mean_sqrt_len_tokens "
        "pooling_mode_weightedmean_tokens pooling_mode_lasttoken include_prompt".split()
    ),
    "modules.json": ("idx", "name", "path", "type", "kwargs"),
    "tokenizer.json": tuple(
        "version truncation padding added_tokens normalizer pre_tokenizer post_processor "
        "decoder model".split()
    ),
}
WORDS = (
    *ACTIVATIONS, "cls", "max", "lasttoken", "weightedmean", "dot", "euclidean", "query",
    "full_attention", "sliding_attention", "default", "linear", "dynamic", "absolute",
    "relative_key", "first", "last", "regression", "multi_label_classification", "bfloat16",
    "BertTokenizer", "RobertaTokenizer", "PreTrainedTokenizerFast", "DistilBertTokenizer",
    "BertModel", "BertForMaskedLM", "RobertaModel", "ModernBertModel", "bert", "roberta", "<s>",
    "[CLS]", "[PAD]", "the", "sentence_transformers.models.Normalize", "1_Pooling", ".", "2_x",
    "sentence_transformers.models.Pooling", "sentence_transformers.models.Dense", "Transformer",
    "sentence_transformers.models.Transformer", "SentenceTransformer", "CrossEncoder", "F16",
    "BF16", "F64", "I64", "F8_E4M3", "U8", "BOOL",
)  # fmt: skip
BROKEN = [
    "",
    "{}",
    "[]",
    "null",
    "[" * 9999,
    '{"a": 1, "a": 2}',
    "\ufeff{}",
    "{'a': 1}",
    "1e999",
]


def draw_edits(rng: random.Random, folder: Path) -> list[Edit]:
    """One edit, sometimes two or three; most in a file that both sides read."""
    return [_draw_edit(rng, folder) for _ in range(rng.choice([1, 1, 1, 2, 2, 3]))]


def _draw_edit(rng: random.Random, folder: Path) -> Edit:
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    file = str(rng.choice([path for path in files if path.name != "README.md"]))
    kind = rng.random()
    if kind < 0.01:
        return {"file": file, "remove": True}
    if kind < 0.015:
        return {"file": file} | rng.choice(
            [{"link": "/dev/zero"}, {"link": "x"}, {"fifo": True}]
        )
    content = (folder / file).read_bytes()
    if kind < 0.03:
        return {"file": file, "text": rng.choice(BROKEN)}
    if kind < 0.05:
        return {"file": file, "cut": rng.randrange(len(content) + 1)}
    if kind < 0.08:
        new = rng.randbytes(rng.choice([1, 1, 2, 8])).hex()
        return {"file": file, "bytes": [rng.randrange(len(content) + 1), new]}
    if file.endswith(".safetensors"):
        return {"file": file} | _draw_in_tensors(rng, content)
    if file.endswith(".txt"):
        return {"file": file} | _draw_in_lines(rng, content)
    return {"file": file} | _draw_in_json(rng, file, json.loads(content))


def _draw_in_json(rng: random.Random, file: str, values: Any) -> Edit:
    if file == "tokenizer.json" and rng.random() < 0.4:
        part = rng.choice(list(PARTS))
        return {"at": [part], "value": copy.deepcopy(rng.choice(PARTS[part]))}
    at = _draw_place(rng, values)
    place = _at(values, at[:-1])
    if isinstance(place, dict) and file in KEYS and rng.random() < 0.4 and len(at) <= 2:
        at = [*at[:-1], rng.choice(KEYS[file])]
    if rng.random() < 0.1:
        return {"at": at}
    old = place.get(at[-1]) if isinstance(place, dict) else _at(values, at)
    return {"at": at, "value": _draw_value(rng, old, values)}


def _draw_place(rng: random.Random, values: Any) -> list[Any]:
    """A walk from the root, down or not at each step."""
    way: list[Any] = []
    while isinstance(values, (dict, list)) and values and (not way or rng.random() < 0.75):
        keys = list(values) if isinstance(values, dict) else range(len(values))
        way.append(rng.choice(keys))
        values = values[way[-1]]
    return way or [rng.choice(["a", 0])]


def _draw_value(rng: random.Random, old: Any, values: Any) -> Any:
    kind = rng.random()
    number = isinstance(old, (int, float)) and not isinstance(old, bool)
    if isinstance(old, bool) and kind < 0.4:
        return not old
    if number and kind < 0.5:
        return rng.choice(
            [old + 1, old - 1, -old, old * 2, old // 2, float(old), str(old), [old]]
        )
    if isinstance(old, str) and kind < 0.5:
        return rng.choice(WORDS)
    if isinstance(old, list) and kind < 0.4:
        return rng.choice([old[::-1], old * 2, old[:-1], [*old, None], [*old, *old[:1]]])
    if isinstance(old, dict) and kind < 0.3:
        return {**old, rng.choice(WORDS): rng.choice(VALUES)}
    if kind < 0.7:
        return rng.choice([*VALUES, *WORDS])
    return copy.deepcopy(_at(values, _draw_place(rng, values))) if values else None


def _draw_in_tensors(rng: random.Random, content: bytes) -> Edit:
    header, _ = split_tensors(content)
    key = rng.choice(list(header))
    if rng.random() < 0.2:
        first = rng.choice(["nan", "inf", "1e38", "-1e38", "1e-45", "-0.0"])
        return {"tensor": key, "first": first} if key != "__metadata__" else {"at": [key]}
    return _draw_in_json(rng, "", header)


def _draw_in_lines(rng: random.Random, content: bytes) -> Edit:
    number = rng.randrange(content.count(b"\n") + 1)
    if rng.random() < 0.2:
        return {"line": number}
    words = [
        "",
        " ",
        "[UNK]",
        "[CLS]",
        "the",
        "##",
        "##the",
        "a b",
        "x" * 5000,
        "\r",
        "é",
        "e\u0301",
    ]
    return {"line": number, "value": rng.choice(words)}


def _at(values: Any, way: list[Any]) -> Any:
    for step in way:
        try:
            values = values[step]
        except (LookupError, TypeError):
            return None
    return values
