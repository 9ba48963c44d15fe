"""What a tokenizer file may not do: bring the process down, or make a mountain of a text.

The tokenizers library panics on some damaged files, on a few texts only. PyO3 raises that as a
PanicException, which is a BaseException, so that `except Exception` lets it through.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tokenizers

from reference.errors import CheckpointError, EncodersError

# Texts that find most faults when the file is read: no text at all, letters of several scripts,
# what no vocabulary has, blanks, a long word, special tokens that were typed.
SAMPLES = (
    "",
    "The river, it's  a stone's: 3.14!",
    "naïve ÉTÉ İ ﷺ ½ 中文 日本語 한국어 العربية",
    "🙂\u200d\ufffd\x00 \t\r\n\u2028",
    "a" * 120,
    "".join(map(chr, range(32, 127))),
    "[CLS] [MASK] <s> <mask> </s> ##a ▁ Ġ",
)
# How many times longer a normaliser may make a text. Unicode's own longest compatibility form,
# of U+FDFA, has 18 characters; files that grow a text otherwise replace one sign by a few.
MOST_GROWTH = 32


@contextmanager
def guarded(what: str) -> Iterator[None]:
    """Whatever the tokenizers library raises comes out as a CheckpointError that begins with
    `what`; what Python itself raises to end the program, Ctrl-C for one, passes."""
    try:
        yield
    except EncodersError:
        raise
    except Exception as problem:  # the library raises plain Exception, TypeError and ValueError
        raise CheckpointError(f"{what}: {problem!s:.300}") from None
    except BaseException as problem:
        if type(problem).__name__ != "PanicException":
            raise
        raise CheckpointError(
            f"{what}: the tokenizers library panicked: {problem!s:.300}"
        ) from None


def check_growth(content: dict, path: Path) -> None:
    """Refuse a tokenizer.json whose replacements multiply a text, in the normaliser or on the
    way back; found from what it says, for trying a great one out takes the memory that it
    is about."""
    for part in ("normalizer", "decoder"):
        growth = _growth(content.get(part))
        if growth > MOST_GROWTH:
            raise CheckpointError(
                f"{path}: the {part} can make a text {_shown(growth)} times as long; at most "
                f"{MOST_GROWTH} times is taken to be meant"
            )


def try_out(tokenizer: tokenizers.Tokenizer, path: Path) -> None:
    """Encode the samples, and decode what comes out, so that a damaged file is found when it is
    read and not in the middle of a corpus."""
    with guarded(f"{path} cannot encode the samples that every tokenizer is tried on"):
        if tokenizer.normalizer is not None:
            for text in SAMPLES:
                _check_tried(tokenizer.normalizer.normalize_str(text), text, path)
        for encoding in tokenizer.encode_batch_fast(list(SAMPLES)):
            tokenizer.decode(encoding.ids, skip_special_tokens=False)


def _check_tried(normalized: str, text: str, path: Path) -> None:
    if len(normalized) > MOST_GROWTH * max(len(text), 1):
        raise CheckpointError(
            f"{path}: the normalizer makes {len(normalized)} characters of {len(text)}, in "
            f"{text!r:.40}; at most {MOST_GROWTH} times as many are taken to be meant"
        )


def _growth(part: Any) -> int:
    """The most that the replacements of a part, one after the other, multiply a text by."""
    if not isinstance(part, dict):
        return 1
    steps = part.get("normalizers") or part.get("decoders")
    if isinstance(steps, list):
        growth = 1
        for step in steps:
            growth *= _growth(step)
        return growth
    if part.get("type") == "Replace":
        return _replacement_growth(part)
    return 1 + len(str(part.get("prepend", "")))


def _replacement_growth(part: dict) -> int:
    length = len(str(part.get("content", "")))
    pattern = part.get("pattern")
    literal = pattern.get("String") if isinstance(pattern, dict) else None
    if isinstance(literal, str) and literal:
        return max(1, -(-length // len(literal)))
    return 1 + length  # a regular expression may match nothing, between any two letters


def _shown(number: int) -> str:
    return str(number) if number < 10**9 else "more than a billion"
