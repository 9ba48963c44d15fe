"""What a model can be trained for, an objective a file, and the list of them."""

from __future__ import annotations

from reference.training.objectives.masked_lm import MaskedLM
from reference.training.objectives.objective import Given, Objective, Size, in_batches

OBJECTIVES: dict[str, type[Objective]] = {kind.name: kind for kind in (MaskedLM,)}

__all__ = ["OBJECTIVES", "Given", "MaskedLM", "Objective", "Size", "in_batches"]
