"""How sentence-transformers prepares texts: its sentence_bert_config.json, which names the
arguments of its Transformer module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reference.errors import CheckpointError, ConfigError
from reference.files import is_file, read_json

# The name today and, after the model's type, long ago; the first that is not empty counts.
SENTENCE_FILES = tuple(
    f"sentence_{kind}_config.json"
    for kind in "bert roberta distilbert camembert albert xlm-roberta xlnet".split()
)
TEXT = {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}
# Arguments of which only these values are implemented; None says nothing.
ONLY_VALUES: Mapping[str, tuple] = {
    "transformer_task": ("feature-extraction",),
    "modality_config": (TEXT, TEXT | {"text": TEXT["text"] | {"format": "auto"}}),
    "module_output_name": ("token_embeddings",),
    "processing_kwargs": ({},),
    "query_length": (),
    "document_length": (),
    "query_expansion": (),
    "tokenizer_name_or_path": (),
}
# And these in a cross-encoder's folder, whose Transformer has the head of a classifier.
SCORES = {"text": {"method": "forward", "method_output_name": "logits"}}
OF_CROSS_ENCODERS: Mapping[str, tuple] = {
    **ONLY_VALUES,
    "transformer_task": ("sequence-classification",),
    "modality_config": (SCORES, SCORES | {"text": SCORES["text"] | {"format": "auto"}}),
    "module_output_name": ("scores",),
}
# Arguments that are handed on; the names today, and those of older releases.
HANDED_ON = {
    "model_args": "model_kwargs",
    "config_args": "config_kwargs",
    "tokenizer_args": "processor_kwargs",
}
# What may stand in there: how a model is fetched and which code runs it, not what it computes.
FETCHING = frozenset(
    "cache_dir code_revision force_download local_files_only revision subfolder token "
    "trust_remote_code use_auth_token".split()
)
ALLOWED = {
    "model_kwargs": FETCHING | {"attn_implementation", "low_cpu_mem_usage", "use_safetensors"},
    "config_kwargs": FETCHING | {"attn_implementation"},
    "processor_kwargs": FETCHING | {"use_fast"},
}
# What of the tokenizer's own settings is taken from there, before tokenizer_config.json.
OF_THE_TOKENIZER = frozenset(
    "add_prefix_space do_lower_case model_max_length strip_accents tokenize_chinese_chars "
    "truncation_side".split()
)
# unpad_inputs is how it computes, not what.
READ = {"max_seq_length", "do_lower_case", "unpad_inputs"}


@dataclass(frozen=True)
class TextSettings:
    """How long texts may be, in tokens with the special ones, whether they are lower-cased
    before the tokenizer, and what replaces the tokenizer's own settings."""

    max_seq_length: int | None = None
    lower_case: bool = False
    tokenizer: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = None


def read_text_settings(folder: Path) -> TextSettings:
    """What sentence_bert_config.json says, under any of its names."""
    for path in (folder / name for name in SENTENCE_FILES):
        values = read_json(path, CheckpointError) if is_file(path) else {}
        if values:
            break
    else:
        return TextSettings()
    for old, new in HANDED_ON.items():
        if old in values:
            values[new] = values.pop(old)
    unknown = set(values) - READ - set(ONLY_VALUES) - set(ALLOWED)
    if unknown:
        raise ConfigError(
            f"{path} has the keys {', '.join(sorted(unknown)):.200}, which "
            "sentence-transformers does not take"
        )
    only = OF_CROSS_ENCODERS if is_cross_encoder(folder) else ONLY_VALUES
    for key, allowed in only.items():
        if values.get(key) is not None and values[key] not in allowed:
            raise ConfigError(
                f"{path}: {key} is {values[key]!r:.80}; supported: "
                f"{' or '.join(map(repr, (*allowed, None)))}"
            )
    lower_case = values.get("do_lower_case", False)
    if not isinstance(lower_case, (bool, type(None))):
        raise ConfigError(
            f"{path}: do_lower_case is {lower_case!r:.80}; it must be true or false"
        )
    limit = token_limit(values, "max_seq_length", path)
    return TextSettings(limit, bool(lower_case), _handed_on(values, path), path)


def is_cross_encoder(folder: Path) -> bool:
    """Whether sentence-transformers saved the model there as one, a classifier of pairs.
    Folders of its older releases do not say."""
    path = folder / "config_sentence_transformers.json"
    values = read_json(path, CheckpointError) if is_file(path) else {}
    return values.get("model_type") == "CrossEncoder"


def token_limit(values: Mapping[str, Any], key: str, path: Path) -> int | None:
    """A number of tokens that a settings file allows; 3 hold one token and two special ones."""
    limit = values.get(key)
    if isinstance(limit, float) and limit.is_integer():
        limit = int(limit)  # 1e30 stands for "none" in some files
    if limit is not None and (
        isinstance(limit, bool) or not isinstance(limit, int) or limit < 3
    ):
        raise ConfigError(
            f"{path}: {key} is {limit!r:.80}; it must be a whole number of at least 3"
        )
    return limit


def _handed_on(values: dict[str, Any], path: Path) -> dict[str, Any]:
    """What is meant for the tokenizer; whatever else would change a result is refused."""
    for key, allowed in ALLOWED.items():
        given = values.get(key) or {}
        if not isinstance(given, dict):
            raise ConfigError(f"{path}: {key} is {given!r:.80}; it must be an object")
        taken = OF_THE_TOKENIZER if key == "processor_kwargs" else frozenset()
        others = {name: value for name, value in given.items() if name not in allowed | taken}
        if key == "model_kwargs":
            others = {
                name: value
                for name, value in others.items()
                if not (name in ("dtype", "torch_dtype") and value in ("float32", "auto", None))
            }
        if others:
            raise ConfigError(
                f"{path}: {key} has {others!r:.120}, which is not implemented; supported: "
                f"{', '.join(sorted(taken)) or 'nothing that changes a result'}"
            )
    given = values.get("processor_kwargs") or {}
    return {name: given[name] for name in sorted(OF_THE_TOKENIZER & set(given))}
