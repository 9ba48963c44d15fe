"""What becomes of a text: the ids of its tokens, and where each token comes from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Origins:
    """Where the tokens of an encoding come from, an entry a token.

    offsets are the first character and the one after the last, in the text that the token
    belongs to; word_ids count that text's words, as the tokenizer splits them; sequence_ids are
    0 for the text and 1 for the second of a pair. A special token that the tokenizer adds has
    (0, 0), None, None, and a 1 in special_tokens_mask; one that was typed has a place in its
    text like any other token.
    """

    offsets: list[tuple[int, int]]
    word_ids: list[int | None]
    sequence_ids: list[int | None]
    special_tokens_mask: list[int]

    def at(self, kept: Sequence[int]) -> Origins:
        """Those of the tokens at these positions only."""
        return Origins(*([values[token] for token in kept] for values in vars(self).values()))


class Encoding(list[int]):
    """The ids of a text, or of a pair of texts, special tokens included; a list, and what is
    known of its tokens.

    `cut` counts the tokens that were cut away, of both texts of a pair together. Models need
    the ids and token_type_ids only; where the tokens come from is found when it is asked for.
    """

    __slots__ = ("_origins", "cut", "find_origins", "token_type_ids")

    def __init__(
        self,
        ids: Iterable[int],
        token_type_ids: list[int],
        cut: int,
        find_origins: Callable[[], Origins],
    ) -> None:
        super().__init__(ids)
        self.token_type_ids = token_type_ids
        self.cut = cut
        self.find_origins = find_origins
        self._origins: Origins | None = None

    def without(self, dropped: Collection[int]) -> Encoding:
        """The encoding with the tokens at these positions cut away."""
        kept = [token for token in range(len(self)) if token not in dropped]
        return Encoding(
            [self[token] for token in kept],
            [self.token_type_ids[token] for token in kept],
            self.cut + len(self) - len(kept),
            lambda: self.origins.at(kept),
        )

    @property
    def origins(self) -> Origins:
        if self._origins is None:
            self._origins = self.find_origins()
        return self._origins

    @property
    def ids(self) -> list[int]:
        return list(self)

    @property
    def offsets(self) -> list[tuple[int, int]]:
        return self.origins.offsets

    @property
    def word_ids(self) -> list[int | None]:
        return self.origins.word_ids

    @property
    def sequence_ids(self) -> list[int | None]:
        return self.origins.sequence_ids

    @property
    def special_tokens_mask(self) -> list[int]:
        return self.origins.special_tokens_mask
