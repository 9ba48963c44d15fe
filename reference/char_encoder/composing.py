"""Towers that were trained apart, side by side on the base that they share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Self

from reference.char_encoder.base import EMBEDDINGS, CCLMModelBase, CharModel, check_base
from reference.char_encoder.training import Trainable, read
from reference.checks import check_name
from reference.errors import InputError, shown
from reference.families.tasks import BASE, TEXT_CLASSIFICATION, TOKEN_CLASSIFICATION
from reference.training.objectives.sequence_classification import SequenceClassification
from reference.training.objectives.token_classification import TokenClassification

BASE_NAME = "base"
OBJECTIVES = {
    SequenceClassification.name: TEXT_CLASSIFICATION,
    TokenClassification.name: TOKEN_CLASSIFICATION,
}


class ComposedModel(Trainable):
    """What several towers give for a character, side by side: `model` is called with ids of
    characters, and gives the sum of the towers' widths for each.

    base: the one that all of them were trained on; an error says which tensors differ where
        that is not so.
    towers: models of one tower or of several, such as the `model` of a pretrainer.
    """

    def __init__(
        self,
        base: CCLMModelBase,
        towers: Sequence[CharModel],
        *,
        backend: str = "torch",
        device: str | None = None,
    ) -> None:
        check_base(base)
        if not isinstance(towers, (list, tuple)) or not towers:
            raise InputError(
                f"towers is {shown(towers)}; it must be a list of at least one model"
            )
        for place, tower in enumerate(towers):
            _check_shared(base, tower, place)
        configs = [one for tower in towers for one in tower.towers]
        tensors = dict(base.tensors)
        parts = [tower.tower(n) for tower in towers for n in range(len(tower.towers))]
        for number, part in enumerate(parts):
            tensors |= {f"towers.{number}.{name}": own for name, own in part.items()}
        config = base.with_towers(configs)
        super().__init__(base.preprocessor, config, tensors, BASE, backend, device)
        self.frozen: set[str] = {BASE_NAME} if base.frozen else set()

    def freeze(self, *parts: int | str) -> None:
        """Leave these as they are in training: numbers of towers, or "base"; all of them, if
        none is named."""
        self.frozen |= set(map(self._part, parts)) or self._parts

    def unfreeze(self, *parts: int | str) -> None:
        """Train these again; all, if none is named."""
        self.frozen -= set(map(self._part, parts)) or self._parts

    @property
    def _parts(self) -> set[str]:
        return {BASE_NAME, *(f"towers.{number}" for number in range(len(self.config.towers)))}

    def _part(self, part: int | str) -> str:
        name = f"towers.{part}" if isinstance(part, int) else part
        if name not in self._parts or isinstance(part, bool):
            raise InputError(
                f"there is no part {shown(part)}; there are {BASE_NAME!r} and the towers 0 to "
                f"{len(self.config.towers) - 1}"
            )
        return name

    def fit(
        self,
        dataset: Any,
        epochs: int = 3,
        *,
        objective: str = SequenceClassification.name,
        output: str | os.PathLike[str] | None = None,
        resume: bool = False,
        show_progress: bool = False,
        **settings: Any,
    ) -> Self:
        """Learn a task with a head on all towers: "sequence-classification" of (text, label),
        from the largest that each feature becomes in a text, or "token-classification" of
        (text, spans). What is frozen stays; `save` writes the head too.

        output, resume, settings: as in a pretrainer's fit.
        """
        task = OBJECTIVES[check_name(objective, OBJECTIVES, "objective")]
        frozen = [EMBEDDINGS.rstrip(".") if name == BASE_NAME else name for name in self.frozen]
        how = (sorted(frozen), output, resume, show_progress)
        self.train(dataset, objective, task, *how, epochs=epochs, **settings)
        return self

    @classmethod
    def load(
        cls,
        folder: str | os.PathLike[str],
        *,
        backend: str = "torch",
        device: str | None = None,
    ) -> Self:
        """What `save` has written, with its head if it has one."""
        preprocessor, checkpoint = read(folder)
        made = cls.__new__(cls)
        parts = (checkpoint.config, checkpoint.tensors, checkpoint.architecture.task)
        Trainable.__init__(made, preprocessor, *parts, backend, device)
        made.frozen = {BASE_NAME}
        return made

    def __repr__(self) -> str:
        widths = " + ".join(str(tower.n_conv_filters) for tower in self.config.towers)
        return f"<ComposedModel: {widths} features a character, on {self.backend}>"


def _check_shared(base: CCLMModelBase, tower: Any, place: int) -> None:
    if not isinstance(tower, CharModel):
        raise InputError(
            f"towers[{place}] is {shown(tower)}; it must be the `model` of a pretrainer, or of "
            "another composed model"
        )
    kept = ("vocab_size", "num_hashes", "num_hash_buckets", "char_emb_size", "n_filters")
    kept += ("kernel_size", "hidden_act", "layer_norm_eps", "rope_theta", "dropout")
    for name in kept:
        own, its = (getattr(part.config, name) for part in (base, tower))
        if own != its:
            raise InputError(f"towers[{place}] is of another base: {name} is {its}, not {own}")
    if differing := base.differing(tower.tensors):
        more = f" and {len(differing) - 1} more" if len(differing) > 1 else ""
        raise InputError(
            f"towers[{place}] was trained on another base than this one is now: {differing[0]}"
            f"{more} differ. Freeze the base before a second tower is trained on it"
        )
    if tower.preprocessor.vocabulary.characters != base.preprocessor.vocabulary.characters:
        raise InputError(f"towers[{place}] reads other characters than the base")
