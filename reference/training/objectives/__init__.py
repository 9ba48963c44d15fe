"""What a model can be trained for, an objective a file, and the list of them."""

from __future__ import annotations

from reference.training.objectives.contrastive import Contrastive
from reference.training.objectives.masked_characters import MaskedCharacters
from reference.training.objectives.masked_lm import MaskedLM
from reference.training.objectives.masked_sequence import MaskedSequence
from reference.training.objectives.objective import Given, Objective, Size, in_batches, setting
from reference.training.objectives.scored_pairs import ScoredPairs
from reference.training.objectives.sequence_classification import SequenceClassification
from reference.training.objectives.token_classification import TokenClassification

OBJECTIVES: dict[str, type[Objective]] = {
    kind.name: kind
    for kind in (
        MaskedLM,
        MaskedCharacters,
        Contrastive,
        ScoredPairs,
        SequenceClassification,
        TokenClassification,
        MaskedSequence,
    )
}

__all__ = [
    "OBJECTIVES",
    "Contrastive",
    "Given",
    "MaskedCharacters",
    "MaskedLM",
    "MaskedSequence",
    "Objective",
    "ScoredPairs",
    "SequenceClassification",
    "Size",
    "TokenClassification",
    "in_batches",
    "setting",
]
