"""Checkpoints that are damaged, hostile, or in several files."""

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from reference.checkpoint import (
    read_checkpoint,
)
from reference.errors import CheckpointError, EncodersError


def test_pickles_are_refused(tiny):
    folder = tiny()
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="pickled weights"):
        read_checkpoint(folder)
    (folder / "pytorch_model.bin").unlink()
    with pytest.raises(CheckpointError, match=r"no model\.safetensors"):
        read_checkpoint(folder)


def shard(folder: Path) -> tuple[Path, dict]:
    """Split a checkpoint in two, and return where its index lies and what it says."""
    tensors = safetensors.numpy.load_file(folder / "model.safetensors")
    keys = sorted(tensors)
    weight_map = {}
    for number, part in enumerate((keys[: len(keys) // 2], keys[len(keys) // 2 :])):
        safetensors.numpy.save_file(
            {key: tensors[key] for key in part}, folder / f"part-{number}.safetensors"
        )
        weight_map |= dict.fromkeys(part, f"part-{number}.safetensors")
    (folder / "model.safetensors").unlink()
    return folder / "model.safetensors.index.json", {"metadata": {}, "weight_map": weight_map}


def test_shards(tiny):
    folder = tiny()
    whole = read_checkpoint(folder).tensors
    index, content = shard(folder)
    index.write_text(json.dumps(content))
    parts = read_checkpoint(folder).tensors
    assert whole.keys() == parts.keys() and all(
        np.array_equal(whole[key], parts[key]) for key in whole
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../part-0.safetensors", "lies in the same folder"),
        ("/etc/passwd", "lies in the same folder"),
        ("..", "only safetensors"),
        ("sub/part.safetensors", "lies in the same folder"),
        ("..\\part.safetensors", "lies in the same folder"),
        ("", "only safetensors"),
        (7, "lies in the same folder"),
        ("part-0.bin", "only safetensors"),
        ("part-9.safetensors", "which is not in"),
        ("a" * 5000 + ".safetensors", "which is not in"),
        ("part-1.safetensors", "disagree on"),
    ],
)
def test_a_hostile_index(tiny, name, message):
    folder = tiny()
    index, content = shard(folder)
    content["weight_map"]["embeddings.LayerNorm.bias"] = name
    index.write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(folder)


@pytest.mark.parametrize(
    "content", ["", "{}", '{"weight_map": []}', '{"weight_map": {}}', "[" * 9999]
)
def test_a_broken_index(tiny, content):
    folder = tiny()
    index, _ = shard(folder)
    index.write_text(content)
    with pytest.raises(CheckpointError, match=r"index\.json"):
        read_checkpoint(folder)


def test_a_shard_may_not_be_a_link_out_of_sight(tiny, tmp_path):
    """The hub's cache links to blobs, so links are followed; what they lead to is still
    checked."""
    folder = tiny()
    (folder / "model.safetensors").rename(tmp_path / "blob")
    (folder / "model.safetensors").symlink_to(tmp_path / "blob")
    assert read_checkpoint(folder).tensors
    (tmp_path / "blob").unlink()
    with pytest.raises(CheckpointError):
        read_checkpoint(folder)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """One small sound checkpoint, and its bytes."""
    import torch
    import transformers

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("sound")
    config = transformers.BertConfig(
        vocab_size=10,
        hidden_size=4,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=6,
        max_position_embeddings=5,
    )
    transformers.BertModel(config).save_pretrained(folder)
    return folder, (folder / "model.safetensors").read_bytes(), read_checkpoint(folder).tensors


def read_damaged(sound, content: bytes):
    folder = sound[0]
    path = folder / "model.safetensors"
    path.unlink()  # a mapped file must not change under its reader
    path.write_bytes(content)
    return read_checkpoint(folder).tensors


@settings(max_examples=300)
@given(data=st.data())
def test_truncated_files(sound, data):
    length = data.draw(st.integers(0, len(sound[1]) - 1))
    with pytest.raises(CheckpointError):
        read_damaged(sound, sound[1][:length])


@settings(max_examples=200)
@given(tail=st.binary(min_size=1, max_size=50))
def test_surplus_bytes(sound, tail):
    with pytest.raises(CheckpointError):
        read_damaged(sound, sound[1] + tail)


@settings(max_examples=500)
@given(data=st.data())
def test_a_changed_header_gives_the_same_tensors_or_an_error(sound, data):
    header = 8 + int.from_bytes(sound[1][:8], "little")
    content = bytearray(sound[1])
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, header - 1))] = data.draw(st.integers(0, 255))
    try:
        tensors = read_damaged(sound, bytes(content))
    except EncodersError:
        return
    assert tensors.keys() == sound[2].keys()
    assert all(np.array_equal(tensors[key], sound[2][key]) for key in tensors)


@settings(max_examples=200)
@given(data=st.data())
def test_changed_weights_stay_in_their_tensor(sound, data):
    """The format has no checksum, so a changed weight is not seen unless it is NaN; nothing
    else may change."""
    header = 8 + int.from_bytes(sound[1][:8], "little")
    content = bytearray(sound[1])
    content[data.draw(st.integers(header, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        tensors = read_damaged(sound, bytes(content))
    except CheckpointError as error:
        assert "NaN" in str(error)
        return
    assert sum((tensors[key] != sound[2][key]).sum() for key in tensors) == 1


@settings(max_examples=200)
@given(content=st.binary(max_size=200))
def test_any_bytes(sound, content):
    with pytest.raises(CheckpointError):
        read_damaged(sound, content)
