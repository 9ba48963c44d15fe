"""The character encoder, which Transformers does not have: its configuration and first weights,
convolutions that are PyTorch's, hashes and strides that are CANINE's, pads that change nothing,
and answers that are scored in part."""

import json

import mlx.core as mx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from transformers import CanineConfig, CanineModel

import reference
import reference.mlx.char_encoder
import reference.mlx.convolution
import reference.torch.char_encoder
import reference.torch.convolution
from reference.backend import BACKENDS, build, learner
from reference.candle import _native
from reference.checkpoint import read_checkpoint
from reference.errors import ConfigError, InputError
from reference.families import ARCHITECTURES
from reference.families.char_encoder import CODE_POINTS, CharEncoderConfig
from reference.families.initial import initial_tensors
from reference.families.reading import config_from_dict
from reference.families.tasks import MASKED_SEQUENCE
from reference.families.towers import TowerConfig
from reference.inputs import Inputs
from reference.learning import AdamW
from reference.negatives import candidates, draw
from reference.parity import random_checkpoint

NAMES = [name for name in ARCHITECTURES if name.startswith("CharEncoder")]
KIND = {"model_type": "char_encoder"}
SEEDS = st.integers(0, 2**32)
both = pytest.mark.parametrize("port", ["torch", "mlx"])


def room(port: str, name: str):
    return getattr(getattr(reference, port), name)


def given_to(port: str, array):
    return torch.tensor(array) if port == "torch" else mx.array(array)


def numbers(array) -> np.ndarray:
    return array.detach().numpy() if isinstance(array, torch.Tensor) else np.array(array)


def held(module, tensors: dict[str, torch.Tensor]):
    """A module of a port with these tensors in it."""
    if isinstance(module, nn.Module):
        module.load_state_dict(tensors)
        return module
    module.load_weights([(key, mx.array(value.numpy())) for key, value in tensors.items()])
    return module


# The configuration


def test_its_defaults_are_those_of_the_small_model():
    config = config_from_dict(KIND)
    assert (config.char_emb_size, config.n_filters, config.kernel_size) == (32, 256, 5)
    assert (config.max_tokens, config.outputs, config.num_hashes) == (128, 10_000, 0)
    (tower,) = config.towers
    assert (tower.downsample_factor, tower.n_strided_convs, tower.stride_len) == (16, 4, 2)
    assert tower.n_conv_filters == config.hidden_size == 128
    assert tower.window is None and tower.upsample == "transposed"


def test_what_is_written_is_read():
    towers = [{"n_conv_filters": 64}, {"window": 3, "upsample": "repeat"}]
    config = config_from_dict(KIND | {"towers": towers, "num_hashes": 8})
    assert config.hidden_size == 64 + 128
    written = config.to_dict()
    assert written["activation"] == "gelu" and written["towers"][1]["window"] == 3
    assert config_from_dict(json.loads(json.dumps(written))) == config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"towers": []}, "towers is empty"),
        ({"towers": "two"}, "towers is 'two'"),
        ({"towers": [3]}, r"towers\[0\] is 3"),
        ({"towers": [{"filters": 3}]}, r"towers\[0\] has 'filters', which no tower has"),
        ({"towers": [{"stride_len": 3}]}, r"towers\[0\]: stride_len 3 \*\* .* is 81; it must"),
        (
            {"towers": [{"downsample_factor": 8192, "n_strided_convs": 13}]},
            r"towers\[0\]: downsample_factor is 8192; 4096 is the most, for the shortest text",
        ),
        (
            {"towers": [{"stride_len": 2**31 - 1, "n_strided_convs": 1000}]},
            r"towers\[0\]: stride_len 2147483647 .* is more than any text is long; it must",
        ),
        ({"towers": [{"n_conv_filters": 100, "num_heads": 8}]}, r"n_conv_filters 100"),
        ({"towers": [{"n_conv_filters": 12, "num_heads": 4}]}, r"n_conv_filters 12"),
        ({"towers": [{"upsample": "nearest"}]}, r"towers\[0\]: upsample is 'nearest'"),
        ({"towers": [{"num_layers": 0}]}, r"towers\[0\]: num_layers is 0"),
        ({"towers": [{"window": 0}]}, r"towers\[0\]: window is 0"),
        ({"towers": [{"window": 2}], "n_filters": 30}, r"towers\[0\]: n_filters 30"),
        ({"hidden_size": 127}, "hidden_size is 127; the towers' n_conv_filters sum to 128"),
        ({"num_hashes": 9}, "num_hashes is 9"),
        ({"num_hashes": 5}, "char_emb_size 32 is not a multiple of num_hashes 5"),
        ({"num_hash_buckets": 0}, "num_hash_buckets is 0"),
        ({"kernel_size": 0}, "kernel_size is 0"),
        ({"num_outputs": 0}, "num_outputs is 0"),
        ({"max_example_len": 0}, "max_example_len is 0"),
        ({"activation": "geglu"}, "activation is 'geglu'"),
        ({"dropout": 1.5}, "dropout is 1.5; a probability"),
        ({"layer_norm_eps": 0.0}, "layer_norm_eps is 0.0"),
        ({"rope_theta": 0.0}, "rope_theta is 0.0"),
        ({"tie_word_embeddings": True}, "tie_word_embeddings is"),
    ],
)
def test_bad_values_are_refused_here_and_in_rust(change, message):
    with pytest.raises(ConfigError, match=message):
        config_from_dict(KIND | change)
    with pytest.raises(ConfigError, match=next(iter(change))):
        _native.Model(json.dumps(KIND | change), "CharEncoderModel", {}, "float32")


