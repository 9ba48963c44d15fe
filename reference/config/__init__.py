"""What a checkpoint's config.json says, as a frozen dataclass."""

from reference.config.bert import BertConfig
from reference.config.encoder import ACTIVATIONS, PROBLEM_TYPES, EncoderConfig
from reference.config.modernbert import ModernBertConfig
from reference.config.read import config_from_dict, read_config

__all__ = [
    "ACTIVATIONS",
    "PROBLEM_TYPES",
    "BertConfig",
    "EncoderConfig",
    "ModernBertConfig",
    "config_from_dict",
    "read_config",
]
