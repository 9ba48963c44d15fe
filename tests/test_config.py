"""Reading config.json: what is accepted, what raises, and that nothing that matters is
ignored."""

import json

import numpy as np
import pytest
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

import reference
from reference.errors import CheckpointError, ConfigError, EncodersError
from reference.families import ACTIVATIONS, ARCHITECTURES, BY_MODEL_TYPE
from reference.families.bert import BertConfig
from reference.families.reading import config_from_dict, read_config

GOOD = {"model_type": "bert", "hidden_size": 16, "num_attention_heads": 4, "vocab_size": 40}


@pytest.mark.parametrize(
    "model_type", [name for name, family in BY_MODEL_TYPE.items() if family.in_transformers]
)
def test_defaults_are_those_of_transformers(model_type):
    theirs = transformers.AutoConfig.for_model(model_type)
    ours = config_from_dict({"model_type": model_type}).to_dict()
    for key, value in ours.items():
        if key not in ("architectures", "id2label", "label2id"):
            assert value == getattr(theirs, key), key


def test_what_is_written_reads_back():
    config = config_from_dict(
        GOOD | {"id2label": {"1": "b", "0": "a"}, "architectures": ["BertModel"]}
    )
    assert config_from_dict(config.to_dict()) == config
    assert (
        config.id2label == {0: "a", 1: "b"}
        and config.label2id == {"a": 0, "b": 1}
        and config.num_labels == 2
    )
    assert transformers.BertConfig(**config.to_dict()).id2label == {0: "a", 1: "b"}


def test_a_whole_number_may_stand_for_a_fraction(tmp_path, backend):
    """10**30 is one that JSON writes without a point and no framework's integer holds."""
    from reference.parity import random_checkpoint

    huge = {"layer_norm_eps": 10**30}
    assert config_from_dict(GOOD | huge).layer_norm_eps == 1e30
    rope = {"rope_parameters": {"full_attention": {"rope_theta": 10**30}}}
    for name, change in (("BertModel", huge), ("ModernBertModel", rope)):
        folder = random_checkpoint(tmp_path / name, name)
        values = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(values | change))
        hidden = reference.load(folder, backend=backend).forward([[5, 6, 7]])
        assert np.isfinite(hidden["last_hidden_state"]).all()


def test_num_labels_stands_for_names():
    assert config_from_dict(GOOD | {"num_labels": 3}).id2label == {
        0: "LABEL_0",
        1: "LABEL_1",
        2: "LABEL_2",
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "gpt2"}, "model_type is 'gpt2'"),
        ({"model_type": None}, "model_type is None"),
        ({"model_type": ["bert"]}, "model_type"),
        (
            {"position_embedding_type": "relative_key"},
            "position_embedding_type is 'relative_key'",
        ),
        ({"is_decoder": True}, "is_decoder is True"),
        ({"add_cross_attention": True}, "add_cross_attention"),
        ({"pruned_heads": {"0": [1]}}, "pruned_heads"),
        ({"quantization_config": {"bits": 4}}, "quantization_config"),
        ({"hidden_act": "swiglu"}, "hidden_act is 'swiglu'"),
        ({"hidden_act": 3}, "hidden_act is 3"),
        ({"hidden_size": 15}, "not a multiple of num_attention_heads"),
        ({"hidden_size": 16.0}, "hidden_size is 16.0"),
        ({"hidden_size": "16"}, "hidden_size is '16'"),
        ({"vocab_size": 0}, "vocab_size is 0"),
        ({"vocab_size": 2**40}, "no encoder is that large"),
        ({"num_hidden_layers": True}, "num_hidden_layers is True"),
        ({"num_hidden_layers": 1_000_000}, "no encoder has more than 1000"),
        ({"num_attention_heads": 10**400}, "no encoder is that large"),
        ({"layer_norm_eps": 10**400}, "layer_norm_eps is 10.*must be a finite number"),
        ({"initializer_range": 10**309}, "initializer_range is 10.*must be a finite number"),
        (
            {"hidden_dropout_prob": 10**400},
            "hidden_dropout_prob is 10.*must be a finite number",
        ),
        ({"hidden_dropout_prob": None}, "hidden_dropout_prob is None"),
        ({"attention_probs_dropout_prob": None}, "attention_probs_dropout_prob is None"),
        ({"bos_token_id": "x"}, "bos_token_id is 'x'"),
        ({"eos_token_id": [1, 2]}, r"eos_token_id is \[1, 2\]"),
        ({"layer_norm_eps": 0}, "layer_norm_eps is 0"),
        ({"layer_norm_eps": float("nan")}, "layer_norm_eps is nan"),
        ({"hidden_dropout_prob": 1.5}, "hidden_dropout_prob is 1.5"),
        ({"pad_token_id": 40}, "outside the vocabulary"),
        ({"tie_word_embeddings": 1}, "tie_word_embeddings is 1"),
        ({"problem_type": "ranking"}, "problem_type is 'ranking'"),
        ({"id2label": {"0": "a", "2": "b"}}, "must number its labels 0 to 1"),
        ({"id2label": {"x": "a"}}, "must be whole numbers"),
        ({"id2label": {"0": "a", "00": "b"}}, "gives a number twice"),
        ({"id2label": {"0": [5]}}, "values must be strings"),
        ({"id2label": []}, "id2label"),
        ({"id2label": {"0": "a"}, "num_labels": 2}, "num_labels is 2 but"),
        ({"num_labels": 10**12}, "num_labels"),
        ({"architectures": "BertModel"}, "architectures"),
        ({"architectures": ["BertModel", "BertForMaskedLM"]}, "BertModel and BertForMaskedLM"),
        ({"model_type": "xlm-roberta", "pad_token_id": None}, "counts positions"),
        (
            {"model_type": "xlm-roberta", "max_position_embeddings": 2},
            "no position for a token",
        ),
    ],
)
def test_what_no_port_implements_raises(change, message):
    with pytest.raises(ConfigError, match=message):
        config_from_dict(GOOD | change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": ["bert"]}, "model_type"),
        ({"hidden_act": ["gelu"]}, "hidden_act"),
        ({"problem_type": ["regression"]}, "problem_type"),
        ({"id2label": {5: "a"}}, "must number its labels 0 to 0"),
        ({"id2label": {0: 1}}, "must be strings"),
        ({"id2label": None}, "id2label"),
        ({"architectures": "BertModel"}, "architectures"),
    ],
)
def test_a_config_made_by_hand_is_checked_too(change, message):
    with pytest.raises(ConfigError, match=message):
        BertConfig(**change)


