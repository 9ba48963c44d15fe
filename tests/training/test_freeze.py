"""What is frozen stays as it is, in all three backends, and the rest learns."""

import numpy as np
import pytest

from reference.backend import BACKENDS, learner
from reference.checkpoint import read_checkpoint
from reference.errors import InputError
from reference.learning import AdamW, take_step
from reference.parity import random_checkpoint
from reference.parity.trajectory import random_groups
from reference.training import fit
from reference.training.fitting import prepare
from tests.training.conftest import SMALL, sentences

TEXTS = [f"{text} {n}" for n, text in enumerate(sentences(40))]
EMBEDDINGS = "model.embeddings.word_embeddings.weight"


def begin(tokenizers, **changes):
    how = {"family": "rope_encoder", "tokenizer": tokenizers["rope_encoder"], "epochs": 1}
    sizes = SMALL["rope_encoder"] | {"context_window": 40}
    return how | {"model_config": sizes, "batch_size": 8} | changes


@pytest.mark.parametrize("backend", BACKENDS)
def test_frozen_modules_stay(tokenizers, tmp_path, backend):
    frozen = ["model.layers.0.attention", EMBEDDINGS]
    start = begin(tokenizers, backend=backend, freeze=frozen)
    before = prepare(TEXTS, **start).learner().model.state()
    after = fit(TEXTS, tmp_path / "model", **start)._model.state()
    for key, tensor in before.items():
        still = key == EMBEDDINGS or key.startswith("model.layers.0.attention.")
        if key == "model.log_temperature":  # which this objective does not use
            continue
        assert np.array_equal(after[key], tensor) == still, key


def test_a_step_is_that_of_the_others(tmp_path):
    """Their gradients are what they are without freezing, alike in the three ports."""
    checkpoint = read_checkpoint(random_checkpoint(tmp_path, "BertForMaskedLM"))
    parts = (checkpoint.config, checkpoint.architecture, checkpoint.tensors)
    (group,) = random_groups(checkpoint, 1)
    still = [key for key in checkpoint.tensors if "attention" in key]
    found = {}
    for backend in BACKENDS:
        free = learner(backend, *parts, AdamW(), "float64")
        frozen = learner(backend, *parts, AdamW(), "float64", frozen=still)
        for subject in (free, frozen):
            take_step(subject, group, 1e-3)
        found[backend] = frozen.model.state()
        assert not any(name.partition(".")[2] in still for name in frozen.moments())
        for key, tensor in free.model.state().items():
            expected = checkpoint.tensors[key] if key in still else tensor
            np.testing.assert_allclose(found[backend][key], expected, atol=1e-12)


@pytest.mark.parametrize(
    ("freeze", "message"),
    [
        (["model.layer"], r"freeze names 'model.layer', and the model has no such module"),
        (["model.layers.0", "head"], "freeze names 'head'"),
        (["model", "decoder"], "freeze names all of the model"),
        ([3], r"freeze is \[3\]; it must be a list of names"),
        (7, "freeze is 7; it must be a list of names"),
    ],
)
def test_what_cannot_be_frozen_is_told(tokenizers, tmp_path, freeze, message):
    with pytest.raises(InputError, match=message):
        fit(TEXTS, tmp_path / "model", **begin(tokenizers, freeze=freeze))


def test_names_may_stand_in_one_string(tokenizers):
    run = prepare(TEXTS, **begin(tokenizers, freeze="model.embeddings, decoder"))
    assert run.settings.freeze == ("model.embeddings", "decoder")
