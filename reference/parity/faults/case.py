"""Where a fault has been met in public, and how it came to light there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Way = Literal[
    "reading",
    "our reading",
    "comparison",
    "symptom",
    "review",
    "test",
    "NaN",
    "choice",
    "unsaid",
]
WAYS: Mapping[Way, str] = MappingProxyType(
    {
        "reading": "somebody read the code",
        "our reading": "we read the code, for this book",
        "comparison": "somebody compared numbers, mostly with another implementation's",
        "symptom": "results looked wrong to a user",
        "review": "a reviewer asked before it was merged",
        "test": "a test of the repository failed",
        "NaN": "the output was NaN",
        "choice": "done knowingly, and said so",
        "unsaid": "the thread does not say",
    }
)


@dataclass(frozen=True)
class Case:
    """A public case of a fault: a repository and what follows it in the address; what went
    wrong there; the way it was found, and a few words on that."""

    where: str
    at: str
    what: str
    by: Way
    how: str

    @property
    def address(self) -> str:
        return f"https://github.com/{self.where}/{self.at}"

    @property
    def label(self) -> str:
        """The repository and a thread's number, or a file's name."""
        kind, _, rest = self.at.partition("/")
        return f"{self.where} {rest.rpartition('/')[2] if kind == 'blob' else f'#{rest}'}"


@dataclass(frozen=True)
class NoneKnown:
    """Looked for, and not found; with a word on why the fault is seeded anyway."""

    note: str


Noted = Case | NoneKnown