# First weights


@pytest.mark.parametrize("name", NAMES)
def test_first_weights_keep_the_size_of_what_passes_through(name):
    kind = ARCHITECTURES[name]
    config = kind.family.config_of(CharEncoderConfig(vocab_size=500, num_outputs=300), kind)
    tensors = initial_tensors(config, seed=1)
    assert set(tensors) == set(kind.shapes(config, pooler=False))
    for key, value in tensors.items():
        if key.endswith(".bias"):
            assert not value.any(), key
        elif key.endswith("norm.weight"):
            assert (value == 1).all(), key
        elif key.endswith("convolution.weight"):
            assert value.std() == pytest.approx(np.sqrt(2 / value[0].size), rel=0.05), key
        elif key.endswith("characters.weight"):
            assert not value[0].any(), "the pad's row"
            assert value[1:].std() == pytest.approx(1, rel=0.05)
        else:
            narrow = key.endswith(("attention.output.weight", "feed_forward.down.weight"))
            expected = 0.02 / np.sqrt(4) if narrow else 0.02
            assert value.std() == pytest.approx(expected, rel=0.05), key


# Convolutions


@both
@given(
    tokens=st.integers(1, 9),
    width=st.integers(1, 6),
    inputs=st.integers(1, 4),
    seed=st.integers(),
)
@settings(max_examples=30, deadline=None)
def test_a_convolution_is_pytorchs(port, tokens, width, inputs, seed):
    torch.manual_seed(seed)
    x, stock = torch.randn(2, tokens, inputs), nn.Conv1d(inputs, 3, width)
    ours = held(room(port, "convolution").Convolution(inputs, 3, width), stock.state_dict())
    padded = nn.functional.pad(x.mT, ((width - 1) // 2, width - 1 - (width - 1) // 2))
    np.testing.assert_allclose(
        numbers(ours(given_to(port, x.numpy()))), stock(padded).mT.detach(), atol=2e-6
    )


@both
@given(shorter=st.integers(1, 5), stride=st.integers(1, 5), seed=SEEDS)
@settings(max_examples=30, deadline=None)
def test_so_are_those_that_shorten_and_lengthen(port, shorter, stride, seed):
    torch.manual_seed(seed)
    kinds = room(port, "convolution")
    x, down = torch.randn(2, shorter * stride, 4), nn.Conv1d(4, 3, stride, stride)
    ours = held(kinds.StridedConvolution(4, 3, stride), down.state_dict())
    short = down(x.mT).mT.detach()
    np.testing.assert_allclose(numbers(ours(given_to(port, x.numpy()))), short, atol=2e-6)
    up = nn.ConvTranspose1d(3, 4, stride, stride)
    ours = held(kinds.TransposedConvolution(3, 4, stride), up.state_dict())
    long = up(short.mT).mT.detach()
    np.testing.assert_allclose(numbers(ours(given_to(port, short.numpy()))), long, atol=2e-6)


# What CANINE has too


@pytest.fixture(scope="module")
def canine():
    config = CanineConfig(
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
        num_hash_functions=4,
        num_hash_buckets=50,
        downsampling_rate=4,
    )
    torch.manual_seed(0)
    return CanineModel(config).eval()


@both
def test_characters_are_hashed_as_canine_hashes_them(port, canine):
    config = CharEncoderConfig(
        vocab_size=CODE_POINTS, num_hashes=4, num_hash_buckets=50, char_emb_size=32
    )
    own = canine.char_embeddings
    tables = {
        f"tables.{n}.weight": getattr(own, f"HashBucketCodepointEmbedder_{n}").weight.detach()
        for n in range(4)
    }
    ours = held(room(port, "char_encoder").HashEmbeddings(config), tables)
    ids = np.array([[0, 1, 65, 300], [0x10FFFF, 0xE000, 50, 49]])
    theirs = own._embed_hash_buckets(torch.tensor(ids), 32, 4, 50)
    np.testing.assert_array_equal(numbers(ours(given_to(port, ids))), theirs.detach())


@both
def test_a_text_is_shortened_as_canine_shortens_it(port, canine):
    """Its convolution alone: CANINE keeps the first character apart, drops the last position,
    and norms behind the activation."""
    stock = canine.chars_to_molecules.conv
    ours = held(room(port, "convolution").StridedConvolution(32, 32, 4), stock.state_dict())
    x = torch.randn(2, 12, 32)
    np.testing.assert_allclose(
        numbers(ours(given_to(port, x.numpy()))), stock(x.mT).mT.detach(), atol=2e-6
    )


# Pads


@st.composite
def ragged(draw: st.DrawFn):
    """Rows of ids with pads anywhere, and their mask."""
    lengths = draw(st.lists(st.integers(1, 30), min_size=1, max_size=4))
    generator = np.random.default_rng(draw(SEEDS))
    width = max(lengths) + draw(st.integers(0, 9))
    mask = np.zeros((len(lengths), width), np.int64)
    for row, length in enumerate(lengths):
        mask[row, generator.choice(width, length, replace=False)] = 1
    return np.where(mask, generator.integers(1, 61, mask.shape), 0), mask


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = random_checkpoint(tmp_path_factory.mktemp("char"), "CharEncoderModel")
    return {backend: reference.load(folder, backend=backend) for backend in BACKENDS}


@pytest.mark.parametrize("backend", BACKENDS)
@given(batch=ragged())
@settings(max_examples=25, deadline=None)
def test_padding_changes_no_output(models, backend, batch):
    """Before a text, behind it or inside: each is as alone."""
    (ids, mask), model = batch, models[backend]
    together = model.forward(ids, mask)
    for row, real in enumerate(mask != 0):
        alone = model.forward(ids[row][real][None])
        for name in ("last_hidden_state", "pooler_output"):
            found = together[name][row]
            found = found[real][None] if name == "last_hidden_state" else found[None]
            np.testing.assert_allclose(found, alone[name], atol=1e-5)
        assert not together["last_hidden_state"][row][~real].any(), "zeros at pads"
    packed = model.forward_packed(ids[mask != 0], np.cumsum([0, *mask.sum(axis=1)]))
    np.testing.assert_allclose(
        packed["last_hidden_state"], together["last_hidden_state"][mask != 0], atol=1e-5
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_last_character_counts_whatever_the_length(models, backend):
    """Of a length that no factor divides, too."""
    model = models[backend]
    for length in range(1, 14):
        ids = np.arange(1, length + 1)[None]
        other = ids.copy()
        other[0, -1] = 60
        first, second = (model.forward(one)["last_hidden_state"][0, 0] for one in (ids, other))
        assert np.abs(first - second).max() > 1e-4, length


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_row_of_pads_alone_is_refused(models, backend):
    with pytest.raises(InputError, match="hides every token of row 1"):
        models[backend].forward([[5, 6], [0, 0]], [[1, 1], [0, 0]])


# Training


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_is_trained_as_the_stock_modules_are(tmp_path, dtype):
    folder = random_checkpoint(tmp_path, "CharEncoderForMaskedLM")
    report = reference.parity.compare_training(folder, dtype=dtype, steps=50)
    assert report.passed, report
    assert report.oracle == "PyTorch's stock modules"


def packed(config: CharEncoderConfig) -> tuple[Inputs, np.ndarray]:
    generator = np.random.default_rng(0)
    ids, places = generator.integers(1, 61, 50), np.array([1, 8, 9, 30, 44])
    answers = generator.integers(config.num_outputs, size=len(places))
    return Inputs(ids, None, None, np.array([0, 7, 26, 50]), places), answers


def learned(backend, folder, inputs, labels):
    checkpoint = read_checkpoint(folder)
    parts = (checkpoint.config, checkpoint.architecture, checkpoint.tensors)
    subject = learner(backend, *parts, AdamW(betas=(0.0, 0.9)), "float64")
    loss = subject.learn(inputs, labels)
    subject.step(1e-3)
    first = {k: v for k, v in subject.moments().items() if k.startswith("first.")}
    return loss, first


def with_candidates(inputs: Inputs, ids: np.ndarray, offsets: np.ndarray | None) -> Inputs:
    return Inputs(**vars(inputs) | {"candidates": ids, "offsets": offsets})


@pytest.mark.parametrize("backend", BACKENDS)
def test_all_answers_as_candidates_are_the_whole_softmax(tmp_path, backend):
    folder = random_checkpoint(tmp_path, "CharEncoderForMaskedLM")
    config = read_checkpoint(folder).config
    inputs, answers = packed(config)
    order = np.random.default_rng(1).permutation(config.num_outputs)
    labels = np.argsort(order)[answers]
    offsets = np.zeros((len(answers), len(order)))
    loss, gradients = learned(backend, folder, inputs, answers)
    again, same = learned(backend, folder, with_candidates(inputs, order, offsets), labels)
    assert again == pytest.approx(loss, rel=1e-6)
    for key, gradient in gradients.items():
        np.testing.assert_allclose(same[key], gradient, atol=1e-6, err_msg=key)


def test_sampled_answers_are_scored_alike_in_the_three_ports(tmp_path):
    """Against the softmax over logits that the whole head gives, by hand."""
    folder = random_checkpoint(tmp_path, "CharEncoderForMaskedLM")
    checkpoint = read_checkpoint(folder)
    inputs, answers = packed(checkpoint.config)
    found = candidates(answers, draw(9, checkpoint.config.num_outputs, seed=3))
    sampled = with_candidates(inputs, found.ids, found.offsets)
    asked = np.where(np.isneginf(found.offsets), -100.0, 0.0)
    asked[np.arange(len(answers)), found.labels] = 1.0
    one_by_one = with_candidates(inputs, found.ids, None)
    for backend in BACKENDS:
        parts = (checkpoint.config, checkpoint.architecture, checkpoint.tensors)
        model = build(backend, *parts, "float64")
        logits = model.forward(inputs)["logits"][:, found.ids]
        offset = logits + found.offsets
        expected = np.logaddexp.reduce(offset, axis=1) - offset[range(5), found.labels]
        loss, gradients = learned(backend, folder, sampled, found.labels)
        assert loss == pytest.approx(expected.mean(), rel=1e-6)
        assert all(np.isfinite(gradient).all() for gradient in gradients.values())
        kept = asked != -100
        each = np.logaddexp(0, logits) - logits * asked
        loss, gradients = learned(backend, folder, one_by_one, asked)
        assert loss == pytest.approx(each[kept].mean(), rel=1e-6)
        assert all(np.isfinite(gradient).all() for gradient in gradients.values())


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_head_that_scores_all_answers_takes_no_candidates(tmp_path, backend):
    checkpoint = read_checkpoint(
        random_checkpoint(tmp_path, "CharEncoderForTokenClassification")
    )
    model = build(backend, checkpoint.config, checkpoint.architecture, checkpoint.tensors)
    inputs, _ = packed(checkpoint.config)
    with pytest.raises(InputError, match="candidates"):
        model.forward(with_candidates(inputs, np.array([0, 1]), None))


# Folders


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", NAMES)
def test_what_is_saved_is_loaded(tmp_path, backend, name):
    model = reference.load(random_checkpoint(tmp_path / "one", name), backend=backend)
    model.save(tmp_path / "two")
    again = reference.load(tmp_path / "two", backend=backend)
    assert again.config == model.config
    at = {"mask_indices": [[1, 2]]} if ARCHITECTURES[name].task is MASKED_SEQUENCE else {}
    first, second = (one.forward([[5, 6, 7]], **at) for one in (model, again))
    assert all(np.array_equal(first[key], second[key]) for key in first)


def test_info_describes_it(tmp_path, capsys):
    from reference.__main__ import main

    folder = random_checkpoint(tmp_path, "CharEncoderModel")
    assert main(["info", str(folder), "--format", "json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["n_filters"], facts["max_example_len"]) == (32, 96)
    assert [tower["downsample_factor"] for tower in facts["towers"]] == [4, 3]


def test_towers_can_be_given_as_they_are():
    tower = TowerConfig(n_conv_filters=64)
    assert CharEncoderConfig(towers=[tower]).hidden_size == 64
