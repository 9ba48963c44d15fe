"""The encoder under a detection model: how one is found, opened and refused."""

from __future__ import annotations

import inspect
import os
from typing import Any

from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.dynamic_module_utils import get_class_from_dynamic_module
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
)

from reference.errors import CheckpointError, ConfigError, InputError, shown

# Not LMHeadModel: XLMWithLMHeadModel is an encoder's.
GENERATES = ("ForCausalLM", "ForConditionalGeneration")


def read_base_config(name: str | os.PathLike[str], trust: bool, hub: dict[str, Any]) -> Any:
    """The configuration of an encoder; a decoder is refused."""
    config = AutoConfig.from_pretrained(name, trust_remote_code=trust, **hub)
    check_encoder(config, str(name))
    return config


def check_encoder(config: Any, where: str) -> None:
    """Refuses what does not read a text in both directions."""
    kind = config.model_type
    if getattr(config, "is_encoder_decoder", False):
        raise ConfigError(
            f"{where} is an encoder with a decoder ({kind}); a detection model takes an encoder"
        )
    named = config.architectures or []
    decodes = getattr(config, "is_decoder", False) or any(
        name.endswith(GENERATES) for name in named
    )
    only_generates = (
        kind in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
        and kind not in MODEL_FOR_MASKED_LM_MAPPING_NAMES
    )
    if decodes or only_generates:
        raise ConfigError(
            f"{where} is a decoder ({kind}), in which a token does not see what follows it; a "
            "detection model takes an encoder"
        )
    if not isinstance(getattr(config, "hidden_size", None), int):
        raise ConfigError(
            f"{where} ({kind}) does not say hidden_size; without it no head can be put on it"
        )


def open_base(
    name: str | os.PathLike[str], config: Any, trust: bool, options: dict[str, Any]
) -> tuple[PreTrainedModel, dict[str, Any]]:
    """The encoder with its weights, without a pooler where that can be left out, and what
    Transformers tells of loading it."""
    base, loading = AutoModel.from_pretrained(
        name,
        config=config,
        trust_remote_code=trust,
        output_loading_info=True,
        **without_pooler(config),
        **options,
    )
    missing = [key for key in loading["missing_keys"] if "pooler" not in key]
    if missing:
        raise CheckpointError(
            f"{name!s:.200} does not hold a {config.model_type} encoder: it lacks "
            f"{', '.join(sorted(missing)[:4])}"
        )
    check_base(base)
    return base, loading


def build_base(config: Any, attention: str | None) -> PreTrainedModel:
    """The encoder of that configuration, its weights yet to come."""
    if isinstance(config, dict):
        raise ConfigError(
            f"the encoder in it ({config.get('model_type')!s:.80}) is computed by code of its "
            "own; if you trust that, say trust_remote_code=True"
        )
    if config is None:
        raise ConfigError("base_config is missing: what encoder is under the head?")
    # Only trusted code makes a configuration of a class of its own.
    trusted = type(config).__module__.startswith("transformers_modules")
    options = {} if attention is None else {"attn_implementation": attention}
    base = AutoModel.from_config(
        config, trust_remote_code=trusted, **without_pooler(config), **options
    )
    check_base(base)
    return base


def without_pooler(config: Any) -> dict[str, Any]:
    """What leaves the pooler out, which nothing reads, where the class can do without."""
    mapping = AutoModel._model_mapping
    kind = mapping.get(type(config), None)
    kind = kind[0] if isinstance(kind, tuple) else kind
    known = kind is not None and "add_pooling_layer" in inspect.signature(kind).parameters
    return {"add_pooling_layer": False} if known else {}


def check_base(base: nn.Module) -> None:
    if getattr(base, "main_input_name", "input_ids") != "input_ids":
        raise ConfigError(
            f"{type(base).__name__} reads {base.main_input_name}, not the ids of a text"
        )


def check_masked_lm(name: str | os.PathLike[str], trust: bool, hub: dict[str, Any]) -> None:
    """An error unless the folder holds a whole masked language model."""
    try:
        _, loading = AutoModelForMaskedLM.from_pretrained(
            name, trust_remote_code=trust, output_loading_info=True, **hub
        )
    except (ValueError, KeyError) as problem:
        raise CheckpointError(
            f"{name!s:.200} does not load as a masked language model: {problem!s:.200}"
        ) from None
    if loading["missing_keys"]:
        missing = ", ".join(sorted(loading["missing_keys"])[:4])
        raise CheckpointError(
            f"{name!s:.200} holds no masked language model: it lacks {missing}"
        )


def attribute_of(base: PreTrainedModel, given: Any) -> str:
    """Under which name the encoder is: what its model type has in Transformers, or what the
    user wants."""
    name = base.base_model_prefix or "model" if given is None else given
    if not isinstance(name, str) or not name.isidentifier():
        raise InputError(
            f"base_model_attr_name is {shown(given)}; it must be a name as attributes have"
        )
    if name == "detection_head" or hasattr(PreTrainedModel, name):
        raise InputError(f"base_model_attr_name {name!r:.80} is taken by the model itself")
    return name


def trusted_config(base: dict[str, Any], name: Any, hub: dict[str, Any]) -> PreTrainedConfig:
    """The configuration of an encoder with code of its own, by that code."""
    reference = base["auto_map"]["AutoConfig"]
    place, _, reference = reference.rpartition("--")
    kind = get_class_from_dynamic_module(reference, place or str(name), **hub)
    config = kind.from_dict(base)
    config.name_or_path = place or str(name)
    return config