@pytest.mark.parametrize("values", [None, [], "bert", {1: 2}])
def test_a_config_from_something_else(values):
    with pytest.raises(ConfigError):
        config_from_dict(values)


def test_unknown_keys_warn_and_known_ones_do_not():
    with pytest.warns(UserWarning, match="favourite_colour"):
        config_from_dict(GOOD | {"favourite_colour": "green"})


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "name", [name for name, kind in ARCHITECTURES.items() if kind.in_transformers]
)
def test_what_transformers_writes_is_known(tmp_path, name):
    kind = getattr(transformers, name).config_class
    kind(architectures=[name]).save_pretrained(tmp_path)
    config = read_config(tmp_path)
    assert isinstance(config, ARCHITECTURES[name].family.config)
    assert config.architectures == (name,)


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=500)
@given(
    st.dictionaries(
        st.sampled_from(
            [
                *GOOD,
                "hidden_act",
                "layer_norm_eps",
                "id2label",
                "pad_token_id",
                "architectures",
                "is_decoder",
                "num_hidden_layers",
                "hidden_dropout_prob",
                "attention_probs_dropout_prob",
                "classifier_dropout",
                "initializer_range",
                "bos_token_id",
                "num_labels",
            ]
        ),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.integers(-(10**400), 10**400)
            | st.sampled_from([10**309, -(10**400)])  # beyond what a float can hold
            | st.floats()
            | st.text(max_size=5)
            | st.sampled_from(ACTIVATIONS),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.text(max_size=3), inner, max_size=3)
            ),
            max_leaves=5,
        ),
    )
)
def test_any_json_gives_a_config_or_the_packages_error(changes):
    try:
        config = config_from_dict(GOOD | changes)
    except EncodersError:
        return
    assert config.hidden_size % config.num_attention_heads == 0
    assert 0 <= config.hidden_dropout_prob <= 1 and config.num_hidden_layers <= 1000


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "config.json"
    with pytest.raises(CheckpointError, match=r"config\.json is missing"):
        read_config(tmp_path)
    for content in (b"", b"{", b"\xff\xfe", b"[1]", b"[" * 100_000):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=r"config\.json"):
            read_config(tmp_path)
    path.write_text(json.dumps({"model_type": "bert", "hidden_size": -1}))
    with pytest.raises(ConfigError, match=r"config\.json: hidden_size is -1"):
        read_config(tmp_path)


def test_a_file_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text("{}")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.read_text", refuse)
    with pytest.raises(
        CheckpointError, match=r"config\.json cannot be read: Permission denied"
    ):
        read_config(tmp_path)
