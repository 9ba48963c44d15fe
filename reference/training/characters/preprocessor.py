"""What turns texts into the arrays that a model of characters reads, and into what it learns
from before any task: texts with some of their characters masked."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reference.checks import check_number, check_switch, check_texts, check_whole
from reference.errors import CheckpointError, InputError, shown, warn
from reference.folders import write_together
from reference.text import output_tokens
from reference.text.characters import FILE as CHARACTERS
from reference.text.characters import PAD_ID, CharacterVocabulary
from reference.text.output_tokens import FILE as OUTPUT_TOKENS
from reference.text.output_tokens import OutputTokens
from reference.training.characters import characters_file
from reference.training.characters.learned import Learned, learn
from reference.training.characters.spans import Augment, Masked, Rule, behind_masks, worse

CHARACTERS_AT_ONCE = 2**20


class MLMPreprocessor:
    """Texts as ids of characters, and as examples of masked language modelling.

    vocab_size: the most pieces that words come apart into, the different bytes of the data
        among them. Those with at least min_mask_len characters are the output tokens.
    max_example_len: so many characters of a text are read. None is inferred by `fit`: 99 % of
        its texts are whole, to a multiple of 16, and 1,024 at most.
    hashed: whether the ids are the numbers that Unicode gives, for a model that hashes them:
        then no character is unknown, and there is no list of them.
    most_characters: how many of the most frequent have an id; None is all that `fit` has seen.
    min_mask_len: the least characters of a masked span. An output token that has fewer is never
        masked.
    mask_share: the share of a text's characters that are masked.
    augmentation: what makes a text worse before it is read, in `masked` alone.
    """

    def __init__(
        self,
        vocab_size: int = 10_000,
        max_example_len: int | None = 128,
        *,
        hashed: bool = False,
        most_characters: int | None = None,
        min_mask_len: int = 3,
        mask_share: float = 0.15,
        augmentation: Augment | None = None,
    ) -> None:
        self.vocab_size = check_whole("vocab_size", vocab_size, 1)
        self._given_len = _whole_or_none("max_example_len", max_example_len)
        self.hashed = check_switch("hashed", hashed)
        self.most_characters = _whole_or_none("most_characters", most_characters)
        self.min_mask_len = check_whole("min_mask_len", min_mask_len, 1)
        self.mask_share = check_number("mask_share", mask_share, 0, 1)
        if self.mask_share == 0:
            raise InputError("mask_share is 0; something must be masked, such as 0.15")
        if self.hashed and most_characters is not None:
            raise InputError(
                f"most_characters is {most_characters}, but with hashed no list is kept of "
                "them; give one of the two"
            )
        if augmentation is not None and not callable(augmentation):
            raise InputError(
                f"augmentation is {shown(augmentation)}; it must be None or be called with a "
                "text and a generator"
            )
        self.augmentation = augmentation
        self._learned: Learned | None = None

    def fit(self, dataset: Any, column: str | None = None) -> MLMPreprocessor:
        """Learn the characters and the output tokens, in place of what was learned before.

        dataset: a list or an iterator of strings; a Hugging Face dataset, in memory or
            streamed, whose `column` holds the texts (by itself "text", or the only one of
            strings); or the name of a file with a text a line.

        The texts are gone through once, and not kept: what is learned depends on how often each
        character, each word and each length comes. Blank ones are left out. Of words the most
        frequent are counted, as many as have 4 MB together.
        """
        self._learned = learn(
            dataset,
            column,
            listed=not self.hashed,
            most_characters=self.most_characters,
            vocab_size=self.vocab_size,
            least=self.min_mask_len,
            longest=self._given_len,
        )
        return self

    def altered(self, **settings: Any) -> MLMPreprocessor:
        """One that has learned the same, and masks otherwise: another min_mask_len, mask_share
        or augmentation."""
        for name in settings:
            if name not in ("min_mask_len", "mask_share", "augmentation"):
                raise InputError(
                    f"{name} decides what is learned; make another MLMPreprocessor with it, "
                    "and fit that"
                )
        other = MLMPreprocessor(**self._settings() | settings)
        other._learned = self._learned
        return other

    @property
    def max_example_len(self) -> int | None:
        """None where `fit` has still to infer it."""
        return self._given_len if self._learned is None else self._learned.longest

    @property
    def vocabulary(self) -> CharacterVocabulary:
        return self._fitted().vocabulary

    @property
    def num_characters(self) -> int:
        """How many ids there are, those of [PAD], [UNK] and [MASK] among them."""
        return len(self.vocabulary)

    @property
    def num_outputs(self) -> int:
        """How many output tokens there are; the more frequent one has the lower id."""
        return self._fitted().outputs.count

    def output_token(self, id: int) -> str:
        """The text of an output token. Where it ends inside a character, which takes several
        bytes, U+FFFD stands for the rest of that."""
        return self._fitted().outputs.text(id)

    def string_to_array(self, text: str, length: int | None = None) -> np.ndarray:
        """The ids of a text's characters, cut or padded to max_example_len or the `length`:
        int64 [1, length]. An empty text is padding alone."""
        self._fitted()
        if not isinstance(text, str):
            raise InputError(
                f"text is {type(text).__name__} {shown(text, 40)}; it must be a string"
            )
        return self.arrays([text], length)

    def arrays(self, texts: Iterable[str], length: int | None = None) -> np.ndarray:
        """The same of many texts: int64 [texts, length]. A warning says how much is cut."""
        learned = self._fitted()
        length = learned.longest if length is None else check_whole("length", length, 1)
        texts = check_texts(texts)
        longer = [len(text) for text in texts if len(text) > length]
        if longer:
            cut, which = sum(longer) - len(longer) * length, "the text"
            if len(texts) > 1:
                which = f"{len(longer)} of {len(texts)} texts"
            warn(f"{cut} of the {sum(longer)} characters of {which} are cut: {length} are read")
        return _ids(learned.vocabulary, texts, length)

    def masked(self, texts: Iterable[str], generator: np.random.Generator) -> Masked:
        """Texts with spans of characters masked, and the output tokens that stood there.

        What is masked is always the whole of an output token with at least min_mask_len
        characters, of the first max_example_len of a text, the space before a word included.
        Such tokens are taken by chance until mask_share of the characters are masked; one at
        least. Where a text has none, nothing of it is masked, and it has no label. Between two
        spans a character stays to be seen. An empty text is a row of padding.

        With an augmentation the model reads the text that this makes, and is asked for the
        tokens of the text that was given. A token of which too few characters are left is not
        asked for.
        """
        learned = self._fitted()
        longest, texts = learned.longest, check_texts(texts)
        if not texts:
            raise InputError("texts is empty; a batch holds at least one text")
        if not isinstance(generator, np.random.Generator):
            raise InputError(
                f"generator is {shown(generator)}; it must be a generator of NumPy, such as "
                "numpy.random.default_rng(0)"
            )
        rule = Rule(self.mask_share, self.min_mask_len)
        read, chosen = [], []
        for text in texts:
            found = learned.outputs.places(text, longest)
            tokens = rule.fitting(found, longest)  # before a letter is there twice
            text, tokens = worse(text[:longest], tokens, self.augmentation, generator)
            read.append(text[:longest])
            chosen.append(rule.choose(tokens, len(read[-1]), generator))
        width = max(1, *map(len, read))
        return behind_masks(read, _ids(learned.vocabulary, read, width), chosen)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write characters.json and output_tokens.json into a folder, both or none; what else
        is there stays."""
        learned = self._fitted()
        if not os.fspath(folder) or (Path(folder).exists() and not Path(folder).is_dir()):
            raise InputError(f"{os.fspath(folder)!r:.80} is no folder to write to")
        characters, count = learned.vocabulary.characters, learned.outputs.count
        files = {
            CHARACTERS: characters_file.content_of(self._settings(), characters, count),
            OUTPUT_TOKENS: learned.outputs.content(),
        }
        write_together(Path(folder), files)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> MLMPreprocessor:
        """What `save` has written. It equals the one that was saved."""
        path = Path(folder) / CHARACTERS
        settings, there = characters_file.read(path)
        pieces = output_tokens.read(path.with_name(OUTPUT_TOKENS))
        try:
            read, outputs = cls(**settings), OutputTokens(pieces, there.outputs)
        except InputError as problem:
            raise CheckpointError(f"{path}: {problem}") from None
        read._learned = Learned(there.vocabulary, outputs, there.longest)
        return read

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MLMPreprocessor):
            return NotImplemented
        return self._settings() == other._settings() and self._learned == other._learned

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self._settings().items())
        fitted = "not fitted"
        if self._learned is not None:
            fitted = f"{self.num_characters:,} characters, {self.num_outputs:,} output tokens"
        return f"<MLMPreprocessor({settings}): {fitted}>"

    def _settings(self) -> dict[str, Any]:
        """The arguments that make another like this."""
        return {
            "vocab_size": self.vocab_size,
            "max_example_len": self.max_example_len,
            "hashed": self.hashed,
            "most_characters": self.most_characters,
            "min_mask_len": self.min_mask_len,
            "mask_share": self.mask_share,
            "augmentation": self.augmentation,
        }

    def _fitted(self) -> Learned:
        if self._learned is None:
            raise InputError("this preprocessor has learned nothing yet; call fit first")
        return self._learned


def _whole_or_none(name: str, value: Any) -> int | None:
    return None if value is None else check_whole(name, value, 1)


def _ids(vocabulary: CharacterVocabulary, texts: Sequence[str], width: int) -> np.ndarray:
    """Texts one below the other: int64 [texts, width]. Many at a time are one text to the
    vocabulary, but no more than their copies need little memory."""
    ids = np.full((len(texts), width), PAD_ID, np.int64)
    many = max(1, CHARACTERS_AT_ONCE // width)
    for first in range(0, len(texts), many):
        part = [text[:width] for text in texts[first : first + many]]
        lengths = np.array([len(text) for text in part])
        inside = np.arange(width) < lengths[:, None]
        ids[first : first + many][inside] = vocabulary.ids("".join(part))
    return ids
