"""From a config.json to a configuration. Every value that shapes the computation is read and
checked; one that no port implements raises, since a model that ignores part of its
configuration loads without complaint and is wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reference.errors import ConfigError, shortened, warn
from reference.families import BY_MODEL_TYPE
from reference.families.checks import check_choice, check_integer, unsupported
from reference.families.config import EncoderConfig
from reference.families.detections import KEYS, LABEL_KEYS, Detections, is_wrapped, unwrapped
from reference.families.tasks import MASKED_SEQUENCE
from reference.files import read_json

MOST_LABELS = 1_000_000

# Keys that Transformers writes and that do not touch what an encoder computes.
METADATA = frozenset(
    "_attn_implementation _name_or_path attn_implementation auto_map bad_words_ids "
    "begin_suppress_tokens chunk_size_feed_forward decoder_start_token_id directionality "
    "diversity_penalty do_sample dtype early_stopping encoder_no_repeat_ngram_size "
    "exponential_decay_length_penalty finetuning_task forced_bos_token_id forced_eos_token_id "
    "gradient_checkpointing length_penalty mask_token_id max_length min_length "
    "model_max_length no_repeat_ngram_size num_beam_groups num_beams num_return_sequences "
    "output_attentions output_hidden_states output_past output_scores pooler_fc_size "
    "pooler_num_attention_heads pooler_num_fc_layers pooler_size_per_head pooler_type prefix "
    "remove_invalid_values repetition_penalty return_dict return_dict_in_generate "
    "sep_token_id suppress_tokens task_specific_params temperature tf_legacy_loss "
    "tokenizer_class top_k top_p torch_dtype torchscript transformers_version typical_p "
    "use_bfloat16 use_cache xla_device".split()
)

# What pipelines read of a config.json, and save again: it changes no forward pass.
PIPELINE_KEYS = frozenset(
    "label_candidates sbert_ce_default_activation_function sentence_transformers".split()
)


def config_from_dict(values: Mapping[str, Any], where: str = "config") -> EncoderConfig:
    """Check a parsed config.json and turn it into a configuration."""
    if not isinstance(values, Mapping):
        raise ConfigError(
            f"{where} is a {type(values).__name__}; it must be a mapping from key to value"
        )
    try:
        return _config_from_dict(values, where)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def read_config(folder: Path) -> EncoderConfig:
    """Read `folder`/config.json."""
    path = Path(folder) / "config.json"
    return config_from_dict(read_json(path, ConfigError), str(path))


def read_pipeline_keys(folder: Path) -> dict[str, Any]:
    """What `folder`/config.json says to pipelines."""
    values = read_json(Path(folder) / "config.json", ConfigError)
    return {key: values[key] for key in sorted(PIPELINE_KEYS & set(values))}


def _config_from_dict(values: Mapping[str, Any], where: str) -> EncoderConfig:
    if is_wrapped(values):
        return _wrapped_config(values, where)
    model_type = values.get("model_type")
    check_choice("model_type", model_type, BY_MODEL_TYPE)
    kind = BY_MODEL_TYPE[model_type].config
    for key, allowed in kind.ONLY_VALUES.items():
        if key in values and values[key] not in allowed:
            raise ConfigError(unsupported(key, values[key], allowed))

    if values.get("auto_map"):
        warn(
            f"{where} names code of its own in auto_map; it is left alone: {model_type} is "
            "computed by the code of this package",
        )

    values = kind.upgrade(dict(values))
    names = {item.name for item in dataclasses.fields(kind)} - {"detections"}
    read = names | {*LABEL_KEYS} | set(kind.ONLY_VALUES) | kind.LEGACY | METADATA
    read |= PIPELINE_KEYS
    unknown = sorted(map(str, set(values) - read))
    if unknown:
        family = kind.__name__.removesuffix("Config")
        reader = f"Transformers' {family} does not read either"
        if not BY_MODEL_TYPE[model_type].in_transformers:
            reader = f"no {family} reads"
        warn(f"{where} has keys that {reader}: {shortened(', '.join(unknown))}")

    settings: dict[str, Any] = dict(kind.MODEL_TYPES[model_type])
    settings |= {key: values[key] for key in names & set(values)}
    settings["id2label"] = _read_labels(values)
    settings["architectures"] = _read_architectures(values)
    return kind(**settings)


def _wrapped_config(values: Mapping[str, Any], where: str) -> EncoderConfig:
    """That of the encoder, with the labels and what is on it."""
    own = unwrapped(values)
    if own.get("model_type") not in BY_MODEL_TYPE:
        raise ConfigError(
            f"the encoder in it is a {own.get('model_type')!s:.80}, which no port computes; "
            f"supported: {', '.join(BY_MODEL_TYPE)}. Any encoder that Transformers has opens "
            "with reference.torch.masked_sequence"
        )
    config = _config_from_dict(own, f"{where}: base_config")
    for key, allowed in EncoderConfig.ONLY_VALUES.items():
        if key in values and values[key] not in allowed:
            raise ConfigError(unsupported(key, values[key], allowed))
    read = KEYS | {*LABEL_KEYS, *EncoderConfig.ONLY_VALUES, "model_type", "architectures"}
    unknown = sorted(map(str, set(values) - read - METADATA - PIPELINE_KEYS))
    if unknown:
        warn(f"{where} has keys that nothing reads: {shortened(', '.join(unknown))}")
    family = BY_MODEL_TYPE[config.model_type]
    detections = Detections.read(values, config.num_labels, family.attribute)
    names = (family.prefixes[config.model_type] + MASKED_SEQUENCE.suffix,)
    return dataclasses.replace(config, detections=detections, architectures=names)


def _read_labels(values: Mapping[str, Any]) -> dict[int, str]:
    """id2label with integer keys 0..n-1; a bare num_labels stands for LABEL_0, LABEL_1, ..."""
    count = values.get("num_labels", values.get("_num_labels"))
    raw = values.get("id2label")
    if raw is None:
        if count is None:
            count = 2
        check_integer("num_labels", count, minimum=1)
        if count > MOST_LABELS:
            raise ConfigError(f"num_labels is {count}; a head of that size cannot be meant")
        return {number: f"LABEL_{number}" for number in range(count)}
    if not isinstance(raw, Mapping) or not raw:
        raise ConfigError(f"id2label must be an object from number to label, not {raw!r:.80}")
    try:
        labels = {int(number): _label(label) for number, label in raw.items()}
    except (TypeError, ValueError, OverflowError):
        raise ConfigError(
            f"id2label's keys must be whole numbers, not {list(raw)[:5]!r:.80}"
        ) from None
    if len(labels) != len(raw):
        raise ConfigError(f"id2label gives a number twice: {list(raw)[:10]!r:.80}")
    if count is not None and count != len(labels):
        raise ConfigError(
            f"num_labels is {count!r:.80} but id2label names {len(labels)} labels"
        )
    return dict(sorted(labels.items()))


def _read_architectures(values: Mapping[str, Any]) -> tuple[str, ...]:
    names = values.get("architectures") or []
    return tuple(names) if isinstance(names, list) else names


def _label(name: Any) -> Any:
    """Some checkpoints have numbers for names."""
    is_number = isinstance(name, int) and not isinstance(name, bool)
    return str(name) if is_number else name
