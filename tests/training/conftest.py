"""Sentences of a small language, and tokenizers that were trained on it."""

import numpy as np
import pytest

from reference.training import train_tokenizer

NAMES = ["river", "stone", "window", "garden", "letter", "market"]
COLOURS = ["red", "green", "blue", "white"]
# Sizes for each family that is trained here, and the tokenizer that goes with it.
SMALL = {
    "rope_encoder": {"num_layers": 1, "embedding_dim": 16, "hidden_dim": 24, "num_heads": 2},
    "bert": {
        "num_hidden_layers": 1,
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_attention_heads": 2,
    },
    "modernbert": {
        "num_hidden_layers": 2,
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_attention_heads": 2,
    },
}
KINDS = {"rope_encoder": "unigram", "bert": "wordpiece", "modernbert": "byte-bpe"}
SIZES = {"unigram": 47, "wordpiece": 70, "byte-bpe": 290}


def sentences(number, seed=0):
    """The last word is the first one again."""
    generator = np.random.default_rng(seed)
    picks = zip(generator.choice(NAMES, number), generator.choice(COLOURS, number), strict=True)
    return [f"The {name} that is {colour} is a {name}." for name, colour in picks]


@pytest.fixture(scope="session")
def tokenizers(tmp_path_factory):
    """The folder of a tokenizer for each family."""
    folder = tmp_path_factory.mktemp("tokenizers")
    for family, kind in KINDS.items():
        texts = [f"{text} {n}" for n, text in enumerate(sentences(120))]
        train_tokenizer(texts, folder / family, kind=kind, vocab_size=SIZES[kind])
    return {family: folder / family for family in KINDS}
