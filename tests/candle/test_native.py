"""The border between Python and Rust: arrays in any layout, the package's own errors, and
Rust's own reading."""

import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import reference
from reference.backend import DTYPES
from reference.candle import _native, attention, layers, losses, pooling, rope
from reference.candle.port import build
from reference.checkpoint import read_checkpoint
from reference.errors import CheckpointError, ConfigError, InputError
from reference.inputs import Inputs

RANDOM = np.random.default_rng(0)
IDS = np.array([[2, 5, 6, 3], [2, 7, 3, 0]])
MASK = np.array([[1, 1, 1, 1], [1, 1, 1, 0]])
CU_SEQLENS = np.array([0, 4, 7])
PADDED = Inputs(IDS, MASK)
PACKED = Inputs(IDS[MASK == 1], cu_seqlens=CU_SEQLENS)


@pytest.fixture
def model(tiny):
    """The Rust model of a small random BERT."""
    checkpoint = read_checkpoint(tiny())
    return build(checkpoint.config, checkpoint.architecture, checkpoint.tensors, "float32")


def test_arrays_of_any_layout_mean_the_same():
    x = RANDOM.normal(size=(3, 5))
    plain = layers.gelu(x)
    assert plain.dtype == np.float64
    np.testing.assert_array_equal(layers.gelu(np.asfortranarray(x)), plain)
    np.testing.assert_array_equal(layers.gelu(x[::-1, ::2]), plain[::-1, ::2])
    np.testing.assert_array_equal(layers.gelu(x.astype(">f8")), plain)
    odd = np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(np.float64).reshape(3, 5)
    assert not odd.flags.aligned
    np.testing.assert_array_equal(layers.gelu(odd), plain)
    assert layers.gelu(x.astype(np.float32)).dtype == np.float32
    assert layers.gelu(x.astype(np.float16)).dtype == np.float32
    assert layers.gelu(np.float64(0.0).reshape(())).shape == ()


@pytest.mark.parametrize("kind", [np.int32, np.uint8, np.bool_, np.int64])
def test_masks_of_any_whole_type(kind):
    hidden = RANDOM.normal(size=(2, 4, 3)).astype(np.float32)
    np.testing.assert_array_equal(
        pooling.mean_pooling(hidden, MASK.astype(kind)), pooling.mean_pooling(hidden, MASK)
    )


def test_what_is_no_array_is_refused():
    for wrong in ([[1.0]], "text", None, np.array(["a"]), np.array([1 + 2j]), np.array([1, 2])):
        with pytest.raises(InputError):
            layers.gelu(wrong)
    with pytest.raises(InputError, match="attention_mask is an array of float64"):
        pooling.mean_pooling(np.zeros((1, 2, 3)), np.ones((1, 2)))


def test_shapes_that_do_not_fit_are_refused():
    x = np.zeros((2, 3, 4), np.float32)
    calls = [
        lambda: pooling.mean_pooling(x, np.ones((2, 4), int)),
        lambda: pooling.cls_pooling(x[0], np.ones((3, 4), int)),
        lambda: pooling.last_token_pooling(x, np.ones((3, 2), int)),
        lambda: pooling.weighted_mean_pooling(x, np.ones((2, 4), int), 1),
        lambda: pooling.without_prompt(np.ones(3, int), 1),
        lambda: pooling.without_prompt(np.ones((2, 0), int), 1),
        lambda: pooling.pool(x, np.ones((2, 3), int), ()),
        lambda: attention.split_heads(x, 3),
        lambda: attention.split_heads(x, 0),
        lambda: attention.merge_heads(x[0]),
        lambda: attention.packed_attention(x, x, x, np.array([0, 2])),
        lambda: attention.packed_attention(x, x, x, np.array([0, -1, 3])),
        lambda: attention.scaled_dot_product_attention(x, x[:, :, :2], x),
        lambda: attention.positions(np.array([], int)),
        lambda: attention.positions(np.array([0, 2**62])),
        lambda: losses.cross_entropy(x[0], np.array([0, 1, 4])),
        lambda: losses.cross_entropy(x[0], np.array([0, 1])),
        lambda: losses.cross_entropy(x[0], np.array([0, 1, 2]), class_weights=np.ones(9)),
        lambda: losses.mean_squared_error(x, x[0]),
        lambda: losses.binary_cross_entropy(x, x[0]),
    ]
    for number, call in enumerate(calls):
        with pytest.raises(InputError):
            call()
            pytest.fail(f"call {number} passed")


