"""The files of sentence-transformers: what a folder says of prompts, of pooling, and of the
modules that make a vector of a text."""

from reference.sentence.listing import transformer_folder
from reference.sentence.settings import (
    SETTINGS_FILES,
    SIMILARITIES,
    SentenceSettings,
    read_sentence_settings,
)

__all__ = [
    "SETTINGS_FILES",
    "SIMILARITIES",
    "SentenceSettings",
    "read_sentence_settings",
    "transformer_folder",
]
