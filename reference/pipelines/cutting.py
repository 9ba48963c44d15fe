"""Texts longer than a model takes are cut. That is told once a call, or refused."""

from __future__ import annotations

from collections.abc import Sequence

from reference.checks import check_name
from reference.errors import InputError, warn
from reference.text import Encoding

WAYS = ("warn", "error", "ignore")  # what `truncation` may be


class Cuts:
    """What one call has cut."""

    def __init__(self, truncation: str, max_length: int, name: str = "texts") -> None:
        self.name = name  # in errors
        self.truncation = check_name(truncation, WAYS, "truncation")
        self.max_length = max_length
        self.seen = 0
        self.texts = 0  # that were cut
        self.tokens = 0  # that were cut away

    def see(self, encodings: Sequence[Encoding]) -> None:
        """Note what is cut of these, the next of the call's texts."""
        for number, encoding in enumerate(encodings, self.seen):
            if encoding.cut and self.truncation == "error":
                raise InputError(
                    f"{self.name}[{number}] has {encoding.cut} tokens more than the "
                    f"{self.max_length} that this model takes; shorten it, or let it be cut "
                    "with truncation='warn' or 'ignore'"
                )
            self.texts += encoding.cut > 0
            self.tokens += encoding.cut
        self.seen += len(encodings)

    def tell(self) -> None:
        """Warn of all that was cut."""
        tell([self])


def tell(lists: Sequence[Cuts]) -> None:
    """Warn once of all that was cut of several lists of texts that one call was given."""
    texts, tokens = sum(cuts.texts for cuts in lists), sum(cuts.tokens for cuts in lists)
    if texts and lists[0].truncation == "warn":
        warn(
            f"{texts} of {sum(cuts.seen for cuts in lists)} texts were longer than "
            f"{lists[0].max_length} tokens and were cut there, {tokens} tokens in all; "
            "truncation='error' refuses such texts, 'ignore' says nothing",
        )