def test_functions_agree_with_the_torch_port():
    import torch

    from reference.torch import attention as torch_attention
    from reference.torch import layers as torch_layers
    from reference.torch import losses as torch_losses
    from reference.torch import pooling as torch_pooling

    def same(ours: np.ndarray, theirs: torch.Tensor) -> None:
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-12, atol=1e-12)

    hidden = RANDOM.normal(size=(2, 4, 6))
    x, mask, lengths = (
        torch.from_numpy(hidden),
        torch.from_numpy(MASK),
        torch.from_numpy(CU_SEQLENS),
    )
    for name in (name for name in pooling.__all__ if name.endswith("_pooling")):
        same(getattr(pooling, name)(hidden, MASK), getattr(torch_pooling, name)(x, mask))
    same(pooling.normalize(hidden), torch_pooling.normalize(x))
    for name in layers.ACTIVATIONS:
        same(layers.activation(name)(3 * hidden), torch_layers.activation(name)(3 * x))

    query, key, value = RANDOM.normal(size=(3, 2, 7, 3))
    q, k, v = (torch.from_numpy(array) for array in (query, key, value))
    packed = attention.packed_attention(query, key, value, CU_SEQLENS)
    same(packed, torch_attention.packed_attention(q, k, v, lengths))
    batch = [array[None, :, :4] for array in (query, key, value)]
    allowed = attention.padding_mask(MASK[1:])
    same(
        attention.scaled_dot_product_attention(*batch, mask=allowed),
        torch_attention.scaled_dot_product_attention(
            *map(torch.from_numpy, batch), mask=torch.from_numpy(allowed)
        ),
    )
    same(attention.split_heads(hidden, 2), torch_attention.split_heads(x, 2))
    same(attention.merge_heads(attention.split_heads(hidden, 3)), x)
    same(attention.positions(CU_SEQLENS), torch_attention.positions(lengths))
    row = RANDOM.normal(size=(7, 6))
    for ours, theirs in zip(
        attention.pad_packed(row, CU_SEQLENS),
        torch_attention.pad_packed(torch.from_numpy(row), lengths),
        strict=True,
    ):
        same(ours, theirs)

    labels = np.array([[1, -100, 0, 5], [2, 2, -100, -100]])
    same(
        losses.cross_entropy(hidden, labels),
        torch_losses.cross_entropy(x, torch.from_numpy(labels)),
    )
    weights = RANDOM.uniform(size=hidden.shape[-1])
    same(
        losses.cross_entropy(hidden, labels, -100, weights),
        torch_losses.cross_entropy(x, torch.from_numpy(labels), -100, torch.tensor(weights)),
    )
    target = RANDOM.uniform(size=hidden.shape)
    y = torch.from_numpy(target)
    same(losses.binary_cross_entropy(hidden, target), torch_losses.binary_cross_entropy(x, y))
    same(losses.mean_squared_error(hidden, target), torch_losses.mean_squared_error(x, y))


def test_the_model_refuses_what_it_cannot_take(model):
    with pytest.raises(InputError, match="input_ids holds 99"):
        model.forward(Inputs(np.array([[2, 99]])))
    with pytest.raises(InputError, match="at most 40"):
        model.forward(Inputs(np.ones((1, 41), int)))
    with pytest.raises(InputError, match="cu_seqlens"):
        model.forward(Inputs(np.array([2, 3]), cu_seqlens=np.array([0, 3])))
    with pytest.raises(InputError, match="labels"):
        model.gradients(PADDED, np.zeros((2, 4, 3), np.float32))
    with pytest.raises(ConfigError, match="median"):
        model.embed(PACKED, ("median",), True)


def test_lengths_that_wrap_around_are_refused(model):
    row = np.array([2, 5, 3])
    for wrong in (
        [0, 2**62, -(2**63), -(2**62), 3],
        [0, 2**63 - 1, 3],
        [0, 2, 1, 3],
        [0, 3, 3],
        [-(2**63), 3],
    ):
        inputs = Inputs(row, cu_seqlens=np.array(wrong))
        with pytest.raises(InputError, match="cu_seqlens"):
            model.forward(inputs)
        with pytest.raises(InputError, match="cu_seqlens"):
            model.embed(inputs, ("mean",), True)


