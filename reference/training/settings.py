"""The settings of a run, whatever it learns: each checked, with the words that --help has for
it."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from reference.checks import check_name, check_number, check_whole
from reference.errors import InputError, shown
from reference.learning import AdamW
from reference.training.objectives.objective import Size, setting
from reference.training.schedule import KINDS, Schedule


@dataclass(frozen=True)
class Settings:
    """How a model is trained. What is None is off, or decided by the model."""

    batch_size: int = setting(32, "rows in a batch at most")
    batch_tokens: int | None = setting(None, "tokens in a batch at most; by default any number")
    max_tokens: int | None = setting(
        None, "tokens of a row at most; by default what the model takes, and 512 at most"
    )
    gradient_accumulation_steps: int = setting(
        1, "batches to one step, as if they were one; the last ones of an epoch may be fewer"
    )
    epochs: int = setting(3, "how often everything is read")
    learning_rate: float = setting(5e-4, "the highest of the run")
    schedule: str = setting(
        "linear", f"how the learning rate goes down after its rise: {', '.join(KINDS)}"
    )
    warmup: float = setting(0.1, "the share of all steps in which the learning rate rises")
    weight_decay: float = setting(0.01, "AdamW's, of matrices; norms and biases do not decay")
    clip: float | None = setting(
        1.0, "the length that gradients are shortened to if they are longer; none does not"
    )
    validation_split: float = setting(
        0.1, "the share held out, on which the model is scored; 0 holds nothing out"
    )
    evaluation_steps: int | None = setting(
        None, "score the held-out rows every so many steps; by default after every epoch"
    )
    patience: int | None = setting(
        None, "stop after so many scores in a row without a better one; by default never"
    )
    freeze: Sequence[str] | str = setting(
        (), "modules that are left as they are, such as 'model.embeddings,model.layers.0'"
    )
    seed: int = setting(42, "for first weights, what is held out, order and chance")
    checkpoint_steps: int = setting(500, "a run that is ended loses so many steps at most")
    keep_checkpoints: int = setting(
        2, "how many of the last checkpoints are kept while it runs, besides the best"
    )

    def __post_init__(self) -> None:
        for name in ("batch_size", "gradient_accumulation_steps", "epochs"):
            check_whole(name, getattr(self, name), 1)
        for name in ("checkpoint_steps", "keep_checkpoints"):
            check_whole(name, getattr(self, name), 1)
        check_whole("seed", self.seed, 0)
        object.__setattr__(self, "freeze", listed("freeze", self.freeze))
        for name, least in (
            ("batch_tokens", 1),
            ("max_tokens", 3),
            ("evaluation_steps", 1),
            ("patience", 1),
        ):
            if getattr(self, name) is not None:
                check_whole(name, getattr(self, name), least)
        check_number("learning_rate", self.learning_rate, least=0.0)
        check_number("warmup", self.warmup, least=0.0, most=1.0)
        check_name(self.schedule, KINDS, "schedule")
        check_number("weight_decay", self.weight_decay, least=0.0)
        if self.clip is not None and check_number("clip", self.clip, least=0.0) == 0:
            raise InputError(
                "clip is 0, which leaves nothing of a gradient; None does not clip"
            )
        if not 0 <= check_number("validation_split", self.validation_split) < 1:
            raise InputError(
                f"validation_split is {shown(self.validation_split)}; it must be at least 0 "
                "and less than 1"
            )

    @property
    def size(self) -> Size:
        return Size(self.batch_size, self.batch_tokens)

    @property
    def adamw(self) -> AdamW:
        return AdamW(self.weight_decay)

    @property
    def rates(self) -> Schedule:
        return Schedule(self.learning_rate, self.warmup, self.schedule)


def listed(what: str, given: Any) -> tuple[str, ...]:
    """A list of names, or one with commas between them."""
    names = given.split(",") if isinstance(given, str) else given
    if not isinstance(names, (list, tuple)) or not all(isinstance(one, str) for one in names):
        raise InputError(f"{what} is {shown(given)}; it must be a list of names of modules")
    return tuple(name.strip() for name in names if name.strip())


def frozen(names: Sequence[str], keys: Collection[str]) -> list[str]:
    """The parameters in these modules."""
    found = {name: [key for key in keys if f"{key}.".startswith(f"{name}.")] for name in names}
    for name, its in found.items():
        if not its:
            there = sorted({key.rpartition(".")[0] for key in keys})
            near = difflib.get_close_matches(name, there, n=3) or there[:3]
            raise InputError(
                f"freeze names {shown(name)}, and the model has no such module or parameter; "
                f"it has {', '.join(near)}, for example"
            )
    kept = {key for its in found.values() for key in its}
    if kept and len(kept) == len(keys):
        raise InputError("freeze names all of the model; then there is nothing to learn")
    return [key for key in keys if key in kept]


def names_of(kind: type) -> list[str]:
    """The settings of a dataclass."""
    return [item.name for item in fields(kind)]


def check_known(given: Collection[str], known: Collection[str], where: str) -> None:
    """Refuse a key that nobody reads, and say which one may have been meant."""
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=3)
            meant = f"did you mean {' or '.join(near)}?" if near else f"{', '.join(known)}"
            raise InputError(
                f"{where} has no {shown(name)}; " + (meant if near else f"there are {meant}")
            )


def divided(options: Mapping[str, Any], *kinds: type) -> list[dict[str, Any]]:
    """Options by the dataclass that each is a field of."""
    return [
        {name: value for name, value in options.items() if name in names_of(kind)}
        for kind in kinds
    ]
