"""DistilBERT: its names, what it has none of, and its leftovers."""

import shutil

import numpy as np
import pytest
import transformers

import reference
from reference.checkpoint import read_checkpoint
from reference.errors import CheckpointError, ConfigError, InputError
from reference.families import architecture_for
from reference.families.initial import initial_tensors
from reference.families.reading import config_from_dict
from reference.parity import random_checkpoint

# distilbert-base-uncased-finetuned-sst-2-english, as the hub has it.
HUB = {
    "activation": "gelu",
    "architectures": ["DistilBertForSequenceClassification"],
    "attention_dropout": 0.1,
    "dim": 768,
    "dropout": 0.1,
    "finetuning_task": "sst-2",
    "hidden_dim": 3072,
    "id2label": {"0": "NEGATIVE", "1": "POSITIVE"},
    "initializer_range": 0.02,
    "label2id": {"NEGATIVE": 0, "POSITIVE": 1},
    "max_position_embeddings": 512,
    "model_type": "distilbert",
    "n_heads": 12,
    "n_layers": 6,
    "output_past": True,
    "pad_token_id": 0,
    "qa_dropout": 0.1,
    "seq_classif_dropout": 0.2,
    "sinusoidal_pos_embds": False,
    "tie_weights_": True,
    "vocab_size": 30522,
}


@pytest.mark.filterwarnings("error")
def test_a_configuration_of_the_hub():
    config = config_from_dict(HUB)
    sizes = (config.hidden_size, config.num_hidden_layers, config.intermediate_size)
    assert sizes == (768, 6, 3072)
    assert architecture_for(config).name == HUB["architectures"][0]
    written = config.to_dict()
    assert all(written.get(key, value) == value for key, value in HUB.items())
    assert config_from_dict(written) == config


def test_sizes_are_read_as_transformers_reads_them():
    """Three of them under the other families' names as well; of the others it takes no
    notice."""
    values = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3}
    values |= {"intermediate_size": 7, "hidden_act": "relu"}
    ours = config_from_dict({"model_type": "distilbert"} | values).to_dict()
    theirs = transformers.DistilBertConfig(**values)
    for key in ("dim", "n_layers", "n_heads", "hidden_dim", "activation"):
        assert ours[key] == getattr(theirs, key), key


def test_a_size_under_both_names_is_read_as_transformers_reads_it():
    values = {"dim": 24, "n_heads": 4, "num_attention_heads": 2}
    ours = config_from_dict({"model_type": "distilbert"} | values)
    assert ours.num_attention_heads == transformers.DistilBertConfig(**values).n_heads == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dim": 15}, "dim 15 is not a multiple of n_heads 4"),
        ({"n_layers": 0}, "n_layers is 0"),
        ({"activation": "swiglu"}, "activation is 'swiglu'"),
        ({"qa_dropout": 2}, "qa_dropout is 2"),
        ({"sinusoidal_pos_embds": "no"}, "sinusoidal_pos_embds is 'no'"),
    ],
)
def test_errors_have_the_names_of_the_file(change, message):
    good = {"model_type": "distilbert", "dim": 16, "n_heads": 4}
    with pytest.raises(ConfigError, match=message):
        config_from_dict(good | change)


def test_sinusoids_are_read_and_not_drawn(tmp_path):
    checkpoint = read_checkpoint(
        random_checkpoint(tmp_path, "DistilBertModel", sinusoidal_pos_embds=True)
    )
    assert "embeddings.position_embeddings.weight" in checkpoint.tensors
    with pytest.raises(ConfigError, match="no port draws such positions"):
        initial_tensors(checkpoint.config)


def test_there_are_no_token_types(tmp_path, backend):
    model = reference.load(
        random_checkpoint(tmp_path, "DistilBertModel", pooling="mean"), backend=backend
    )
    ids = np.array([[5, 6, 7]])
    plain = model.forward(ids)["last_hidden_state"]
    zeros = model.forward(ids, token_type_ids=np.zeros_like(ids))["last_hidden_state"]
    np.testing.assert_array_equal(plain, zeros)
    with pytest.raises(InputError, match="type_vocab_size is 1"):
        model.forward(ids, token_type_ids=np.ones_like(ids))


def test_pairs_of_its_own_tokenizer_are_taken(minilm, tmp_path):
    """BERT's tokenizer numbers the two texts of a pair."""
    folder = random_checkpoint(
        tmp_path, "DistilBertForSequenceClassification", vocab_size=30522
    )
    shutil.copy(minilm / "tokenizer.json", folder)
    model = reference.load(folder)
    (pair,) = model.tokenizer(["a cat"], ["a kitten"])
    assert pair.token_type_ids == [0] * len(pair)
    logits = model.forward(np.array([pair]), token_type_ids=np.array([pair.token_type_ids]))
    assert logits["logits"].shape == (1, 2)


def test_the_base_of_a_masked_lm(tmp_path):
    folder = random_checkpoint(tmp_path, "DistilBertForMaskedLM")
    whole, base = read_checkpoint(folder), read_checkpoint(folder, "base")
    assert {f"distilbert.{key}" for key in base.tensors} == {
        key for key in whole.tensors if not key.startswith("vocab_")
    }
    with pytest.raises(CheckpointError, match=r"without the head .* it lacks pre_classifier"):
        read_checkpoint(folder, "text-classification")