def test_a_device_that_is_not_there_is_refused_by_name(tiny):
    checkpoint = read_checkpoint(tiny())
    arguments = json.dumps(checkpoint.config.to_dict()), checkpoint.architecture.name
    arguments = *arguments, checkpoint.tensors, "float32"
    assert _native.check_device("cpu") is None
    plain = _native.Model(*arguments).forward(PADDED)["last_hidden_state"]
    named = _native.Model(*arguments, device="cpu").forward(PADDED)["last_hidden_state"]
    np.testing.assert_array_equal(plain, named)
    for wrong in ("tpu", "cuda:x", "", "metal:-1"):
        for ask in (_native.check_device, lambda name: _native.Model(*arguments, name)):
            with pytest.raises(InputError, match=f'device "{wrong}" is not available'):
                ask(wrong)


def test_a_panic_of_the_tokenizers_library_is_an_error(minilm, tmp_path):
    folder = shutil.copytree(minilm, tmp_path / "damaged")
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text()) | {"tokenizer_class": "PreTrainedTokenizerFast"}
    path.write_text(json.dumps(settings))
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text())
    content["post_processor"]["special_tokens"] = {}
    path.write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=r"tokenizer\.json"):
        _native.token_ids(str(folder), ["a cat"])


def test_a_model_is_built_from_exactly_its_tensors(tiny):
    checkpoint = read_checkpoint(tiny())
    config, kind, tensors = checkpoint.config, checkpoint.architecture, checkpoint.tensors
    key = "encoder.layer.0.output.dense.weight"
    with pytest.raises(CheckpointError, match=f"{key} is missing"):
        build(
            config,
            kind,
            {other: value for other, value in tensors.items() if other != key},
            "float32",
        )
    with pytest.raises(CheckpointError, match="no place for stray"):
        build(config, kind, tensors | {"stray": tensors[key]}, "float32")
    with pytest.raises(CheckpointError, match="shape"):
        build(config, kind, tensors | {key: tensors[key].T}, "float32")
    with pytest.raises(InputError, match="bfloat16"):
        build(config, kind, tensors, "bfloat16")
    with pytest.raises(ConfigError, match="BertForNothing"):
        build(config, replace(kind, name="BertForNothing"), tensors, "float32")
    for dtype in DTYPES["candle"]:
        state = build(config, kind, tensors, dtype).state()
        assert list(state) == sorted(tensors)
        np.testing.assert_allclose(state[key], tensors[key], rtol=1e-3)


def test_threads_share_a_model(model):
    expected = model.forward(PADDED)["last_hidden_state"]
    seen = []
    work = [
        threading.Thread(target=lambda: seen.append(model.forward(PADDED)["last_hidden_state"]))
        for _ in range(8)
    ]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert len(seen) == 8
    for found in seen:
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "architecture", ["BertModel", "BertForMaskedLM", "XLMRobertaForTokenClassification"]
)
def test_rust_reads_what_python_reads(tiny, architecture):
    folder = tiny(architecture, pad_token_id=1 if "Roberta" in architecture else 0)
    ours, theirs = _native.read_checkpoint(str(folder)), read_checkpoint(folder).tensors
    assert sorted(ours) == sorted(theirs)
    for key, value in ours.items():
        np.testing.assert_array_equal(value, theirs[key])


def damaged(folder: Path, how: int) -> None:
    """Break a checkpoint in one of many ways."""
    random = np.random.default_rng(how)
    name = ["model.safetensors", "config.json"][how % 2]
    content = bytearray((folder / name).read_bytes())
    header = min(len(content), 4000)
    if how % 3 == 0:
        content = content[: random.integers(len(content))]
    else:
        for place in random.integers(header, size=1 + how % 4):
            content[place] = random.integers(256)
    (folder / name).write_bytes(bytes(content))


