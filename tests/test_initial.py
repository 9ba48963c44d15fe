"""Initial weights: distributed as Transformers draws its own, tensor by tensor. The tests of a
family that it does not have say how that one draws them."""

import numpy as np
import pytest
import torch
import transformers

from reference.errors import InputError
from reference.families import ARCHITECTURES
from reference.families.initial import initial_tensors
from reference.families.reading import config_from_dict

SIZES = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 96,
}
SIZES |= {"vocab_size": 500, "pad_token_id": 1, "num_labels": 40}
SHARED = [name for name, kind in ARCHITECTURES.items() if kind.in_transformers]


def config_of(name: str, **settings):
    """A configuration of Transformers' and the same one of ours."""
    spelled = ARCHITECTURES[name].family.config.spelled
    settings = {spelled(key): value for key, value in (SIZES | settings).items()}
    theirs = getattr(transformers, name).config_class(**settings, architectures=[name])
    return theirs, config_from_dict(theirs.to_dict())


@pytest.mark.parametrize("name", SHARED)
@pytest.mark.parametrize("tied", [True, False])
def test_every_tensor_is_distributed_as_transformers_draws_it(name, tied):
    theirs, ours = config_of(name, tie_word_embeddings=tied)
    torch.manual_seed(0)
    model = getattr(transformers, name)(theirs)
    architecture = ARCHITECTURES[name]
    pooler = any(key.startswith("pooler.") for key, _ in model.named_parameters())
    tensors = initial_tensors(ours, architecture, seed=3, pooler=pooler)
    expected = {
        key: value.detach().numpy()
        for key, value in model.named_parameters(remove_duplicate=False)
    }
    assert set(expected) - set(tensors) == set(architecture.ties(ours))
    for key, value in tensors.items():
        right = expected[key]
        assert value.shape == right.shape and value.dtype == np.float32
        if right.std() == 0:
            np.testing.assert_array_equal(value, right)
            continue
        # The standard deviation of n normal numbers is known to 1 in sqrt(2 n): five of those
        # on both sides.
        assert abs(value.std() / right.std() - 1) < 10 / np.sqrt(2 * value.size), key
        assert abs(value.mean()) < 5 * right.std() / np.sqrt(value.size), key
        assert np.array_equal((value == 0).all(axis=1), (right == 0).all(axis=1)), (
            "the padding's row"
        )
        if np.isfinite(architecture.family.first_weight(key, ours)[1]):
            assert np.abs(value).max() <= np.abs(right).max() * 1.02, (
                "a truncated normal distribution"
            )


def test_a_seed_decides_and_a_tensor_does_not_depend_on_the_others():
    _, base = config_of("ModernBertModel")
    _, head = config_of("ModernBertForMaskedLM")
    one, same, other = (initial_tensors(base, seed=seed) for seed in (0, 0, 1))
    assert all(np.array_equal(one[key], same[key]) for key in one)
    assert not np.array_equal(one["layers.0.attn.Wo.weight"], other["layers.0.attn.Wo.weight"])
    assert not np.array_equal(one["layers.0.attn.Wo.weight"], one["layers.1.attn.Wo.weight"])
    assert set(initial_tensors(head)) == {f"model.{key}" for key in one} | {
        "head.dense.weight",
        "head.norm.weight",
        "decoder.bias",
    }


def test_a_seed_is_a_number():
    with pytest.raises(InputError, match="seed"):
        initial_tensors(config_of("BertModel")[1], seed=-1)
