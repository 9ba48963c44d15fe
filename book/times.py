"""Times the ports beside other libraries, and writes what was found to times.json, with the day
and the machine:

    times.py [--rounds N] [--only NAME ...] [--to FILE]

`make times` calls it. It takes some twenty minutes, and the machine should do nothing else.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from pathlib import Path

from reference.backend import BACKENDS
from reference.bench import bench, growth, table
from reference.bench.machine import cores
from reference.bench.worker import is_installed
from reference.bench.workloads import long_texts, mixed_texts, sentences
from reference.checkpoint import EMBEDDED_MODEL, SMALL_MODERNBERT, locate
from reference.families.reading import read_config
from reference.files import write_atomically
from reference.parity import random_checkpoint
from reference.text import read_tokenizer

ENGINES = ("ctranslate2", "openvino", "onnxruntime")
STRANGERS = ("candle-transformers", "mlx-embeddings")
FULL = ("transformers", "sentence-transformers", *ENGINES, *STRANGERS, *BACKENDS)
FEWER = (
    "transformers:bfloat16",
    "ctranslate2:int8",
    "openvino:bfloat16",
    "onnxruntime:int8",
    "torch:bfloat16",
    "candle:int8",
)
# Time does not ask for real weights: ModernBERT-base's sizes, and all-MiniLM-L6-v2's.
BASE = {
    "architecture": "ModernBertModel",
    "pooling": "mean",
    "tokenizer": SMALL_MODERNBERT,
    "hidden_size": 768,
    "num_hidden_layers": 22,
    "num_attention_heads": 12,
    "intermediate_size": 1152,
    "local_attention": 128,
    "max_position_embeddings": 8192,
}
MINILM_MLM = {
    "architecture": "BertForMaskedLM",
    "tokenizer": EMBEDDED_MODEL,
    "hidden_size": 384,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
    "max_position_embeddings": 512,
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=MEASURED, default=list(MEASURED))
    parser.add_argument("--to", type=Path, default=Path(__file__).with_name("times.json"))
    options = parser.parse_args()
    found = json.loads(options.to.read_text()) if options.to.is_file() else {}
    with tempfile.TemporaryDirectory() as workshop:
        for name in options.only:
            print(f"{name}:", flush=True)
            found[name] = about() | {"found": MEASURED[name](options.rounds, Path(workshop))}
            print(flush=True)
            text = json.dumps({key: found[key] for key in MEASURED if key in found}, indent=1)
            write_atomically(options.to, (text + "\n").encode())


def about() -> dict[str, str | int]:
    """When and where."""
    return {"day": date.today().isoformat(), "processor": processor(), "cores": cores()}


def processor() -> str:
    """Its name, and of x86 which of the instructions that matter here it has."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    lines = dict(
        (part.strip() for part in line.split(":", 1))
        for line in text.splitlines()
        if ":" in line
    )
    wanted = {
        "avx2": "AVX2",
        "avx512f": "AVX-512",
        "avx512_vnni": "VNNI",
        "avx512_bf16": "bfloat16",
    }
    there = [name for flag, name in wanted.items() if flag in lines.get("flags", "").split()]
    name = lines.get("model name", platform.machine())
    return f"{name} with {', '.join(there)}" if there else name


def timed(names, rounds, model, work=None, **options) -> list[dict]:
    there = [name for name in names if is_installed(options.get("task", "embed"), name)]
    timings = bench(str(model), there, rounds, work, **options)
    print(table(timings, work), flush=True)
    return [asdict(timing) | {"version": version(timing.name)} for timing in timings]


def version(name: str) -> str:
    """Of another library of this environment."""
    try:
        return importlib.metadata.version(name.partition(":")[0])
    except importlib.metadata.PackageNotFoundError:
        return ""


def limits(rounds: int, workshop: Path) -> list[dict]:
    """How many operations the two workloads of MiniLM ask for, and at how many a second
    PyTorch's own products of a dense layer's shape top out, by their rows."""
    import torch

    weights, products = torch.randn(40, 1536, 384), []
    for rows in (16, 64, 256, 1024, 2048):
        x, result, best = torch.randn(rows, 384), torch.empty(rows, 1536), 0.0
        its = weights[: max(2, min(40, 20_000 // rows))]
        for _ in range(10 * rounds):
            start = time.perf_counter()
            for weight in its:
                torch.mm(x, weight.T, out=result)
            seconds = time.perf_counter() - start
            best = max(best, 2 * rows * 384 * 1536 * len(its) / seconds)
        products.append({"rows": rows, "operations_a_second": best})
    folder = locate(EMBEDDED_MODEL)
    tokenizer = read_tokenizer(folder, read_config(folder))
    work = sentences(mixed_texts(256))
    one, many = (sum(map(operations, map(len, tokenizer(t)))) for t in ([work.one], work.many))
    print(
        f"peak {max(one['operations_a_second'] for one in products) / 1e9:.0f} billion a second"
    )
    return [{"products": products, "one": one, "many": many}]


def operations(tokens: int, hidden: int = 384, wide: int = 1536, layers: int = 6) -> int:
    """Of MiniLM on a text: a multiplication and an addition for each weight and token, and for
    each two tokens and feature twice."""
    dense = 2 * tokens * (4 * hidden**2 + 2 * hidden * wide)
    return layers * (dense + 4 * tokens**2 * hidden)


def minilm(rounds: int, workshop: Path) -> list[dict]:
    return timed((*FULL, *FEWER), rounds, EMBEDDED_MODEL, sentences(mixed_texts(256)))


def one_core(rounds: int, workshop: Path) -> list[dict]:
    names = ("transformers", *ENGINES, *BACKENDS)
    return timed(names, rounds, EMBEDDED_MODEL, sentences(mixed_texts(256)), threads=1)


def modernbert(rounds: int, workshop: Path) -> list[dict]:
    folder = random_checkpoint(workshop / "base", **BASE)
    work = long_texts(read_tokenizer(folder, read_config(folder)))
    return timed(("transformers", *BACKENDS), min(rounds, 3), folder, work)


def training(rounds: int, workshop: Path) -> list[dict]:
    folder = random_checkpoint(workshop / "mlm", **MINILM_MLM)
    work = sentences(mixed_texts(128))
    return timed(("transformers", *BACKENDS), rounds, folder, work, task="train")


def scaling(rounds: int, workshop: Path) -> list[dict]:
    names = ("transformers", "ctranslate2", *BACKENDS)
    found = growth.grow(EMBEDDED_MODEL, names, "cores", rounds)
    print(growth.table(found, "cores"), flush=True)
    return [asdict(one) | {"exponent": one.exponent} for one in found]


MEASURED: dict[str, Callable[[int, Path], list[dict]]] = {
    "limits": limits,
    "minilm": minilm,
    "one_core": one_core,
    "modernbert": modernbert,
    "training": training,
    "scaling": scaling,
}

if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    main()