def test_damaged_files_raise_the_packages_errors_or_load_whole(tiny, tmp_path):
    folder = tiny()
    expected = {key: value.shape for key, value in read_checkpoint(folder).tensors.items()}
    for how in range(200):
        copy = tmp_path / f"copy{how}"
        shutil.copytree(folder, copy)
        damaged(copy, how)
        try:
            found = _native.read_checkpoint(str(copy))
        except (CheckpointError, ConfigError):
            continue
        finally:
            shutil.rmtree(copy)
        shapes = {key: value.shape for key, value in found.items()}
        base = {key: shape for key, shape in expected.items() if not key.startswith("pooler.")}
        assert len(shapes) in (len(expected), len(base)), how


def test_rust_alone_embeds_as_the_package_does(minilm):
    texts = [
        "a first sentence",
        "",
        "Ein zweiter Satz, länger als der erste.",
        "word " * 400,
        "日本語 and emoji 🙂",
    ]
    ours = _native.embed_texts(str(minilm), texts)
    theirs = reference.load(minilm, backend="candle").encode(texts)
    assert ours.shape == (5, 384)
    np.testing.assert_allclose(ours, theirs, atol=2e-6)
    ids = _native.token_ids(str(minilm), texts)
    limit = json.loads((minilm / "sentence_bert_config.json").read_text())["max_seq_length"]
    assert [len(row) for row in ids][1] == 2 and max(map(len, ids)) == limit
    with pytest.raises(CheckpointError, match="nowhere"):
        _native.embed_texts("/nowhere", texts)


MODERN = {
    "local_attention": 2,
    "global_attn_every_n_layers": 2,
    "pad_token_id": 0,
    "bos_token_id": 1,
}
MODERN |= {"eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}


def test_rope_tables_may_come_from_elsewhere(tiny):
    checkpoint = read_checkpoint(tiny("ModernBertModel", **MODERN))
    model = build(checkpoint.config, checkpoint.architecture, checkpoint.tensors, "float32")
    own = model.forward(PADDED)["last_hidden_state"]
    thetas = checkpoint.config.rope_thetas
    tables = {
        kind: rope.rope_tables(np.arange(4), checkpoint.config.head_dim, thetas[kind])
        for kind in thetas
    }
    model.use_rope_tables(tables)
    np.testing.assert_array_equal(model.forward(PADDED)["last_hidden_state"], own)
    model.use_rope_tables({kind: (sin, cos) for kind, (cos, sin) in tables.items()})
    assert np.abs(model.forward(PADDED)["last_hidden_state"] - own).max() > 1e-3
    with pytest.raises(InputError, match=r"shape \[4, 4\]"):
        model.forward(PADDED.map(lambda array: array[:, [0, 1, 1, 2, 3]]))
    with pytest.raises(ConfigError, match="full_attention"):
        model.use_rope_tables({"local": tables["full_attention"]})
    with pytest.raises(InputError, match="no RoPE tables for sliding_attention"):
        model.use_rope_tables({"full_attention": tables["full_attention"]})
        model.forward(PADDED)
    model.use_rope_tables(None)
    np.testing.assert_array_equal(model.forward(PADDED)["last_hidden_state"], own)


def test_no_rope_tables_are_asked_for_where_no_layer_turns_by_them(tiny):
    checkpoint = read_checkpoint(
        tiny("ModernBertModel", **MODERN | {"global_attn_every_n_layers": 1})
    )
    model = build(checkpoint.config, checkpoint.architecture, checkpoint.tensors, "float32")
    own = model.forward(PADDED)["last_hidden_state"]
    model.use_rope_tables(
        {
            "full_attention": rope.rope_tables(
                np.arange(4), checkpoint.config.head_dim, 160_000.0
            )
        }
    )
    np.testing.assert_array_equal(model.forward(PADDED)["last_hidden_state"], own)


@pytest.mark.parametrize("architecture", ["BertForMaskedLM", "ModernBertForMaskedLM"])
def test_packed_and_padded_agree(tiny, architecture):
    settings = MODERN if architecture.startswith("Modern") else {}
    checkpoint = read_checkpoint(tiny(architecture, **settings))
    model = build(checkpoint.config, checkpoint.architecture, checkpoint.tensors, "float64")
    padded, packed = model.forward(PADDED, True), model.forward(PACKED, True)
    np.testing.assert_allclose(packed["logits"], padded["logits"][MASK == 1], atol=1e-5)
    assert len(packed["hidden_states"]) == checkpoint.config.num_hidden_layers + 1
