"""A tokenizer of each kind, trained once."""

import pytest

from reference.training import train_tokenizer
from tests.training.tokenizer.text import SENTENCES, SIZES


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Each kind's folder, and the tokenizer that training returned."""
    made = {}
    for kind, size in SIZES.items():
        folder = tmp_path_factory.mktemp("trained") / kind
        made[kind] = folder, train_tokenizer(SENTENCES, folder, kind=kind, vocab_size=size)
    return made
