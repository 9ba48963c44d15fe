"""Random tiny models and batches, drawn alike for all ports."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from reference.architectures import ARCHITECTURES
from reference.config import ACTIVATIONS, PROBLEM_TYPES, BertConfig
from reference.parity.batch import Batch, batch_of


@st.composite
def models(draw: st.DrawFn) -> dict[str, Any]:
    """Arguments of random_checkpoint. No fewer than 16 features: in a norm over fewer a token's variance may be next to
    nothing, its rounding errors then outgrow all others, and which float32 is closer to the truth is luck."""
    architecture = draw(st.sampled_from(sorted(ARCHITECTURES)))
    heads, head_dim = draw(
        st.sampled_from([(1, 16), (1, 40), (2, 8), (2, 17), (3, 8), (4, 4), (4, 16), (6, 3), (8, 8), (24, 1)])
    )
    model = {
        "architecture": architecture,
        "seed": draw(st.integers(0, 1000)),
        "vocab_size": draw(st.sampled_from([6, 31, 300])),
        "hidden_size": heads * head_dim,
        "num_attention_heads": heads,
        "num_hidden_layers": draw(st.integers(1, 4)),
        "intermediate_size": draw(st.sampled_from([8, 33, 96])),
        "hidden_act": draw(st.sampled_from(ACTIVATIONS)),
        "max_position_embeddings": draw(st.sampled_from([76, 130])),
        "type_vocab_size": draw(st.integers(1, 3)),
        "layer_norm_eps": draw(st.sampled_from([1e-12, 1e-5])),
        "num_labels": draw(st.integers(1, 5)),
    }
    if "ForMaskedLM" in architecture:
        model["tie_word_embeddings"] = draw(st.booleans())
    if "ForSequenceClassification" in architecture:
        model["problem_type"] = draw(st.sampled_from([None, *PROBLEM_TYPES]))
    if architecture.endswith("Model"):
        model["pooling"] = draw(st.sampled_from([None, "cls", "max", "mean"]))
        model["normalize"] = model["pooling"] is not None and draw(st.booleans())
    pads = [0, 3, None] if architecture.startswith("Bert") else [0, 1, 4]
    return model | {"pad_token_id": draw(st.sampled_from(pads))}


@st.composite
def shapes(draw: st.DrawFn) -> dict[str, Any]:
    """Lengths of texts, the sides that are padded in turn, and whether a few tokens inside the texts are masked."""
    return {
        "lengths": draw(st.lists(st.integers(1, 70), min_size=1, max_size=6)),
        "sides": draw(st.sampled_from(["r", "l", "rl"])),
        "holes": draw(st.booleans()),
    }


def make_batch(config: BertConfig, lengths: list[int], sides: str, holes: bool, seed: int) -> Batch:
    """Random words; the pad id may be one of them, as in a text that contains it."""
    generator = np.random.default_rng(seed)
    sequences = [generator.integers(config.vocab_size, size=min(length, config.max_tokens)) for length in lengths]
    batch = batch_of(config, sequences, sides)
    if holes:
        last = batch.attention_mask.cumsum(axis=1) == batch.attention_mask.sum(axis=1, keepdims=True)
        batch.attention_mask[(generator.random(last.shape) < 0.1) & ~last] = 0
    return batch
