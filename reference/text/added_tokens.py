"""The tokens that a folder's settings add to a vocabulary, special ones above all, as
Transformers adds them: what the vocabulary has keeps its id, and others get the next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer

from reference.errors import CheckpointError, ConfigError
from reference.text.classes import KINDS, Part, TokenizerClass

SETTINGS = "tokenizer_config.json"


def with_added_tokens(settings: Part, content: Part, older: Part) -> Part:
    """The settings with an added_tokens_decoder. Files of before there was one have the tokens
    in added_tokens.json, `older`, and in tokenizer.json, `content`."""
    if "added_tokens_decoder" in settings:
        if not isinstance(settings["added_tokens_decoder"], dict):
            raise ConfigError(f"{SETTINGS}: added_tokens_decoder must be an object")
        return settings
    special = {
        _content(value, key)
        for key, value in settings.items()
        if key.endswith("_token") and isinstance(value, (str, dict))
    }
    found: dict[Any, Any] = {
        number: {"content": token, "special": token in special}
        for token, number in older.items()
    }
    added = content.get("added_tokens") or []
    if not isinstance(added, list):
        raise CheckpointError(f"tokenizer.json: added_tokens is {added!r:.80}, and no list")
    for token in added:
        if not isinstance(token, dict) or not isinstance(token.get("id"), int):
            raise CheckpointError(f"tokenizer.json: an added token is {token!r:.80}")
        found[token["id"]] = {key: value for key, value in token.items() if key != "id"}
    return settings | {"added_tokens_decoder": found}


def special_names(kind: TokenizerClass, settings: Part) -> dict[str, str]:
    """The special tokens by their kind: those of the settings, else the class's own."""
    names = dict(kind.names)
    for what in KINDS:
        key = f"{what}_token"
        if key in settings:
            names.pop(what, None)
            if settings[key] is not None:
                names[what] = _content(settings[key], key)
    missing = {"unk", *kind.ends} - set(names) if kind.build else set()
    if missing:
        raise ConfigError(
            f"{SETTINGS}: {min(missing)}_token is null, but {kind.name} cannot do without it"
        )
    return names


def add_tokens(
    tokenizer: Tokenizer, settings: Part, names: Mapping[str, str], kind: TokenizerClass
) -> None:
    """The listed tokens in the order of their ids, then the special ones that are not there
    yet."""
    added = [token for _, token in _listed(settings)]
    known = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    known |= {token.content for token in added}
    for token in named_tokens(settings, names, kind):
        if token.content not in known:
            known.add(token.content)
            added.append(token)
    for token in added:
        token.special = token.special or token.content in names.values()
    tokenizer.add_tokens(added)


def check_ids(tokenizer: Tokenizer, settings: Part, path: Path) -> None:
    for number, token in _listed(settings):
        found = tokenizer.token_to_id(token.content)
        if found != number:
            raise CheckpointError(
                f"{path}: {token.content!r:.80} has the id {found}, but the folder lists it as "
                f"an added token with the id {number}"
            )


def _listed(settings: Part) -> list[tuple[int, AddedToken]]:
    listed = settings["added_tokens_decoder"].items()
    made = [(int(number), _token(value, "added_tokens_decoder")) for number, value in listed]
    return sorted(made, key=lambda entry: entry[0])


def named_tokens(
    settings: Part, names: Mapping[str, str], kind: TokenizerClass
) -> Iterator[AddedToken]:
    """The special tokens that have a name, then those of the model and those without one."""
    for what in KINDS:
        value = settings.get(f"{what}_token")
        if isinstance(value, dict):
            yield _token(value, f"{what}_token")
        elif what in names and kind.tokens_as_words:
            yield AddedToken(names[what], lstrip=what == "mask")
        elif what in names:
            yield AddedToken(names[what], special=True)
    for key, value in settings.items():
        of_the_model = key.endswith("_token") and key.removesuffix("_token") not in KINDS
        if of_the_model and isinstance(value, (str, dict)):
            yield _token(value, key)
    for key in ("extra_special_tokens", "additional_special_tokens"):
        if settings.get(key):
            break
    values = settings.get(key) or kind.unnamed
    for value in values.values() if isinstance(values, dict) else values:
        yield _token(value, key)


def _token(value: Any, key: str) -> AddedToken:
    """Of a token that stands in the settings as a string, or with its properties."""
    content = _content(value, key)
    if not isinstance(value, dict):
        return AddedToken(content, special=True)
    properties = {name: of for name, of in value.items() if name not in ("content", "__type")}
    try:
        return AddedToken(content, **properties)
    except TypeError as problem:
        raise ConfigError(f"{SETTINGS}: {key} has {value!r:.80}: {problem}") from None


def _content(value: Any, key: str) -> str:
    content = value.get("content") if isinstance(value, dict) else value
    if not isinstance(content, str):
        raise ConfigError(f"{SETTINGS}: {key} is {content!r:.80}; it must be a string")
    return content
