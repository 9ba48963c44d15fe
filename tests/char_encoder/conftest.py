"""Sentences of a small language, and a preprocessor that has learned them."""

import pytest

from reference.char_encoder import MLMPreprocessor

NAMES = ("river", "stone", "window", "garden", "letter", "market")
COLOURS = ("red", "green", "blue", "white")
TEXTS = [f"The {name} is {colour}." for name in NAMES for colour in COLOURS]
TAGGED = [(text, [(4, text.index(" is"), "thing")]) for text in TEXTS]
LABELLED = [(text, text.split()[1]) for text in TEXTS]
SMALL = {"n_conv_filters": 16, "num_heads": 2, "hidden_dim": 24, "num_layers": 1}
FOUR = {"downsample_factor": 4, "n_strided_convs": 2, **SMALL}
THREE = {"downsample_factor": 3, "n_strided_convs": 1, "stride_len": 3, **SMALL}


@pytest.fixture(scope="session")
def preprocessor() -> MLMPreprocessor:
    return MLMPreprocessor(vocab_size=200, max_example_len=32).fit(TEXTS)
