"""ELECTRA: both halves of its checkpoints, embeddings of their own size, the summary."""

import pytest
import safetensors.numpy
import torch
import transformers

from reference.checkpoint import read_checkpoint
from reference.errors import ConfigError
from reference.families import architecture_for
from reference.families.reading import config_from_dict
from reference.parity import random_checkpoint

# google/electra-small-discriminator and -base-generator, as the hub has them.
DISCRIMINATOR = {
    "architectures": ["ElectraForPreTraining"],
    "attention_probs_dropout_prob": 0.1,
    "embedding_size": 128,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "hidden_size": 256,
    "initializer_range": 0.02,
    "intermediate_size": 1024,
    "layer_norm_eps": 1e-12,
    "max_position_embeddings": 512,
    "model_type": "electra",
    "num_attention_heads": 4,
    "num_hidden_layers": 12,
    "pad_token_id": 0,
    "summary_activation": "gelu",
    "summary_last_dropout": 0.1,
    "summary_type": "first",
    "summary_use_proj": True,
    "type_vocab_size": 2,
    "vocab_size": 30522,
}
GENERATOR = DISCRIMINATOR | {"architectures": ["ElectraForMaskedLM"], "embedding_size": 768}


@pytest.mark.filterwarnings("error")
def test_configurations_of_the_hub():
    generator = config_from_dict(GENERATOR)
    assert generator.projects and architecture_for(generator).name == "ElectraForMaskedLM"
    assert config_from_dict(generator.to_dict()) == generator
    discriminator = config_from_dict(DISCRIMINATOR)
    assert architecture_for(discriminator, "base").name == "ElectraModel"
    with pytest.raises(
        ConfigError,
        match=r"ElectraForPreTraining is not .* ElectraForMaskedLM, .*pipeline='embeddings'",
    ):
        architecture_for(discriminator)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"summary_type": "last"}, "summary_type is 'last', which no port implements"),
        ({"summary_proj_to_labels": True}, "summary_proj_to_labels is True"),
        ({"summary_activation": "swiglu"}, "summary_activation is 'swiglu'"),
        ({"summary_use_proj": 1}, "summary_use_proj is 1"),
        ({"embedding_size": 0}, "embedding_size is 0"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type"),
        ({"is_decoder": True}, "is_decoder is True"),
    ],
)
def test_what_no_port_implements_raises(change, message):
    with pytest.raises(ConfigError, match=message):
        config_from_dict({"model_type": "electra"} | change)


def test_embeddings_as_wide_as_the_layers_are_not_projected(tmp_path):
    for size in (24, 32):
        folder = random_checkpoint(tmp_path / str(size), "ElectraModel", embedding_size=size)
        tensors = read_checkpoint(folder).tensors
        assert tensors["embeddings.word_embeddings.weight"].shape == (61, size)
        assert ("embeddings_project.weight" in tensors) == (size != 32)


def test_the_encoder_of_a_discriminator(tmp_path):
    """Its head says of each token whether it was replaced; nothing here reads that."""
    folder = random_checkpoint(tmp_path / "plain", "ElectraModel")
    tensors = read_checkpoint(folder).tensors
    config = transformers.ElectraConfig.from_pretrained(folder)
    whole = transformers.ElectraForPreTraining(config)
    whole.electra.load_state_dict(
        {key: torch.from_numpy(value) for key, value in tensors.items()}
    )
    whole.save_pretrained(tmp_path / "whole")
    saved = safetensors.numpy.load_file(tmp_path / "whole/model.safetensors")
    assert any(key.startswith("discriminator_predictions.") for key in saved)
    found = read_checkpoint(tmp_path / "whole", "base").tensors
    assert found.keys() == tensors.keys()
    assert all((found[key] == tensors[key]).all() for key in tensors)
