"""A tokenizer.json, or a bare word list, opened as the class of Transformers opens it that the
folder names."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tokenizers

from reference.errors import CheckpointError, ConfigError, warn
from reference.text.added_tokens import add_tokens, check_ids, special_names
from reference.text.classes import Part, TokenizerClass
from reference.text.guard import check_growth, guarded, try_out

# What of a part comes from the settings: its key, and theirs.
OPTIONS = {
    "handle_chinese_chars": "tokenize_chinese_chars",
    "strip_accents": "strip_accents",
    "lowercase": "do_lower_case",
    "add_prefix_space": "add_prefix_space",
    "prepend_scheme": "add_prefix_space",
    "unk_token": "unk_token",
}
# What some files have besides and no text is changed by: pieces begin at words anyway.
HARMLESS = (
    {"type": "WhitespaceSplit"},
    {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
)
# Enough of a tokenizer for the library to read the other parts of one.
NO_WORDS = {
    "version": "1.0",
    "added_tokens": [],
    "model": {"type": "WordLevel", "vocab": {}, "unk_token": ""},
}
NOT_COMPARED = {"type", "trim_offsets"}


def open_tokenizer(
    path: Path, content: Part, settings: Part, kind: TokenizerClass
) -> tokenizers.Tokenizer:
    """`content` is the file's, or that of a word list under the same keys."""
    model = content.get("model")
    if not isinstance(model, dict):
        raise CheckpointError(f"{path} is not a tokenizer: it holds no model")
    if model.get("dropout"):
        raise ConfigError(
            f"{path}: the model has a dropout of {model['dropout']!r:.80}, with which every "
            "call gives other tokens; set it to null"
        )
    names = special_names(kind, settings)
    if kind.build is not None:
        with guarded(f"{path} is not a tokenizer"):  # what is compared has the right shape
            tokenizers.Tokenizer.from_str(json.dumps(content | NO_WORDS))
        content = _rebuilt(path, content, settings, kind, names)
    check_growth(content, path)
    with guarded(f"{path} is not a tokenizer"):
        tokenizer = tokenizers.Tokenizer.from_str(json.dumps(content))
    tokenizer.no_padding()  # that of its training; it may not even fit into memory
    tokenizer.no_truncation()  # the samples are tried whole
    with guarded(f"{path}: the special tokens of this folder cannot be added"):
        add_tokens(tokenizer, settings, names, kind)
        if kind.frame is not None:
            tokenizer.post_processor = kind.frame(tokenizer, names, settings)
    check_ids(tokenizer, settings, path)
    try_out(tokenizer, path)
    return tokenizer


def _rebuilt(
    path: Path, content: Part, settings: Part, kind: TokenizerClass, names: Mapping[str, str]
) -> Part:
    """The content with the parts that the class puts in the place of the file's."""
    made = kind.build(settings, names, content["model"])
    for part in ("normalizer", "pre_tokenizer", "model"):
        if part in content:
            _check_agrees(path, part, content[part], made[part], settings, kind)
    if "post_processor" in content:
        _check_frame(path, content["post_processor"], settings, kind, names)
    if made["normalizer"] == {"type": "Precompiled"}:  # its table of characters is the file's
        steps = _steps(content.get("normalizer"))
        made["normalizer"] = next((s for s in steps if s.get("type") == "Precompiled"), None)
    vocabulary = {k: content["model"][k] for k in ("vocab", "merges") if k in content["model"]}
    made["model"] |= vocabulary
    rest = ("truncation", "padding", "post_processor")
    return {"version": "1.0", "added_tokens": []} | dict.fromkeys(rest) | made


def _check_agrees(
    path: Path, part: str, found: Any, made: Any, settings: Part, kind: TokenizerClass
) -> None:
    """A file may differ from what is built in what the settings decide, and in nothing else."""
    theirs, ours = ([s for s in _steps(p) if s not in HARMLESS] for p in (found, made))
    kinds = [[step.get("type") for step in steps] for steps in (theirs, ours)]
    absent = kinds == [[], ["Precompiled"]] or (part == "model" and kinds[0] == [None])
    if kinds[0] != kinds[1] and not absent:
        raise _contradiction(path, part, kinds[0], kinds[1], kind)
    for their, our in zip(theirs, ours, strict=False):
        for key in sorted(their.keys() & our.keys() - NOT_COMPARED):
            if their[key] == our[key] or (part == "model" and not (their[key] or our[key])):
                continue
            if key not in OPTIONS:
                raise _contradiction(path, f"{part}'s {key}", their[key], our[key], kind)
            if OPTIONS[key] not in settings:
                warn(
                    f"{path} has {key} {their[key]!r:.80}, but Transformers' {kind.name}, by "
                    f"which it is opened, has {our[key]!r:.80} where tokenizer_config.json "
                    f"does not name {OPTIONS[key]}, and so it is here",
                )


def _check_frame(
    path: Path, found: Any, settings: Part, kind: TokenizerClass, names: Mapping[str, str]
) -> None:
    """What the file puts about a text must be what the class puts there, but for the names that
    the settings give."""
    theirs = _frame(found)
    ours = [names[kind.ends[0]], "$A", names[kind.ends[1]]]
    given = [f"{end}_token" in settings for end in kind.ends]
    free = [given[0], False, given[1]]
    if len(theirs) != 3 or any(
        their != our and not named for their, our, named in zip(theirs, ours, free, strict=True)
    ):
        raise _contradiction(path, "post_processor", theirs, ours, kind)


def _frame(part: Any) -> list[str]:
    """What a post-processor puts about a text, which is $A."""
    part = part if isinstance(part, dict) else {}
    if part.get("type") == "TemplateProcessing":
        pieces = [item for piece in part.get("single") or [] for item in dict(piece).items()]
        return ["$A" if kind == "Sequence" else str(of["id"]) for kind, of in pieces]
    if part.get("type") == "Sequence":
        frames = map(_frame, part.get("processors") or [])
        return next((frame for frame in frames if frame != ["$A"]), ["$A"])
    if part.get("cls") and part.get("sep"):
        return [str(part["cls"][0]), "$A", str(part["sep"][0])]
    return ["$A"]


def _steps(part: Any) -> list[Part]:
    """The parts that a part is a sequence of."""
    if not isinstance(part, dict):
        return []
    inner = part.get("normalizers") or part.get("pretokenizers")
    if isinstance(inner, list):
        return [step for piece in inner for step in _steps(piece)]
    return [part]


def _contradiction(
    path: Path, what: str, found: Any, made: Any, kind: TokenizerClass
) -> ConfigError:
    found, made = (
        " ".join(map(str, value)) if isinstance(value, list) else repr(value)
        for value in (found, made)
    )
    return ConfigError(
        f"{path}: the {what} is {found or 'none':.80}, but Transformers' {kind.name}, by which "
        f"it is opened, has {made or 'none':.80} in its place. If the file is right, "
        "tokenizer_config.json must name the tokenizer_class PreTrainedTokenizerFast"
    )
