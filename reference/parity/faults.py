"""Known port bugs, seeded on purpose: a parity suite that cannot fail proves nothing.

A fault is seeded in one of two ways. `alter` changes the configuration or the weights that a port is given, and so
works in all three. `patch` replaces a function of the port while its model is built and run; torch and MLX have the
same names, so one patch serves both, but compiled Rust cannot be patched.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np

from reference.backend import BACKENDS, build
from reference.checkpoint import EMBEDDED_MODEL, locate, read_checkpoint
from reference.config import BertConfig
from reference.errors import InputError
from reference.parity import random_checkpoint
from reference.parity.batch import make_batches
from reference.parity.divergence import first_divergence
from reference.parity.patches import PATCHES
from reference.parity.report import Divergence, Row
from reference.parity.subject import Subject

Tensors = dict[str, np.ndarray]
Alteration = Callable[[BertConfig, Tensors], tuple[BertConfig, Tensors]]


@dataclass(frozen=True)
class Fault:
    """One bug, the checkpoint that it shows on, and where it should show first."""

    name: str
    story: str
    architecture: str = "BertModel"  # of a random checkpoint; "" stands for all-MiniLM-L6-v2
    settings: dict[str, Any] = field(default_factory=dict)
    dtype: str = "float32"
    alter: Alteration | None = None
    shows_in: str = "hidden_states"  # the kind of tensor that fails first
    operation: str | None = None  # the operation that first_divergence should name

    @property
    def backends(self) -> tuple[str, ...]:
        """Where the fault can be seeded."""
        return BACKENDS if self.alter else ("torch", "mlx")


@dataclass(frozen=True)
class Finding:
    """What the gates said of a port with a fault in it."""

    fault: Fault
    backend: str
    rows: tuple[Row, ...]
    divergence: Divergence | None

    @property
    def caught(self) -> bool:
        return not all(row.passed for row in self.rows)

    @property
    def worst(self) -> Row:
        """The tensor that lies most noise floors off; infinitely many where it is NaN or has another shape."""
        return max(self.rows, key=lambda row: row.ratio)


def seed(fault: Fault, backend: str) -> Finding:
    """Build the backend's port with the fault in it, and hold it against the oracle."""
    return next(iter(measure([fault], backend)))


def measure(faults: Iterable[Fault] | None = None, backend: str = "torch") -> Iterator[Finding]:
    """Seed each fault in turn; None takes all that can be seeded in the backend."""
    if faults is None:
        faults = [fault for fault in FAULTS.values() if backend in fault.backends]
    with tempfile.TemporaryDirectory() as folder:
        subjects: dict[str, Subject] = {}
        for fault in faults:
            if backend not in fault.backends:
                raise InputError(f"{fault.name} can be seeded in {', '.join(fault.backends)}, not in {backend!r}")
            key = f"{fault.architecture} {fault.settings} {fault.dtype}"
            if key not in subjects:
                subjects[key] = _subject(fault, Path(folder) / str(len(subjects)))
            yield _hold(fault, backend, subjects[key])


def _subject(fault: Fault, folder: Path) -> Subject:
    """The fault's checkpoint on one batch: a bug that needs a second one to show would be a strange bug."""
    if fault.architecture:
        checkpoint = read_checkpoint(random_checkpoint(folder, fault.architecture, **fault.settings))
    else:
        checkpoint = read_checkpoint(locate(EMBEDDED_MODEL))
    return Subject(checkpoint, make_batches(checkpoint)[:1], fault.dtype, keep=True)


def _hold(fault: Fault, backend: str, subject: Subject) -> Finding:
    checkpoint = subject.checkpoint
    config, tensors = checkpoint.config, checkpoint.tensors
    if fault.alter:
        config, tensors = fault.alter(config, dict(tensors))
    with patched(fault, backend):
        model = build(backend, config, checkpoint.architecture.name, tensors, fault.dtype)
        rows = subject.measure({backend: lambda sample: sample.run(model)})[backend]
        divergence = first_divergence(rows, partial(subject.operations, backend, model))
    return Finding(fault, backend, tuple(rows), divergence)


@contextlib.contextmanager
def patched(fault: Fault, backend: str) -> Iterator[None]:
    """While it lasts the port has the fault; a fault that `alter` seeds leaves the port as it is."""
    if fault.alter:
        yield
        return
    port = Port(backend)
    with contextlib.ExitStack() as stack:
        for target, name, replacement in PATCHES[fault.name](port):
            if isinstance(target, dict):
                stack.enter_context(mock.patch.dict(target, {name: replacement}))
            else:
                stack.enter_context(mock.patch.object(target, name, replacement))
        yield


