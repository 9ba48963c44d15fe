"""MPNet: its configuration, its buckets, and the one bias that all layers share."""

import json
import shutil

import mlx.core as mx
import numpy as np
import pytest
import torch
from transformers import MPNetTokenizer
from transformers.models.mpnet.modeling_mpnet import MPNetEncoder

import reference
import reference.mlx.mpnet
import reference.torch.mpnet
from reference.backend import BACKENDS
from reference.checkpoint import read_checkpoint
from reference.errors import CheckpointError, ConfigError
from reference.families import architecture_for
from reference.families.mpnet import BUCKETS
from reference.families.reading import config_from_dict, read_config
from reference.parity import random_checkpoint
from reference.parity.batch import random_batch
from reference.parity.subject import Subject
from reference.text import read_tokenizer

# sentence-transformers/all-mpnet-base-v2, as the hub has it.
HUB = {
    "_name_or_path": "microsoft/mpnet-base",
    "architectures": ["MPNetForMaskedLM"],
    "attention_probs_dropout_prob": 0.1,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "gradient_checkpointing": False,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "hidden_size": 768,
    "initializer_range": 0.02,
    "intermediate_size": 3072,
    "layer_norm_eps": 1e-05,
    "max_position_embeddings": 514,
    "model_type": "mpnet",
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "pad_token_id": 1,
    "relative_attention_num_buckets": 32,
    "vocab_size": 30527,
}


@pytest.mark.filterwarnings("error")
def test_a_configuration_of_the_hub():
    config = config_from_dict(HUB)
    assert config.max_tokens == 512 and config.layer_norm_eps == 1e-05
    assert architecture_for(config).name == "MPNetForMaskedLM"
    assert config_from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pad_token_id": 0}, "pad_token_id is 0; mpnet pads with 1"),
        ({"pad_token_id": None}, "pad_token_id is None"),
        ({"max_position_embeddings": 2}, "leaves no position for a token"),
        ({"relative_attention_num_buckets": 64}, "relative_attention_num_buckets is 64"),
        ({"hidden_act": "swiglu"}, "hidden_act is 'swiglu'"),
    ],
)
def test_what_no_port_implements_raises(change, message):
    with pytest.raises(ConfigError, match=message):
        config_from_dict({"model_type": "mpnet"} | change)


def test_buckets_are_those_of_transformers():
    """As far out as any text reaches, and at every border between two buckets."""
    distances = torch.arange(-1000, 1001)
    expected = MPNetEncoder.relative_position_bucket(distances)
    found = reference.torch.mpnet.relative_position_bucket(distances)
    assert torch.equal(found, expected) and expected.max() == BUCKETS - 1
    in_mlx = reference.mlx.mpnet.relative_position_bucket(mx.array(distances.numpy()))
    np.testing.assert_array_equal(in_mlx, expected.numpy())


def test_the_bias_depends_on_the_distance_alone(tmp_path):
    checkpoint = read_checkpoint(random_checkpoint(tmp_path, "MPNetModel"))
    encoder = reference.torch.mpnet.MPNetEncoder(checkpoint.config)
    table = checkpoint.tensors["encoder.relative_attention_bias.weight"]
    encoder.relative_attention_bias.weight.data = torch.from_numpy(table)
    bias = encoder.position_bias(20)
    assert bias.shape == (4, 20, 20)
    assert torch.equal(bias[:, 1:, 1:], bias[:, :-1, :-1])
    assert torch.equal(bias[:, 0, 5], torch.from_numpy(table[21]))  # five behind the query
    assert torch.equal(bias[:, 5, 0], torch.from_numpy(table[5]))  # five before it


def test_texts_beyond_the_last_bucket_pass_the_gates(tmp_path):
    settings = {"max_position_embeddings": 514, "num_hidden_layers": 2}
    checkpoint = read_checkpoint(random_checkpoint(tmp_path, "MPNetModel", **settings))
    subject = Subject(checkpoint, [random_batch(checkpoint.config, (512, 200, 5))])
    models = {backend: subject.build(backend) for backend in BACKENDS}
    runs = {name: lambda sample, of=model: sample.run(of) for name, model in models.items()}
    failed = [row for rows in subject.measure(runs).values() for row in rows if not row.passed]
    assert not failed


def test_a_sentence_encoder_that_names_the_masked_lm_it_was_trained_from(tmp_path):
    """As all-mpnet-base-v2 does; no head is in its file."""
    folder = random_checkpoint(tmp_path, "MPNetModel", pooling="mean")
    config = json.loads((folder / "config.json").read_text())
    config["architectures"] = HUB["architectures"]
    (folder / "config.json").write_text(json.dumps(config))
    assert read_checkpoint(folder).architecture.name == "MPNetModel"
    ids = np.array([[0, 5, 6, 2]])
    assert "last_hidden_state" in reference.load(folder).forward(ids)
    with pytest.raises(CheckpointError, match="without the head of MPNetForMaskedLM"):
        read_checkpoint(folder, "masked-lm")


def test_its_bare_word_list_is_not_framed_as_berts(minilm, tmp_path):
    """Its words are BERT's, so [CLS] would be found, and be wrong: <s> is about its texts, at
    an id beyond the words where they lack it, as in Transformers."""
    folder = random_checkpoint(tmp_path, "MPNetModel", vocab_size=30527)
    shutil.copy(minilm / "vocab.txt", folder)
    theirs = MPNetTokenizer.from_pretrained(folder)
    ids = read_tokenizer(folder, read_config(folder))(["a word"])
    assert ids == theirs(["a word"])["input_ids"] and ids[0][0] >= 30522
