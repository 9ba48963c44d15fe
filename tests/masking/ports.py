"""The three ports' mask_tokens over NumPy arrays, and ids to mask."""

import inspect

import mlx.core as mx
import numpy as np
import torch

import reference.candle.masking
import reference.mlx.masking
import reference.torch.masking

MASK = 4
VOCABULARY = 50


def masker(port: str, unchecked: bool = False):
    """A port's mask_tokens over NumPy arrays; unchecked: as a user has it, without the test
    run's shape checks."""
    rooms = {
        "torch": reference.torch.masking,
        "mlx": reference.mlx.masking,
        "candle": reference.candle.masking,
    }
    mask_tokens = (
        inspect.unwrap(rooms[port].mask_tokens) if unchecked else rooms[port].mask_tokens
    )
    own = {"torch": torch.from_numpy, "mlx": mx.array, "candle": np.asarray}[port]

    def mask(ids, special, draws, mask_token_id=MASK, fault=None, **options):
        if options.get("word_ids") is not None:
            options["word_ids"] = own(options["word_ids"])
        function = mask_tokens if fault is None else fault.around(mask_tokens)
        pair = function(own(ids), own(special), draws, mask_token_id, **options)
        return tuple(np.asarray(array) for array in pair)

    return mask


PORTS = {port: masker(port) for port in ("torch", "mlx", "candle")}


def batch(texts: int, tokens: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Ids with [CLS] and [SEP] about each text and padding behind some, and the mask of
    those."""
    generator = np.random.default_rng(seed)
    ids = generator.integers(5, VOCABULARY, size=(texts, tokens))
    special = np.zeros_like(ids)
    special[:, 0] = 1
    for row, length in enumerate(generator.integers(2, tokens + 1, size=texts)):
        special[row, length - 1 :] = 1
        ids[row, length:] = 0
    return ids, special
