"""What may come of a case, and what may not.

Right is a result, or an error of the package's own. Wrong is any other exception, a message
that nobody would read, ports that disagree, and a result that differs from what Transformers or
sentence-transformers make of the same folder. What brings the process down, hangs it or takes
much memory is seen from outside (workers.py).
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from traceback import extract_tb
from typing import Any

import numpy as np

import reference
from reference.backend import BACKENDS
from reference.errors import EncodersError
from tests.fuzz.edits import Edit, apply_edits
from tests.fuzz.oracles import Truth, fixed_batch, sentence_vectors, transformers_outputs

LONGEST_MESSAGE = 2000
ROOT = Path(reference.__file__).parent.parent
TEXTS = [
    "the cat sat",
    "",
    "Über café Cafe 12 apples ran!",
    "你好 the\tCat \u200b unknown " * 5,
    "aab",
]
PORTS_AGREE = 1e-3  # of the largest value: float32 over a few layers, however conditioned


@dataclass
class Refused:
    """An error of the package's own: the answer that damage deserves."""

    message: str = field(compare=False)


def judge_folder(folder: Path, edits: list[Edit], pipeline: str | None) -> list[str]:
    """Load a damaged folder in every port, run it, and hold it against the libraries that
    defined it."""
    apply_edits(folder, edits)
    complaints: list[str] = []
    results = {
        backend: attempt(
            complaints, lambda name=backend: use(folder, name, pipeline, complaints)
        )
        for backend in BACKENDS
    }
    complaints = list(dict.fromkeys(complaints)) + refusals(results)
    found = results["torch"]
    if complaints or not isinstance(found, dict) or _has_special_files(folder):
        return complaints
    truth = transformers_outputs(folder, pipeline)
    if not all(map(_finite, results.values())):
        return []
    if truth is None:
        return disagreements(results)
    if not truth.steady:  # float32 overflows, or close to it
        return []
    for backend, outputs in results.items():
        complaints += against_transformers(backend, outputs, truth)
    complaints += disagreements({name: _vectors(outputs) for name, outputs in results.items()})
    if isinstance(found.get("vectors"), np.ndarray):
        complaints += against_sentence_transformers(found, sentence_vectors(folder, TEXTS))
    return complaints


def use(
    folder: Path, backend: str, pipeline: str | None, complaints: list[str]
) -> dict[str, Any]:
    """What a model computes from fixed ids, and what it makes of fixed texts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = reference.load(folder, backend=backend, pipeline=pipeline)
        outputs = model.forward(**fixed_batch(model.config, model.checkpoint.architecture))
        if hasattr(model, "encode"):
            outputs["vectors"] = attempt(complaints, lambda: model.encode(TEXTS))
        for name in ("classify", "tag"):
            if hasattr(model, name):
                attempt(complaints, lambda name=name: getattr(model, name)(TEXTS))
        if hasattr(model, "fill"):
            attempt(complaints, lambda: model.fill(f"a {model.tokenizer.mask_token} b"))
        if hasattr(model, "predict"):
            attempt(complaints, lambda: model.predict("the [[cat]] [[sat]]"))
        return outputs


def attempt(complaints: list[str], run: Callable[[], Any]) -> Any:
    """The result, Refused in place of the package's own error, or None and a complaint."""
    try:
        return run()
    except EncodersError as error:
        if len(str(error)) > LONGEST_MESSAGE:
            size = f"a message of {len(str(error))} characters"
            complaints.append(f"{size} at {_place(error)}: {error!s:.200}")
        if "internal error" in str(error):  # a panic that the bindings caught
            complaints.append(f"{error!s:.200}")
        return Refused(str(error))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a panic in Rust is no Exception
        complaints.append(f"{type(error).__name__} at {_place(error)}: {error!s:.200}")
        return None


def refusals(results: dict[str, Any]) -> list[str]:
    """Ports that refuse what others take."""
    refused = {name: found for name, found in results.items() if isinstance(found, Refused)}
    taken = [
        name for name, found in results.items() if found is not None and name not in refused
    ]
    if not refused or not taken:
        return []
    name, error = next(iter(refused.items()))
    return [f"{name} refuses what {' and '.join(taken)} takes: {error.message:.200}"]


