"""ModernBERT's configuration: both spellings, its defaults, and what raises."""

import dataclasses
import tracemalloc

import pytest
import transformers
from hypothesis import given
from hypothesis import strategies as st

from reference.errors import ConfigError
from reference.families.reading import config_from_dict

GOOD = {
    "model_type": "modernbert",
    "hidden_size": 16,
    "num_attention_heads": 4,
    "num_hidden_layers": 4,
}

# As the hub's checkpoints have it, written by Transformers 4.
OLD = GOOD | {
    "architectures": ["ModernBertForMaskedLM"],
    "global_attn_every_n_layers": 2,
    "global_rope_theta": 160000.0,
    "local_rope_theta": 20000.0,
    "local_attention": 64,
    "layer_norm_eps": 1e-05,
    "norm_eps": 1e-06,
    "position_embedding_type": "absolute",
    "deterministic_flash_attn": False,
    "reference_compile": None,
    "repad_logits_with_grad": False,
    "gradient_checkpointing": False,
    "sep_token_id": 50282,
    "cls_token_id": 50281,
    "torch_dtype": "float32",
    "transformers_version": "4.48.0",
}


def theirs(values: dict) -> transformers.ModernBertConfig:
    return transformers.ModernBertConfig(
        **{key: value for key, value in values.items() if key != "model_type"}
    )


@pytest.mark.filterwarnings("error")
def test_the_old_spelling_is_the_new_one():
    old = config_from_dict(OLD)
    new = GOOD | {
        "architectures": ["ModernBertForMaskedLM"],
        "local_attention": 64,
        "norm_eps": 1e-06,
        "layer_types": ["full_attention", "sliding_attention"] * 2,
        "rope_parameters": {
            "full_attention": {"rope_type": "default", "rope_theta": 160000.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 20000.0},
        },
    }
    assert old == config_from_dict(new)
    assert old.windows == {"full_attention": None, "sliding_attention": 32}


@given(
    every=st.none() | st.integers(1, 6),
    layers=st.integers(1, 9),
    thetas=st.tuples(st.none() | st.floats(1, 1e6), st.none() | st.floats(1, 1e6)),
    nested=st.none()
    | st.dictionaries(
        st.sampled_from(["full_attention", "sliding_attention"]), st.floats(1, 1e6)
    ),
    windows=st.dictionaries(
        st.sampled_from(["local_attention", "sliding_window"]), st.integers(1, 64)
    ),
)
def test_any_mixture_of_spellings_is_read_as_transformers_reads_it(
    every, layers, thetas, nested, windows
):
    values = GOOD | windows | {"num_hidden_layers": layers}
    values |= {} if every is None else {"global_attn_every_n_layers": every}
    names = ("global_rope_theta", "local_rope_theta")
    values |= {
        name: theta for name, theta in zip(names, thetas, strict=True) if theta is not None
    }
    if nested is not None:
        values["rope_parameters"] = {
            kind: {"rope_type": "default", "rope_theta": theta}
            for kind, theta in nested.items()
        }
    expected = theirs(
        {
            key: dict(value) if isinstance(value, dict) else value
            for key, value in values.items()
        }
    )
    found = config_from_dict(values)
    assert list(found.layer_types) == list(expected.layer_types)
    assert found.local_attention == expected.local_attention
    assert found.rope_thetas == {
        kind: given["rope_theta"] for kind, given in expected.rope_parameters.items()
    }


def test_what_is_written_reads_back_here_and_there():
    config = dataclasses.replace(
        config_from_dict(OLD), classifier_pooling="mean", mlp_bias=True
    )
    assert config_from_dict(config.to_dict()) == config
    back = theirs(config.to_dict())
    assert (
        back.rope_parameters == config.rope_parameters
        and tuple(back.layer_types) == config.layer_types
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_activation": "swiglu"}, "hidden_activation is 'swiglu'"),
        ({"classifier_activation": None}, "classifier_activation is None"),
        ({"classifier_pooling": "max"}, "classifier_pooling is 'max'"),
        ({"layer_types": ["full_attention"] * 3}, "layer_types names 3 layers"),
        ({"layer_types": ["full_attention"] * 3 + ["causal"]}, "layer_types is 'causal'"),
        ({"layer_types": "full_attention"}, "layer_types is 'full_attention'"),
        ({"sliding_window": 0}, "sliding_window is 0"),
        ({"sliding_window": None}, "sliding_window is None"),
        ({"global_attn_every_n_layers": 0}, "global_attn_every_n_layers is 0"),
        ({"rope_parameters": {"full_attention": {"rope_type": "yarn"}}}, "rope_type is 'yarn'"),
        ({"rope_parameters": {"full_attention": {"factor": 2.0}}}, "'factor'"),
        ({"rope_parameters": {"rope_theta": 1.0}}, "'rope_theta'"),
        ({"rope_parameters": [1]}, "rope_parameters is"),
        ({"rope_parameters": {"full_attention": 3}}, "rope_parameters.full_attention is 3"),
        ({"rope_scaling": {"rope_type": "linear", "factor": 2}}, "rope_scaling"),
        ({"global_rope_theta": 0}, "rope_theta is 0"),
        ({"local_attention": 0}, "local_attention is 0"),
        ({"local_attention": [64, 64]}, "local_attention is"),
        ({"head_dim": 8}, "head_dim is 8"),
        ({"hidden_size": 20, "num_attention_heads": 4}, "is 5; RoPE turns pairs"),
        ({"norm_bias": "no"}, "norm_bias is 'no'"),
        ({"norm_eps": -1}, "norm_eps is -1"),
        ({"mlp_dropout": 2}, "mlp_dropout is 2"),
        ({"sparse_prediction": 1}, "sparse_prediction is 1"),
        ({"pad_token_id": 50368}, "outside the vocabulary"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers is 1000000000"),
    ],
)
def test_what_no_port_implements_raises(change, message):
    with pytest.raises(ConfigError, match=message):
        config_from_dict(GOOD | change)


def test_too_many_layers_are_refused_before_they_are_listed():
    tracemalloc.start()
    try:
        with pytest.raises(ConfigError, match="num_hidden_layers is 10000000"):
            config_from_dict(GOOD | {"num_hidden_layers": 10**7})
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_keys_that_nobody_reads_are_named():
    with pytest.warns(UserWarning, match="ModernBert does not read either: flux"):
        config_from_dict(GOOD | {"flux": 1})
