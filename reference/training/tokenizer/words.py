"""Counting the words of a text in bounded memory. Every trainer here learns from how often each
word comes, and reads nothing else of a text."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator

LONGEST_WORD = 512  # characters; what is longer is cut, for trainers are slow on it
BYTES_AT_ONCE = 2**20


class WordCounts:
    """How often each word comes, of as many different words as the budget allows: that many
    bytes in all, in UTF-8.

    Where a text has more, the rarest make room. Which of the equally rare ones stay is decided
    by a hash, so the same text always gives the same words.
    """

    def __init__(self, budget: int, with_spaces: bool = False) -> None:
        self.budget = budget
        self.with_spaces = with_spaces  # whether a word has the space before it, as bytes do
        self.counts: Counter[str] = Counter()
        self.seen = 0  # words, each as often as it came
        self.left_out = 0.0  # the share of them that made room
        self._most = 0  # so many bytes `counts` may hold; counting them takes time

    def add(self, texts: Iterable[str]) -> Iterator[int]:
        """Count texts as they come, and say after each part how many it held."""
        part: list[str] = []
        held = 0
        for text in texts:
            part.append(text)
            held += len(text.encode())
            if held >= BYTES_AT_ONCE:
                self._count(part, held)
                yield len(part)
                part, held = [], 0
        if part:
            self._count(part, held)
            yield len(part)

    def most_frequent(self) -> list[tuple[str, int]]:
        """What is to be learned from, in an order that depends on the words alone. The counts
        are used up."""
        self._make_room()
        if self.seen:
            self.left_out = 1 - self.counts.total() / self.seen
        words = sorted(self.counts)
        return [(word, self.counts.pop(word)) for word in words]

    def _count(self, texts: list[str], held: int) -> None:
        words = _words(texts, self.with_spaces)
        different = len(self.counts)
        self.counts.update(words)
        self.seen += len(words)
        if len(self.counts) == different:
            return
        self._most += held
        if self._most > 2 * self.budget:
            self._most = sum(map(_size, self.counts))
            if self._most > 2 * self.budget - BYTES_AT_ONCE:
                self._make_room()

    def _make_room(self) -> None:
        """Drop the rarest words beyond the budget."""
        for word in [word for word in self.counts if len(word) > LONGEST_WORD]:
            count = self.counts.pop(word)
            starts = range(0, len(word), LONGEST_WORD)
            self.seen += count * (len(starts) - 1)
            for start in starts:
                self.counts[word[start : start + LONGEST_WORD]] += count
        sizes: Counter[int] = Counter()
        for word, count in self.counts.items():
            sizes[count] += _size(word)
        room = self.budget
        least = 0
        for least in sorted(sizes, reverse=True):
            if sizes[least] > room:
                break
            room -= sizes[least]
        else:
            self._most = self.budget - room
            return
        dropped = [word for word, count in self.counts.items() if count < least]
        rare = [word for word, count in self.counts.items() if count == least]
        for word in sorted(rare, key=_order):
            room -= _size(word)
            if room < 0:
                dropped.append(word)
        for word in dropped:
            del self.counts[word]
        self._most = self.budget


def _words(texts: list[str], with_spaces: bool) -> list[str]:
    if not with_spaces:
        return " ".join(texts).split()
    return [word for word in "\0".join(texts).replace(" ", "\0 ").split("\0") if word]


def _size(word: str) -> int:
    return len(word.encode()) + 1


def _order(word: str) -> tuple[int, str]:
    return zlib.crc32(word.encode()), word
