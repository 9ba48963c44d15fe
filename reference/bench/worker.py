"""One contestant of the bench in a process of its own: it reads texts as JSON lines and answers
with seconds."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from reference.errors import EncodersError, InputError

PEERS = ("transformers", "sentence-transformers")
Encode = Callable[[list[str]], object]


class Contestant:
    """The parent's end of a worker."""

    def __init__(self, name: str, folder: Path) -> None:
        module = name.replace("-", "_")
        if name in PEERS and importlib.util.find_spec(module) is None:
            raise InputError(
                f"{name} is not installed; install it, or leave it out with --peers"
            )
        self.name = name
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "from reference.bench.worker import main; main()",
                name,
                str(folder),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"},
        )
        self._answer()  # ready

    def time(self, texts: Sequence[str]) -> float:
        """Seconds that the contestant took for these texts."""
        with suppress(BrokenPipeError):  # the worker is gone; the missing answer says so
            self.process.stdin.write(json.dumps(list(texts)) + "\n")
            self.process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        with suppress(
            BrokenPipeError
        ):  # what a worker that is gone did not read is still in the buffer
            self.process.stdin.close()
        self.process.wait()

    def _answer(self) -> float:
        line = self.process.stdout.readline()
        if not line:
            raise InputError(
                f"{self.name} stopped with exit status {self.process.wait()}; its message "
                "stands above"
            )
        return float(line)


def encoder(name: str, folder: str) -> Encode:
    """A function from texts to vectors, as a user of that library would write it.

    Left to themselves the peers would open pickled weights, which this package never does.
    """
    if name == "transformers":
        return _transformers(folder)
    if name == "sentence-transformers":
        from sentence_transformers import SentenceTransformer

        safe = {"use_safetensors": True}
        return SentenceTransformer(folder, device="cpu", model_kwargs=safe).encode
    import reference

    return reference.load(folder, backend=name, pipeline="embeddings").encode


def _transformers(folder: str) -> Encode:
    """Batches of 32, sorted by length so that as little as possible is padding, and sdpa
    attention.

    What comes before and after the model, the checkpoint's prompt, its poolings and the modules
    that follow, is what the others do as well.
    """
    import torch
    from transformers import AutoModel, AutoTokenizer

    from reference.families.reading import read_config
    from reference.pipelines.wanted import check_wanted
    from reference.sentence import read_sentence_settings
    from reference.text import read_tokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="right")
    model = AutoModel.from_pretrained(
        folder, attn_implementation="sdpa", dtype=torch.float32, use_safetensors=True
    ).eval()
    length = read_tokenizer(Path(folder), read_config(Path(folder))).max_length
    settings = read_sentence_settings(Path(folder), model.config.hidden_size)
    if not settings.include_prompt:
        raise InputError("a prompt that is left out of the pooling: transformers is not timed")
    wanted = check_wanted(settings)
    pool = {
        "cls": lambda hidden, mask: hidden[:, 0],
        "max": lambda hidden, mask: hidden.masked_fill(mask == 0, -torch.inf).amax(1),
        "mean": lambda hidden, mask: (hidden * mask).sum(1) / mask.sum(1),
        "mean_sqrt_len_tokens": lambda hidden, mask: (
            (hidden * mask).sum(1) / mask.sum(1).sqrt()
        ),
        "weightedmean": lambda hidden, mask: _weighted_mean(hidden, mask * mask.cumsum(1)),
        "lasttoken": lambda hidden, mask: hidden[range(len(mask)), mask.sum(1)[:, 0] - 1],
    }

    @torch.inference_mode()
    def encode(texts: list[str]) -> torch.Tensor:
        texts = [wanted.prompt + text for text in texts]
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        vectors = torch.empty(len(texts), model.config.hidden_size * len(settings.pooling))
        for start in range(0, len(texts), 32):
            rows = order[start : start + 32]
            batch = tokenizer(
                [texts[row] for row in rows],
                padding=True,
                truncation=True,
                max_length=length,
                return_tensors="pt",
            )
            hidden = model(**batch).last_hidden_state
            mask = batch["attention_mask"].unsqueeze(-1)
            vectors[rows] = torch.cat(
                [pool[way](hidden, mask) for way in settings.pooling], dim=1
            )
        vectors = torch.nn.functional.normalize(vectors) if wanted.unit_first else vectors
        return torch.from_numpy(wanted.finish(vectors.numpy()))

    return encode


def _weighted_mean(hidden: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    return (hidden * weights).sum(1) / weights.sum(1)


def main() -> None:
    """Answer each line of texts with the seconds that they took, until the parent closes the
    pipe."""
    name, folder = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints goes to standard error
    try:
        encode = encoder(name, folder)
    except EncodersError as error:
        sys.exit(f"error: {error}")
    print(0.0, file=answers, flush=True)
    for line in sys.stdin:
        texts = json.loads(line)
        start = time.perf_counter()
        encode(texts)
        print(time.perf_counter() - start, file=answers, flush=True)
