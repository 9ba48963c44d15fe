"""mlx-embeddings as a contestant of the bench: mlx_embed.py MODEL_FOLDER [VECTORS].

Once the model is there it prints 0. Then it reads texts, a JSON list a line, and prints the
seconds that their vectors took. With a second argument it writes the vectors of the last line
into a safetensors file of that name.

It runs in an environment of its own (requirements-peers.txt) and imports nothing of this
repository. BENCH_BLAS names the library whose matrix products MLX shall use, as ours does: on
Linux MLX has only a slow one of its own.
"""

import ctypes
import json
import os
import sys
import time
from pathlib import Path

if "BENCH_BLAS" in os.environ:  # before MLX is imported: names are given to whoever came first
    ctypes.CDLL(os.environ["BENCH_BLAS"], mode=ctypes.RTLD_GLOBAL)

import mlx.core as mx
import numpy as np
from mlx_embeddings.utils import load_model
from transformers import AutoTokenizer

BATCH = 32  # texts of like length, as many as the others take


class Embedder:
    def __init__(self, folder: Path) -> None:
        self.model = load_model(folder)
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        longest, path = config["max_position_embeddings"], folder / "sentence_bert_config.json"
        if path.exists():
            settings = json.loads(path.read_text(encoding="utf-8"))
            longest = settings.get("max_seq_length") or longest
        self.tokenizer = AutoTokenizer.from_pretrained(
            folder, padding_side="right", model_max_length=longest
        )

    def embed(self, texts: list[str]) -> np.ndarray:
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        vectors: list = [None] * len(texts)
        for start in range(0, len(texts), BATCH):
            rows = order[start : start + BATCH]
            batch = self.tokenizer(
                [texts[row] for row in rows], padding=True, truncation=True, return_tensors="np"
            )
            found = self.model(
                mx.array(batch["input_ids"]), attention_mask=mx.array(batch["attention_mask"])
            )
            for row, vector in zip(rows, np.array(found.text_embeds), strict=True):
                vectors[row] = vector
        return np.stack(vectors)


def main(folder: str, target: str | None = None) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints goes to standard error
    embedder = Embedder(Path(folder))
    print(0.0, file=answers, flush=True)
    for line in sys.stdin:
        texts = json.loads(line)
        start = time.perf_counter()
        vectors = embedder.embed(texts)
        print(time.perf_counter() - start, file=answers, flush=True)
        if target is not None:
            mx.save_safetensors(target, {"vectors": mx.array(vectors)})


if __name__ == "__main__":
    main(*sys.argv[1:])
