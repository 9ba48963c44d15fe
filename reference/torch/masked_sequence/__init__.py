"""Classification at chosen positions, as a model of Transformers' kind over any encoder that
Transformers can load: several detections in a text, each classified by itself.

    from reference.torch.masked_sequence import AutoModelForMaskedSeqModeling
    model = AutoModelForMaskedSeqModeling.from_pretrained("encoder", num_labels=3)
    model(input_ids, attention_mask, mask_indices).logits  # [batch, detections, labels]
"""

from __future__ import annotations

import importlib
from typing import Any

# Transformers is imported when one of them is asked for.
NAMES = {
    "AutoModelForMaskedSeqModeling": "model",
    "DetectionCollator": "collator",
    "MaskedSeqConfig": "config",
    "run_self_test": "self_test",
}


def __getattr__(name: str) -> Any:
    if name in NAMES:
        return getattr(importlib.import_module(f"{__name__}.{NAMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *NAMES})
