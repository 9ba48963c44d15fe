"""The small ModernBERT that comes with the package: it is what its recipe says, and it fills
gaps."""

import json

import numpy as np
import pytest
import transformers

import reference
from reference.backend import BACKENDS
from reference.checkpoint import SMALL_MODERNBERT, locate, read_checkpoint
from reference.errors import CheckpointError
from reference.parity import compare
from reference.training.recipe import Recipe

FILLED = {
    "Return a [MASK] of the given array.": "copy",
    "Return the number of [MASK] in the array.": "elements",
    "The mean and standard [MASK] of the samples.": "deviation",
    "Open the [MASK] and read its contents.": "file",  # the word behind the gap decides
    "An array of the same [MASK] as the input.": "shape",
}

backends = pytest.mark.parametrize("backend", BACKENDS)


@pytest.fixture(scope="module")
def folder():
    return locate(SMALL_MODERNBERT)


def test_it_is_small_and_beats_its_baselines(folder):
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 12 * 2**20
    facts = json.loads((folder / "recipe.json").read_text())
    model, bigram, unigram = (facts["scores"][name] for name in ("model", "bigram", "unigram"))
    assert model["loss"] < bigram["loss"] < unigram["loss"]
    assert model["accuracy"] > 2 * bigram["accuracy"] > 2 * unigram["accuracy"]
    assert model["words"] == bigram["words"] == unigram["words"] > 5000


def test_its_configuration_is_that_of_its_recipe(folder):
    recipe = Recipe(**json.loads((folder / "recipe.json").read_text())["recipe"])
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    assert read_checkpoint(folder).config == recipe.config(tokenizer.backend_tokenizer)


def test_the_default_recipe_is_the_one_it_was_made_with(folder):
    assert Recipe(**json.loads((folder / "recipe.json").read_text())["recipe"]) == Recipe()


@backends
def test_it_fills_gaps(backend):
    model = reference.load(SMALL_MODERNBERT, backend=backend)
    tokenizer = transformers.AutoTokenizer.from_pretrained(locate(SMALL_MODERNBERT))
    for text, answer in FILLED.items():
        ids = np.array(model.tokenizer([text]))
        scores = model.forward(ids)["logits"][0, ids[0].tolist().index(tokenizer.mask_token_id)]
        assert answer in [
            tokenizer.decode([piece]).strip() for piece in np.argsort(-scores)[:3]
        ]


def test_all_ports_pass():
    report = compare(SMALL_MODERNBERT)
    assert report.passed, report


def test_it_has_no_revisions():
    with pytest.raises(CheckpointError, match="leave revision out"):
        locate(SMALL_MODERNBERT, "main")
