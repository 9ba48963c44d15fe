"""Ports that cannot be used: each ends as an error that names the port and what is wrong."""

import sys

import numpy as np
import pytest
import torch

import reference
from reference.errors import InputError


class Panic(BaseException):
    """As PyO3 raises where Rust panics: no Exception."""


class UnspeakableError(Exception):
    def __str__(self):
        raise RuntimeError


def panic():
    raise Panic("index out of bounds")


def complain(text=None):
    raise ValueError(text) if text else UnspeakableError


@pytest.mark.parametrize(
    ("port", "message"),
    [
        (lambda *batch: 1 / 0, "the port raised ZeroDivisionError: division by zero"),
        (lambda ids: {}, "the port raised TypeError"),
        (lambda *batch: [1], "the port returned a list; it must return a dict"),
        (
            lambda *batch: {},
            "the port returned nothing; for this checkpoint it can return hidden_states, "
            "last_hidden_state, pooler_output, sentence_embedding, trace",
        ),
        (lambda *batch: sys.exit(0), r"the port called sys.exit\(0\) where it should return"),
        (lambda *batch: sys.exit("no model"), r"called sys.exit\('no model'\)"),
        (lambda *batch: panic(), "the port raised Panic: index out of bounds"),
        (
            lambda *batch: complain(),
            "the port raised UnspeakableError: an error that cannot be shown",
        ),
        (lambda *batch: complain("x" * 10_000), "the port raised ValueError: x{200} …$"),
        (
            lambda *batch: {"last_hidden_state": np.zeros((8, 70, 32), complex)},
            "last_hidden_state holds complex128",
        ),
        (
            lambda *batch: {"last_hidden_state": torch.zeros(1, requires_grad=True)},
            "last_hidden_state is no NumPy array: .*requires grad",
        ),
        (lambda *batch: {"trace": [1]}, "the port's trace is a list; it must be a dict"),
        (
            lambda *batch: {"trace": {"embeddings": np.zeros(2)}},
            r"the port's trace.embeddings has shape \(2,\); it must have \(8, 70, 32\)",
        ),
        (
            lambda ids, mask, types, labels: {"loss": np.zeros(1)},
            r"the port's loss has shape \(1,\); it must have \(\)",
        ),
        (
            lambda ids, mask, types, labels: {"gradients": {"pooler.dense.bias": 0.0}},
            r"the port's gradients.pooler.dense.bias has shape \(\); it must have \(32,\)",
        ),
        (
            lambda *batch: {"logits": np.zeros(1)},
            "the port returned logits; for this checkpoint it can return",
        ),
        (
            lambda *batch: {"last_hidden_state": np.zeros((2, 2))},
            r"last_hidden_state has shape \(2, 2\); it must have",
        ),
        (lambda *batch: {"last_hidden_state": "text"}, "last_hidden_state holds <U4"),
        (
            lambda *batch: {"last_hidden_state": [[1], [1, 2]]},
            "last_hidden_state is no NumPy array",
        ),
        (
            lambda *batch: {"hidden_states": [np.zeros(1)] * 3},
            "returned 3 hidden states; there are 4 of them",
        ),
        (lambda *batch: {"hidden_states": 7}, "hidden_states is a int; it must be a list"),
        ("not callable", "port is a str; it must be a callable"),
    ],
)
def test_odd_ports_are_explained(random_folder, port, message):
    with pytest.raises(InputError, match=message):
        reference.parity.compare(random_folder, backends=(), port=port)
