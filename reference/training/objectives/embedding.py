"""What the objectives share that train embedding models: how a folder makes vectors of texts,
how these are compared, and what is written beside a model that has learned to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import ClassVar

from reference.checks import check_number
from reference.errors import ConfigError, InputError, warn
from reference.families import BASE, BY_MODEL_TYPE, Task
from reference.files import is_file
from reference.learning import Way
from reference.pipelines.similarity import PROMPTS
from reference.sentence import SETTINGS_FILES, SentenceSettings, read_sentence_settings
from reference.sentence.modules import Normalize
from reference.training.objectives.comparing import (
    Compare,
    Comparison,
    Side,
    check_widths,
    matryoshka,
)
from reference.training.objectives.objective import Given, Objective, setting

QUERIES, DOCUMENTS = PROMPTS["queries"], PROMPTS["corpus"]  # names of prompts
SCALE = 20.0  # what cosines are multiplied with, where the model learns no temperature
HELD_OUT = 128  # pairs in a batch that is scored
# What a folder says that has no modules of its own: the mean, with length one.
USUAL = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {
        "idx": 1,
        "name": "1",
        "path": "1_Pooling",
        "type": "sentence_transformers.models.Pooling",
    },
    {
        "idx": 2,
        "name": "2",
        "path": "2_Normalize",
        "type": "sentence_transformers.models.Normalize",
    },
]


@dataclass(frozen=True)
class Maker:
    """Vectors as the folder makes them that is trained: prompts, pooling and the modules after
    it."""

    given: Given
    settings: SentenceSettings

    @classmethod
    def of(cls, given: Given) -> Maker:
        """The mean of its tokens with length one, where nothing says otherwise. What has
        weights of its own beside the encoder is refused: they would stay as they are."""
        settings = _settings(given.home, given.config.hidden_size)
        for module in settings.modules:
            if not isinstance(module, Normalize):
                raise ConfigError(
                    f"{given.home} has a {type(module).__name__} module after its pooling, "
                    "whose weights are not trained here; only Pooling and Normalize can follow "
                    "the encoder"
                )
        return cls(given, settings)

    def prompt(self, names: Sequence[str]) -> str:
        """The first of these prompts that the folder has, or its default."""
        return self.settings.prompt(None, self.settings.first_prompt(*names))

    def ids(self, texts: Sequence[str], names: Sequence[str] = ()) -> list[list[int]]:
        """The texts as ids, prompt included; what is too long is cut, and told."""
        prompt = self.prompt(names)
        longest = self.given.max_tokens
        prompted = [prompt + text for text in texts]
        encodings = self.given.tokenizer(prompted, max_length=longest)
        if cut := sum(encoding.cut > 0 for encoding in encodings):
            warn(f"{cut} of {len(texts)} texts have more than {longest} tokens; they are cut")
        return [list(encoding) for encoding in encodings]

    def way(self, names: Sequence[str] = ()) -> Way:
        skip = 0
        if not self.settings.include_prompt and (prompt := self.prompt(names)):
            (alone,) = self.given.tokenizer([prompt])
            skip = len(alone) - (alone[-1] in self.given.tokenizer.special_ids)
        return Way(self.settings.pooling, self.settings.normalize, skip)

    def at_widths(self, compare: Compare, widths: Sequence[int] | None) -> Compare:
        """A comparison at these widths, or at the one that the folder cuts its vectors to."""
        if widths is None and self.settings.truncated_size == self.settings.size:
            return compare
        wanted = [self.settings.truncated_size] if widths is None else widths
        return matryoshka(compare, check_widths(wanted, self.settings.size))

    @property
    def temperature(self) -> str | None:
        """The key of the parameter that is the logarithm of a learned temperature."""
        config = self.given.config
        return BY_MODEL_TYPE[config.model_type].temperature(config)

    def files(self) -> dict[str, bytes]:
        """What makes an embedding model of the folder that is written."""
        home = self.given.home
        if home is not None and is_file(home / "modules.json"):
            names = (*SETTINGS_FILES, *self.settings.module_files)
            found = {name: (home / name).read_bytes() for name in names if is_file(home / name)}
            modules = json.loads(found["modules.json"])
            modules[0]["path"] = ""  # an encoder that had a folder of its own is in this one
            return found | {"modules.json": _json(modules)}
        pooling = {"word_embedding_dimension": self.settings.size, "pooling_mode": "mean"}
        return {
            "modules.json": _json(USUAL),
            "1_Pooling/config.json": _json(pooling),
        }


@dataclass(frozen=True)
class Embedding(Objective):
    """An objective whose loss compares the vectors of a batch's texts."""

    task: ClassVar[Task] = BASE
    together: ClassVar[bool] = True

    scale: float | None = setting(
        None,
        "what cosines are multiplied with; by default 1 / the temperature that the "
        "model learns, or 20 if it learns none",
    )
    widths: Sequence[int] | None = setting(
        None,
        "how many numbers a vector may be cut to, such as [64, 192]; the losses at "
        "all of these are added up",
    )

    def __post_init__(self) -> None:
        if self.scale is not None and check_number("scale", self.scale) <= 0:
            raise InputError(f"scale is {self.scale}; it must be above 0")
        if self.widths is not None:
            check_widths(self.widths)

    def comparison(
        self, maker: Maker, sides: Sequence[Side], compare: Compare, count: int, scaled: bool
    ) -> Comparison:
        """The lesson of a batch of `count` pairs; if `scaled`, the cosines are: by the model's
        own temperature, if it learns one and no scale is set."""
        learned = maker.temperature if scaled and self.scale is None else None
        if scaled and learned is None:
            compare = partial(compare, scale=self.scale or SCALE)
        return Comparison(tuple(sides), maker.at_widths(compare, self.widths), count, learned)

    def beside(self, given: Given) -> dict[str, bytes]:
        return Maker.of(given).files()


@lru_cache(maxsize=8)  # which every batch asks for
def _settings(home: Path | None, size: int) -> SentenceSettings:
    usual = SentenceSettings(size, modules=(Normalize(),))
    return usual if home is None else read_sentence_settings(home, size, usual)


def _json(values: object) -> bytes:
    return (json.dumps(values, indent=2) + "\n").encode()
