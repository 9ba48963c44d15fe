"""A message quotes the beginning of what is wrong, however much of it there is."""

import json
import struct
import warnings

import numpy as np
import pytest

import reference
from reference.errors import EncodersError, shortened, told
from reference.files import read_json

LONG = "x" * 10_000


def test_shortened():
    assert shortened("a\n b") == "a b"
    assert shortened(LONG) == "x" * 200 + " …"
    assert shortened(ValueError(LONG), 10) == "x" * 10 + " …"


def test_told():
    assert told(KeyError("a")) == "raised KeyError: 'a'"
    assert told(SystemExit(3)).startswith("called sys.exit(3)")
    assert len(told(ValueError(LONG))) < 250


def header(tensors: dict) -> bytes:
    content = json.dumps(tensors).encode()
    return struct.pack("<Q", len(content)) + content + bytes(4)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", {"id2label": LONG}),
        ("config.json", {"id2label": {LONG: "a"}}),
        ("config.json", {"hidden_act": LONG}),
        ("config.json", {"model_type": LONG}),
        ("config.json", {"architectures": [LONG, LONG]}),
        ("config.json", {LONG: 1, "hidden_size": 0}),
        ("model.safetensors", header({LONG: {"dtype": LONG}})),
        (
            "model.safetensors",
            header({LONG: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}),
        ),
        ("model.safetensors.index.json", {"weight_map": {LONG: f"../{LONG}"}}),
        ("model.safetensors.index.json", {"weight_map": {LONG: f"{LONG}.bin"}}),
        ("model.safetensors.index.json", {"weight_map": {LONG: f"{LONG}.safetensors"}}),
        (
            "model.safetensors",
            header({LONG: {"dtype": "I64", "shape": [0], "data_offsets": [0, 0]}}),
        ),
        ("model.safetensors.index.json", {"weight_map": LONG}),
    ],
)
def test_a_damaged_file_is_quoted_in_part(tiny, file, content):
    folder = tiny()
    if file.endswith("index.json"):
        (folder / "model.safetensors").unlink()
    if isinstance(content, dict):
        values = {} if "index" in file else read_json(folder / file, ValueError)
        content = json.dumps(values | content).encode()
    (folder / file).write_bytes(content)
    with warnings.catch_warnings(record=True) as warned, pytest.raises(EncodersError) as caught:
        reference.load(folder, pipeline="embeddings")
    told_length = len(str(caught.value).replace(str(folder), ""))
    assert told_length < 700, str(caught.value)[:1000]
    assert all(len(str(warning.message).replace(str(folder), "")) < 400 for warning in warned)


MODULES = [
    {"path": "", "type": "sentence_transformers.models.Transformer"},
    {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("modules.json", [*MODULES, {"type": f"sentence_transformers.{LONG}"}]),
        ("1_Pooling/config.json", {"pooling_mode": LONG}),
        ("1_Pooling/config.json", {"pooling_mode": [1] * 10_000}),
        ("1_Pooling/config.json", {"include_prompt": LONG}),
        ("1_Pooling/config.json", {"embedding_dimension": LONG}),
        (
            "config_sentence_transformers.json",
            {"default_prompt_name": "a", "prompts": {LONG: ""}},
        ),
    ],
)
def test_sentence_settings_are_quoted_in_part(tiny, file, content):
    folder = tiny()
    (folder / "1_Pooling").mkdir()
    (folder / "modules.json").write_text(json.dumps(MODULES))
    (folder / "1_Pooling" / "config.json").write_text("{}")
    reference.load(folder, pipeline="embeddings")
    (folder / file).write_text(json.dumps(content))
    with pytest.raises(EncodersError) as caught:
        reference.load(folder, pipeline="embeddings")
    told_length = len(str(caught.value).replace(str(folder), ""))
    assert told_length < 400, str(caught.value)[:1000]


def test_a_name_is_quoted_in_part():
    with pytest.raises(EncodersError) as caught:
        reference.load(f"{LONG}/{LONG}/{LONG}")
    assert len(str(caught.value)) < 500


def test_labels_are_quoted_in_part(minilm):
    class Odd:
        def __array__(self, *arguments, **options):
            raise ValueError(LONG)

    ids = np.ones((1, 2), np.int64)
    for arguments in ((Odd(), None, None), (ids, None, Odd())):
        with pytest.raises(EncodersError) as caught:
            reference.parity.gradients(minilm, "torch", *arguments)
        assert len(str(caught.value)) < 300
