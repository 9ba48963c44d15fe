"""What a folder says of padding. Texts are packed here and not padded at all, which gives what
Transformers gives wherever padding changes no result. A folder where it does is refused: there
a text's result depends on the batch that it happens to be in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reference.errors import ConfigError
from reference.families import BY_MODEL_TYPE, EncoderConfig
from reference.text.classes import Part

SIDES = ("right", "left")


def check_padding_side(
    folder: Path, settings: Part, content: Part, config: EncoderConfig | None
) -> None:
    """On the left is harmless where positions are relative, or counted from the first token
    that is no pad. Everywhere else it pushes texts to later positions."""
    side, what = settings.get("padding_side"), "tokenizer_config.json: padding_side"
    if side not in (None, *SIDES):
        raise ConfigError(f"{folder / what} is {side!r:.80}; it must be left or right")
    stored = content.get("padding")
    if side is None and isinstance(stored, dict) and stored.get("direction") == "Left":
        side, what = "left", "tokenizer.json: the direction of its padding"
    if config is None:  # no model, and no positions
        return
    if side == "left" and BY_MODEL_TYPE[config.model_type].pads_take_positions:
        raise ConfigError(
            f"{folder / what} is left; in Transformers pads then push a text of a "
            f"{config.model_type} to later positions, and its result depends on the batch that "
            "it is in. That is not implemented: set it to right, and every text gives what it "
            "gives alone"
        )


def input_names(settings: Part, path: Path) -> list[Any] | None:
    """What the model is given, if the settings say; never without the mask, for then
    Transformers attends to the pads, and sentence-transformers pools them."""
    names = settings.get("model_input_names")
    if not isinstance(names, (list, type(None))):
        raise ConfigError(f"{path}: model_input_names is {names!r:.80}; it must be a list")
    if names is not None and "attention_mask" not in names:
        raise ConfigError(
            f"{path}: model_input_names is {names!r:.80}, without attention_mask; in "
            "Transformers pads then count as tokens, and a text's result depends on the batch "
            "that it is in. That is not implemented: add it, and every text gives what it "
            "gives alone"
        )
    return names
