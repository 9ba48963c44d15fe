"""What a model of characters has to know of its texts beforehand: which characters there are,
which words and pieces of words, how long a text usually is."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from reference.errors import InputError
from reference.text.characters import CharacterVocabulary, most_frequent
from reference.text.output_tokens import OutputTokens
from reference.training.characters.pieces import learn_output_tokens
from reference.training.tokenizer.options import WORD_BUDGET
from reference.training.tokenizer.sources import training_texts
from reference.training.tokenizer.words import WordCounts

SHARE_WHOLE = 0.99  # so many of the texts have no more characters than the usual length
MULTIPLE, LONGEST = 16, 1024  # what it is rounded up to, and the most that it is


@dataclass(frozen=True, eq=False)
class Learned:
    vocabulary: CharacterVocabulary
    outputs: OutputTokens
    longest: int  # so many characters of a text are read

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Learned):
            return NotImplemented
        alike = self.vocabulary.characters == other.vocabulary.characters
        return alike and self.longest == other.longest and self.outputs == other.outputs


def learn(
    dataset: Any,
    column: str | None,
    *,
    listed: bool,
    most_characters: int | None,
    vocab_size: int,
    least: int,
    longest: int | None,
) -> Learned:
    """All of it in one pass over the texts, of which none is kept."""
    words = WordCounts(WORD_BUDGET, with_spaces=True)
    lengths: Counter[int] = Counter()
    texts = training_texts(dataset, text_column(dataset, column))
    passing = _counted(texts, words, lengths)
    characters = None
    if listed:
        characters = most_frequent(passing, most_characters)
    else:
        deque(passing, maxlen=0)
    if not lengths:
        raise InputError("there are no texts to learn from: all that was given is empty")
    outputs = learn_output_tokens(words.most_frequent(), vocab_size, least)
    return Learned(CharacterVocabulary(characters), outputs, longest or _usual_length(lengths))


def text_column(dataset: Any, column: str | None) -> str:
    """Which column of a dataset holds the texts: the one that is named, else "text", else the
    only one of strings. A streamed dataset may not say what its columns hold."""
    if column is not None:
        return column
    features = getattr(dataset, "features", None)
    if not hasattr(dataset, "column_names") or not features or "text" in features:
        return "text"
    found = [
        name
        for name, feature in features.items()
        if getattr(feature, "dtype", None) in ("string", "large_string")
    ]
    if len(found) == 1:
        return found[0]
    raise InputError(
        f"the dataset has {len(found)} columns of strings, and none of the name 'text'; its "
        f"columns are {', '.join(map(str, features)):.200}: say with column which one it is"
    )


def _counted(texts: Iterable[str], words: WordCounts, lengths: Counter[int]) -> Iterator[str]:
    """The texts again, many in one, whose words and lengths were counted on the way."""
    part: list[str] = []

    def passing() -> Iterator[str]:
        for text in texts:
            part.append(text)
            yield text

    for _ in words.add(passing()):
        lengths.update(map(len, part))
        yield "".join(part)
        part.clear()


def _usual_length(lengths: Counter[int]) -> int:
    within, wanted = 0, SHARE_WHOLE * lengths.total()
    length = 0
    for length in sorted(lengths):
        within += lengths[length]
        if within >= wanted:
            break
    return min(LONGEST, -(-length // MULTIPLE) * MULTIPLE)
