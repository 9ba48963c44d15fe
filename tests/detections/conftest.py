"""Small models for chosen positions, with a tokenizer."""

import pytest

import reference
from reference.checkpoint import SMALL_MODERNBERT


@pytest.fixture(scope="session")
def detector(tmp_path_factory):
    """A function from settings to the folder of a model with the small ModernBERT's
    vocabulary."""
    made = {}

    def make(architecture="ModernBertForMaskedSequence", **config):
        key = (architecture, repr(sorted(config.items())))
        if key not in made:
            made[key] = reference.parity.random_checkpoint(
                tmp_path_factory.mktemp("detector"),
                architecture,
                tokenizer=SMALL_MODERNBERT,
                **config,
            )
        return made[key]

    return make
