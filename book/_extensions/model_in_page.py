"""Put models and the WebAssembly that runs them beside the pages, to be loaded on a click.

A page that is opened as a file may fetch nothing, but it may load scripts. So everything is a
script: the weights too, in base64 and in parts, each of which tells the page that it is there.
What changes has another version, by which the page keeps it in the browser.
"""

import base64
import gzip
import hashlib
import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save
from sphinx.application import Sphinx

import reference
from reference.checkpoint import locate

GROUP = 32  # numbers that share a scale, as in GGML's Q8_0
PART = 3 << 20  # bytes of a part: a progress bar moves once for each
SMALL = "encoders-three-ways/modernbert-docstrings"
MINILM = "sentence-transformers/all-MiniLM-L6-v2"
SETTINGS = ("*.json", "1_Pooling/config.json")  # what a folder says beside its weights
# Compiled on this machine, where it has what that needs, or as it is kept.
COMPILED = (Path(".venv/wasm/encoders.wasm.gz"), Path("rust_ports/wasm/encoders.wasm.gz"))


def in_eight_bits(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers from -127 to 127 in the array's shape, and a float16 for each 32 of them:
    their products are the array, nearly."""
    groups = array.reshape(-1, GROUP)
    scales = (np.abs(groups).max(axis=1) / 127).astype(np.float16)  # [groups]
    least = np.maximum(scales.astype(np.float32), np.finfo(np.float32).tiny)[:, None]
    whole = np.clip(np.rint(groups / least), -127, 127).astype(np.int8)
    return whole.reshape(array.shape), scales


def weights_in_eight_bits(file: Path) -> bytes:
    """A safetensors file whose matrices are int8, each with its scales, as rust_ports/page
    widens it."""
    packed: dict[str, np.ndarray] = {}
    for name, array in load_file(file).items():
        if array.ndim < 2 or array.size % GROUP:
            packed[name] = array
        else:
            packed[name], packed[f"{name}.scales"] = in_eight_bits(array)
    return save(packed)


def files_of(folder: Path, weights: bytes, name: str) -> dict[str, bytes]:
    """What a model is made of, by the names that WebAssembly is to find it under."""
    settings = {path for pattern in SETTINGS for path in folder.glob(pattern)}
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(settings)
    }
    return {**found, name: weights}


def models() -> dict[str, dict[str, bytes]]:
    """The files of each model."""
    small = Path(reference.__file__).parent / "models" / SMALL.partition("/")[2]
    minilm = Path(locate(MINILM))
    eighths = weights_in_eight_bits(minilm / "model.safetensors")
    return {
        "minilm": files_of(minilm, eighths, "model.safetensors.int8"),
        "small": files_of(
            small, (small / "model.safetensors").read_bytes(), "model.safetensors"
        ),
    }


def in_parts(name: str, content: bytes, target: Path) -> dict[str, object]:
    """Write `content` as scripts; what the page must know to load them."""
    version = hashlib.sha256(content).hexdigest()[:12]
    parts = [content[start : start + PART] for start in range(0, len(content), PART)]
    for number, part in enumerate(parts):
        text = base64.b64encode(part).decode("ascii")
        script = f'PageModels.arrived("{name}", {number}, "{text}");\n'
        (target / f"{name}-{number}.js").write_text(script, encoding="ascii")
    return {"version": version, "bytes": len(content), "parts": len(parts)}


def packed(files: dict[str, bytes]) -> bytes:
    """Files in a row, after a line of JSON with their names and lengths."""
    lengths = [[name, len(content)] for name, content in files.items()]
    return json.dumps(lengths).encode() + b"\n" + b"".join(files.values())


def examples(notebook: Path, figure: str) -> object:
    """The data of a figure to move, as its notebook stores it."""
    opening, closing = '<script type="application/json">', "</script>"
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", ()):
            text = "".join(output.get("data", {}).get("text/html", ()))
            if f'data-figure="{figure}"' in text:
                return json.loads(text.partition(opening)[2].partition(closing)[0])
    raise ValueError(f"{notebook} has no figure {figure}")


def write(app: Sphinx, exception: Exception | None) -> None:
    if exception or app.builder.format != "html":
        return
    root = Path(app.srcdir)
    target = Path(app.outdir) / "_static" / "model"
    compiled = next(file for file in COMPILED if (root / file).is_file())
    contents = {name: packed(files) for name, files in models().items()}
    contents["wasm"] = gzip.compress(
        gzip.decompress((root / compiled).read_bytes()), 9, mtime=0
    )
    manifest = {name: in_parts(name, content, target) for name, content in contents.items()}
    scripts = [(target / file).read_text(encoding="utf-8") for file in WORKER]
    data = {
        figure: examples(root / "chapters" / chapter, figure)
        for figure, chapter in FIGURES.items()
    }
    told = {"contents": manifest, "worker": "\n".join(scripts), "examples": data}
    (target / "manifest.js").write_text(
        f"PageModels.told({json.dumps(told)});\n", encoding="utf-8"
    )


WORKER = ("encoders.js", "worker.js")
# The figures whose data the landing page shows too, with the chapters that compute them.
FIGURES = {
    "model-that-embeds": "01_official_example.ipynb",
    "model-that-fills": "15_a_small_modernbert.ipynb",
}


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
