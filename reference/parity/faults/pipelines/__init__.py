"""Known bugs of pipelines. The model is right with any of them, to the last digit of every
hidden state; what a user is told is wrong.

with FAULTS["pooling_ignored"].seeded():
    vectors = reference.load(folder).encode(texts)

Pipelines are written once above the ports, so each bug can be seeded in every backend.
"""

from reference.parity.faults.pipelines import embeddings, masked_lm, texts, tokens
from reference.parity.faults.pipelines.fault import PipelineFault, Pipelines

FAULTS: dict[str, PipelineFault] = {
    fault.name: fault
    for room in (embeddings, masked_lm, texts, tokens)
    for fault in room.FAULTS
}

__all__ = ["FAULTS", "PipelineFault", "Pipelines"]