class Port:
    """The modules of a port that can be patched, and the names in which its framework differs."""

    def __init__(self, backend: str) -> None:
        self.backend = backend
        for room in ("attention", "bert", "heads", "layers", "losses", "pooling", "port"):
            setattr(self, room, importlib.import_module(f"reference.{backend}.{room}"))
        self.xp: ModuleType = importlib.import_module("torch" if backend == "torch" else "mlx.core")
        self.call = "forward" if backend == "torch" else "__call__"
        self.model = self.port.TorchModel if backend == "torch" else self.port.MLXModel

    def detach(self, x: Any) -> Any:
        return x.detach() if self.backend == "torch" else self.xp.stop_gradient(x)


def _with(**changes: Any) -> Alteration:
    return lambda config, tensors: (dataclasses.replace(config, **changes), tensors)


def _untied(config: BertConfig, tensors: Tensors) -> tuple[BertConfig, Tensors]:
    """The decoder keeps what it was initialised with, as where a port forgets to tie it."""
    words = tensors["bert.embeddings.word_embeddings.weight"]
    weight = np.random.default_rng(0).normal(0, config.initializer_range, words.shape).astype(words.dtype)
    decoder = {"weight": weight, "bias": tensors["cls.predictions.bias"]}
    tensors |= {f"cls.predictions.decoder.{name}": value for name, value in decoder.items()}
    return dataclasses.replace(config, tie_word_embeddings=False), tensors


def _faults() -> Iterator[Fault]:
    intermediate = "encoder.layer.0.intermediate"
    attention = "encoder.layer.0.attention.self"
    yield Fault("tanh_gelu", "the tanh approximation where the checkpoint means erf", "", operation=intermediate)
    yield Fault(
        "config_gelu_new", "hidden_act read as gelu_new", "", alter=_with(hidden_act="gelu_new"), operation=intermediate
    )
    yield Fault(
        "hard_coded_activation", "a silu checkpoint loads and runs with gelu",
        settings={"hidden_act": "silu"}, operation=intermediate,
    )  # fmt: skip
    yield Fault(
        "mask_dropped", "the padding mask is lost on the way: batches attend to padding", "", operation=attention
    )
    yield Fault("softmax_scale", "scores divided by the root of hidden, not of head_dim", "", operation=attention)
    yield Fault("head_count", "twelve heads taken for six", "", alter=_with(num_attention_heads=6), operation=attention)
    yield Fault(
        "epsilon_outside_the_root", "sqrt(variance) + eps in place of sqrt(variance + eps)",
        settings={"layer_norm_eps": 1e-3}, operation="embeddings",
    )  # fmt: skip
    yield Fault(
        "default_epsilon", "the framework's default eps, 1e-5, for the checkpoint's 1e-12", "",
        alter=_with(layer_norm_eps=1e-5), operation="embeddings",
    )  # fmt: skip
    yield Fault(
        "residual_after_the_norm", "the residual is added to what the norm returned", operation="encoder.layer.0.output"
    )
    yield Fault("token_types_ignored", "every token is of type 0", operation="embeddings")
    yield Fault(
        "positions_from_zero", "XLM-RoBERTa counted from 0, and not from the pad id on", "XLMRobertaModel",
        {"pad_token_id": 1}, operation="embeddings",
    )  # fmt: skip
    yield Fault(
        "mask_by_multiplying", "(1 - mask) times minus infinity: zero times infinity is NaN", operation=attention
    )
    yield Fault(
        "mask_overflow", "-1e9 for a masked score becomes minus infinity in float16, and NaN", dtype="float16",
        operation=attention,
    )  # fmt: skip
    yield Fault("packed_texts_leak", "attention across the bounds of packed texts", "", shows_in="packed hidden states")
    yield Fault(
        "packed_positions_run_on", "positions do not start again in a packed row",
        settings={"max_position_embeddings": 512}, shows_in="packed hidden states",
    )  # fmt: skip
    yield Fault("cls_from_the_wrong_axis", "hidden[0] in place of hidden[:, 0]", shows_in="pooler output")
    yield Fault("pooler_without_tanh", "the pooler's dense layer alone", shows_in="pooler output", operation="pooler")
    yield Fault(
        "untied_decoder", "the decoder keeps its initial weights", "BertForMaskedLM", alter=_untied, shows_in="logits",
        operation="cls.predictions.decoder",
    )  # fmt: skip
    yield Fault(
        "softmax_for_logits",
        "probabilities where logits were promised",
        "BertForTokenClassification",
        shows_in="logits",
    )
    yield Fault(
        "ignored_labels_counted", "labels of -100 taken for class 0", "BertForTokenClassification", shows_in="loss"
    )
    yield Fault(
        "mean_over_all_labels", "the sum over kept labels divided by all", "BertForTokenClassification", shows_in="loss"
    )
    yield Fault("gradient_cut", "a fused operation without a backward", "", shows_in="gradients")
    yield Fault("pads_inside_the_mean", "the mean over padding too", "", shows_in="sentence embedding")
    yield Fault("pooling_config_ignored", "cls pooling whatever 1_Pooling says", "", shows_in="sentence embedding")
    yield Fault("normalize_squared", "vectors divided by their squared length", "", shows_in="sentence embedding")


FAULTS: dict[str, Fault] = {fault.name: fault for fault in _faults()}
