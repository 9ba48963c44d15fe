"""What Transformers and sentence-transformers make of the same folder; None where they refuse
it."""

import contextlib
import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from reference.checkpoint import Checkpoint, read_checkpoint
from reference.families import Architecture, EncoderConfig
from reference.parity.gate import EPSILONS, LEAST_EPSILONS
from reference.parity.oracle import oracle_for, quiet
from reference.pipelines import named_by_sentence_transformers, pipeline_class

# How many times Transformers' own error in float32 a port may be off. The parity gates are
# stricter, over more batches; one batch of a few tokens is left room for luck.
FACTOR = 20
STEADY = 1e-3
NAMES = ("last_hidden_state", "pooler_output", "logits")


def fixed_batch(config: EncoderConfig, architecture: Architecture) -> dict[str, np.ndarray]:
    """What `forward` is given. Two texts of six ids and three, or a question with these two
    choices; a pad id where the mask hides; two detections in each text where they are asked
    for."""
    ids = np.array([[2, 5, 7, 11, 13, 3], [2, 8, 3, 0, 0, 0]]) % config.vocab_size
    if config.pad_token_id is not None:
        ids[ids == config.pad_token_id] = (config.pad_token_id + 1) % config.vocab_size
        ids[1, 3:] = config.pad_token_id
    mask = np.array([[1] * 6, [1] * 3 + [0] * 3])
    batch = {"input_ids": ids, "attention_mask": mask}
    if architecture.task.row == "choice":
        return {name: array[None] for name, array in batch.items()}
    if architecture.task.row == "detection":
        batch["mask_indices"] = np.array([[1, 3], [0, 1]])
        batch["mask_ends"] = np.array([[2, 5], [0, 2]])
    return batch


@dataclass
class Truth:
    """Of each output the float64 values, and how far off float32 may be."""

    arrays: dict[str, np.ndarray]
    off: dict[str, float]

    @property
    def steady(self) -> bool:
        """Whether float32 is of any use here."""
        return all(
            np.isfinite(array).all() and self.off[name] <= STEADY * np.abs(array).max()
            for name, array in self.arrays.items()
        )


def transformers_outputs(folder: Path, pipeline: str | None) -> Truth | None:
    named = pipeline or named_by_sentence_transformers(folder)
    task = None if named is None else pipeline_class(named).task
    with _undisturbed():
        checkpoint = read_checkpoint(folder, task)
        try:
            truth, noisy = (_outputs(checkpoint, dtype) for dtype in ("float64", "float32"))
        except Exception:  # whatever it says about the damage
            return None
    off = {name: FACTOR * _floor(noisy[name], array) for name, array in truth.items()}
    return Truth(truth, off)


def _outputs(checkpoint: Checkpoint, dtype: str) -> dict[str, np.ndarray]:
    oracle = oracle_for(checkpoint, dtype)
    batch = fixed_batch(checkpoint.config, checkpoint.architecture)
    with torch.no_grad():
        outputs = oracle.model(**{name: torch.from_numpy(of) for name, of in batch.items()})
    names = [name for name in NAMES if outputs.get(name) is not None]
    return {name: outputs[name].numpy() for name in names}


def _floor(noisy: np.ndarray, truth: np.ndarray) -> float:
    least = LEAST_EPSILONS * EPSILONS["float32"] * np.abs(truth).max()
    return max(float(np.abs(noisy - truth).max()), float(least))


def sentence_vectors(folder: Path, texts: list[str]) -> np.ndarray | None:
    """One text at a time: where it puts pads, and whether it hides them, is its affair. In
    float32, as `load` has it unless told otherwise, whatever dtype config.json was saved in."""
    from sentence_transformers import SentenceTransformer

    try:
        with _undisturbed():
            model = SentenceTransformer(
                str(folder),
                device="cpu",
                local_files_only=True,
                model_kwargs={"dtype": "float32"},
            )
            return model.encode(texts, batch_size=1, show_progress_bar=False)
    except Exception:  # whatever it says about the damage
        return None


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    with warnings.catch_warnings(), quiet(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