def disagreements(results: dict[str, Any]) -> list[str]:
    """Ports that compute something else than the first."""
    (first, truth), *others = results.items()
    return [
        f"{other} and {first} disagree on {trouble}"
        for other, found in others
        for trouble in differences(found, truth)
    ]


def differences(found: Any, truth: Any, share: float = PORTS_AGREE) -> list[str]:
    """Where two results are not alike, NaN being like NaN."""
    if isinstance(truth, Refused) or isinstance(found, Refused):
        return [] if type(found) is type(truth) else ["being refused"]
    if isinstance(truth, dict):
        if found.keys() != truth.keys():
            return [f"keys: {sorted(found)} and {sorted(truth)}"]
        return [
            f"{key}: {trouble}"
            for key in truth
            for trouble in differences(found[key], truth[key])
        ]
    if isinstance(truth, np.ndarray) and truth.dtype.kind == "f":
        if np.shape(found) != truth.shape:
            return [f"shape {found.shape} and {truth.shape}"]
        scale = np.abs(truth[np.isfinite(truth)]).max(initial=1e-30)
        if np.allclose(found, truth, rtol=0, atol=share * scale, equal_nan=True):
            return []
        return [f"values: {np.abs(found - truth).max():.3g} off, of {scale:.3g}"]
    if isinstance(truth, (list, tuple)):
        if len(found) != len(truth):
            return [f"length {len(found)} and {len(truth)}"]
        return [
            f"[{number}]: {trouble}"
            for number, pair in enumerate(zip(found, truth, strict=True))
            for trouble in differences(*pair)
        ]
    return [] if found == truth else [f"{found!r:.80} and {truth!r:.80}"]


def against_transformers(backend: str, found: dict[str, Any], truth: Truth) -> list[str]:
    return [
        f"Transformers gives another {name} than {backend}: {trouble}"
        for name, array in truth.arrays.items()
        if name in found
        for trouble in beyond(_real(name, found[name]), _real(name, array), truth.off[name])
    ]


def against_sentence_transformers(found: dict[str, Any], truth: np.ndarray | None) -> list[str]:
    if truth is None or not np.isfinite(truth).all():
        return []
    return [
        f"sentence-transformers gives other vectors: {trouble}"
        for trouble in differences(found["vectors"], truth)
    ]


def beyond(found: np.ndarray, truth: np.ndarray, tolerance: float) -> list[str]:
    if found.shape != truth.shape:
        return [f"shape {found.shape} and {truth.shape}"]
    worst = np.abs(found - truth).max()
    return [] if worst <= tolerance else [f"{worst:.3g} off, {tolerance:.3g} would be rounding"]


def _real(name: str, array: np.ndarray) -> np.ndarray:
    """What stands at padded positions means nothing."""
    by_token = array.shape[:2] == (2, 6)
    return np.concatenate([array[0], array[1, :3]]) if by_token else array


def _place(error: BaseException) -> str:
    """The package's innermost line, without a number: lines move."""
    frames = [frame for frame in extract_tb(error.__traceback__) if _is_ours(frame.filename)]
    if not frames:
        return "?"
    return f"{Path(frames[-1].filename).relative_to(ROOT)} {frames[-1].name}"


def _is_ours(file: str) -> bool:
    return file.startswith(f"{ROOT}/reference/")


def _finite(outputs: dict[str, Any]) -> bool:
    """Where float32 overflows, ports may differ in how."""
    arrays = [value for value in outputs.values() if isinstance(value, np.ndarray)]
    overflows = "NaN or infinity" in getattr(outputs.get("vectors"), "message", "")
    return not overflows and all(np.isfinite(array).all() for array in arrays)


def _vectors(outputs: dict[str, Any]) -> Any:
    return outputs.get("vectors")


def _has_special_files(folder: Path) -> bool:
    return any(path.is_symlink() or path.is_fifo() for path in folder.rglob("*"))
