"""The RoPE encoder, which Transformers does not have: its configuration, its first weights, the
context that ends, positions that are relative, and a temperature that acts."""

import json

import mlx.core as mx
import numpy as np
import pytest
import torch
from mlx import nn as mlx_nn

import reference
import reference.candle.rope_encoder
import reference.mlx.rope_encoder
import reference.torch.rope_encoder
from reference.backend import BACKENDS
from reference.checkpoint import read_checkpoint, write_checkpoint
from reference.errors import ConfigError, InputError
from reference.families import ARCHITECTURES
from reference.families.initial import initial_tensors
from reference.families.reading import config_from_dict
from reference.families.rope_encoder import RopeEncoderConfig
from reference.families.tasks import MASKED_SEQUENCE
from reference.parity import random_checkpoint
from reference.parity.oracle import oracle_for
from tests.fuzz.seeds import words_of_no_class

ROOMS = {
    "torch": reference.torch.rope_encoder,
    "mlx": reference.mlx.rope_encoder,
    "candle": reference.candle.rope_encoder,
}
SMALL = {"embedding_dim": 16, "hidden_dim": 24, "num_layers": 2, "num_heads": 2}
TEXTS = ["the cat sat", "a mat", "the river ran"]
LONG = "the cat sat on the mat " * 5
rooms = pytest.mark.parametrize("room", ROOMS.values(), ids=ROOMS)


def numbers(array) -> np.ndarray:
    return array.detach().numpy() if isinstance(array, torch.Tensor) else np.array(array)


def of_room(room, array: np.ndarray):
    name = room.__name__.split(".")[1]
    return {"torch": torch.from_numpy, "mlx": mx.array, "candle": np.asarray}[name](array)


@pytest.fixture
def folder(tmp_path):
    """A model that takes texts, without a modules.json."""
    return with_words(random_checkpoint(tmp_path, "RopeEncoderModel", vocab_size=61, **OWN))


OWN = {"embedding_dim": 32, "context_window": 16}


def with_words(folder):
    words_of_no_class().save_pretrained(folder)
    return folder


# The configuration


def test_its_defaults_are_those_of_the_small_model():
    config = config_from_dict({"model_type": "rope_encoder"})
    assert (config.hidden_size, config.max_position_embeddings) == (256, 16)
    assert (config.num_hidden_layers, config.num_attention_heads) == (6, 8)
    assert (config.intermediate_size, config.dropout) == (512, 0.1)
    assert not config.is_masked_language and config.use_temperature
    assert (config.temperature_init, config.pad_token_id) == (1.0, 0)
    assert config.max_tokens == 16, "a text cannot be longer than the context"


def test_it_has_names_of_its_own_and_takes_the_usual_ones_too():
    written = config_from_dict({"model_type": "rope_encoder", "embedding_dim": 64}).to_dict()
    assert (written["embedding_dim"], written["hidden_dim"]) == (64, 512)
    assert (written["context_window"], written["num_layers"], written["num_heads"]) == (
        16,
        6,
        8,
    )
    assert "hidden_size" not in written
    assert config_from_dict(written).to_dict() == written
    usual = config_from_dict({"model_type": "rope_encoder", "hidden_size": 64})
    assert usual.hidden_size == 64


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"embedding_dim": 20}, "embedding_dim 20 is not a multiple of num_heads 8"),
        ({"embedding_dim": 24}, "embedding_dim / num_heads is 3; RoPE turns pairs"),
        ({"context_window": 0}, "context_window is 0"),
        ({"hidden_dim": -1}, "hidden_dim is -1"),
        ({"num_layers": 1001}, "num_layers is 1001"),
        ({"activation": "geglu"}, "activation is 'geglu'"),
        ({"dropout": 1.5}, "dropout is 1.5; a probability"),
        ({"temperature_init": 0}, "temperature_init is 0.0; it must be greater than 0"),
        ({"temperature_init": -2.0}, "temperature_init is -2.0"),
        ({"temperature_init": float("nan")}, "temperature_init is nan"),
        ({"use_temperature": 1}, "use_temperature is 1; it must be true or false"),
        ({"is_masked_language": None}, "is_masked_language is None"),
        ({"rope_theta": 0.0}, "rope_theta is 0.0"),
        ({"layer_norm_eps": 0.0}, "layer_norm_eps is 0.0"),
        ({"pad_token_id": 20_000}, "pad_token_id 20000 lies outside"),
        (
            {"architectures": ["RopeEncoderForMaskedLM"], "is_masked_language": False},
            "is_masked_language is false, but architectures names RopeEncoderForMaskedLM",
        ),
        (
            {"architectures": ["RopeEncoderModel"], "is_masked_language": True},
            "is_masked_language is true, but architectures names RopeEncoderModel",
        ),
    ],
)
def test_bad_values_are_refused_here_and_in_rust(change, message):
    with pytest.raises(ConfigError, match=message):
        config_from_dict({"model_type": "rope_encoder"} | change)
    if change.get("temperature_init") == change.get("temperature_init"):  # JSON has no NaN
        text = json.dumps({"model_type": "rope_encoder"} | change)
        with pytest.raises(ConfigError, match=next(iter(change)) + "|is_masked_language"):
            reference.candle._native.Model(text, "RopeEncoderModel", {}, "float32")


def test_a_masked_language_model_is_one_by_its_class_or_by_its_switch():
    by_switch = config_from_dict({"model_type": "rope_encoder", "is_masked_language": True})
    named = {"model_type": "rope_encoder", "architectures": ["RopeEncoderForMaskedLM"]}
    assert by_switch.architectures == ("RopeEncoderForMaskedLM",)
    assert by_switch == config_from_dict(named)


def test_what_nobody_reads_is_told_without_a_word_of_transformers():
    with pytest.warns(UserWarning, match="keys that no RopeEncoder reads: colour"):
        config_from_dict({"model_type": "rope_encoder", "colour": "green"})


# First weights


@pytest.mark.parametrize("name", [n for n in ARCHITECTURES if n.startswith("RopeEncoder")])
@pytest.mark.parametrize("tied", [True, False])
def test_first_weights_are_distributed_as_the_family_says(name, tied):
    kind = ARCHITECTURES[name]
    config = RopeEncoderConfig(
        vocab_size=500, tie_word_embeddings=tied, temperature_init=0.05, pad_token_id=7
    )
    config = kind.family.config_of(config, kind)
    tensors = initial_tensors(config, seed=1)
    assert set(tensors) == set(kind.shapes(config, pooler=False))
    for key, value in tensors.items():
        if key.endswith("log_temperature"):
            assert np.exp(value) == pytest.approx(0.05)
        elif key.endswith(".bias"):
            assert not value.any()
        elif key.endswith("norm.weight"):
            assert (value == 1).all()
        else:
            narrow = key.endswith(("attention.output.weight", "feed_forward.down.weight"))
            expected = 0.02 / np.sqrt(12) if narrow else 0.02
            kept = np.delete(value, 7, axis=0) if "embeddings" in key else value
            assert kept.std() == pytest.approx(expected, rel=0.05), key
    words = next(value for key, value in tensors.items() if "embeddings" in key)
    assert not words[7].any(), "the padding's row"


# What it computes


@pytest.mark.parametrize("backend", BACKENDS)
def test_where_a_text_stands_changes_nothing(tmp_path, backend):
    """Positions are relative: behind three pads a text has the vector that it has alone."""
    model = reference.load(random_checkpoint(tmp_path, "RopeEncoderModel"), backend=backend)
    ids = np.array([[5, 9, 7, 11]])
    alone = model.forward(ids)
    behind = model.forward(np.pad(ids, ((0, 0), (3, 2))), np.pad(ids > 0, ((0, 0), (3, 2))))
    for name in ("pooler_output", "last_hidden_state"):
        found = behind[name] if name == "pooler_output" else behind[name][:, 3:7]
        np.testing.assert_allclose(found, alone[name], atol=2e-6)
    other = model.forward(ids[:, ::-1])["pooler_output"]
    assert np.abs(other - alone["pooler_output"]).max() > 1e-3, "but the order counts"


def test_the_oracle_turns_as_the_paper_has_it(tmp_path):
    """Of two tokens, a score depends on how far they are apart; by hand, with one head."""
    from reference.parity.stock.rope_encoder import turns

    turn = turns(9, 4, 100.0, torch.float64)
    query, key = torch.randn(2, 2, dtype=torch.complex128)
    scores = [((query * turn[m]) * (key * turn[m + 3]).conj()).sum().real for m in range(6)]
    np.testing.assert_allclose(scores, scores[0], rtol=1e-12)
    angle = 3 / 100.0 ** (2 / 4)
    assert turn[3, 1].angle().item() == pytest.approx(angle)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_encoder_in_a_masked_language_model_embeds_as_alone(tmp_path, backend):
    folder = with_words(random_checkpoint(tmp_path, "RopeEncoderForMaskedLM"))
    masked = reference.load(folder, backend=backend)
    assert type(masked).__name__ == "MaskedLM"
    model = reference.load(folder, backend=backend, pipeline="embeddings")
    vectors = model.encode(TEXTS)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
    oracle = oracle_for(model.checkpoint)
    ids, mask = (
        torch.from_numpy(model.tokenizer(TEXTS, padding=True)[name])
        for name in ("input_ids", "attention_mask")
    )
    with torch.no_grad():
        expected = oracle.model(ids, mask)["pooler_output"]
    np.testing.assert_allclose(vectors, expected, atol=2e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_is_trained_as_the_stock_modules_are(tmp_path, dtype):
    """A dozen steps of masked language modelling, which do not move the temperature."""
    folder = random_checkpoint(tmp_path, "RopeEncoderForMaskedLM")
    report = reference.parity.compare_training(folder, dtype=dtype, steps=12)
    assert report.passed, report
    assert report.oracle == "PyTorch's stock modules"


# Folders


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("backend", BACKENDS)
def test_without_modules_it_makes_means_of_length_one(folder, backend):
    model = reference.load(folder, backend=backend)
    assert type(model).__name__ == "Embeddings"
    assert model.settings.pooling == ("mean",) and model.settings.normalize
    vectors = model.encode(TEXTS)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
    padded = model.forward(**model.tokenizer(TEXTS, padding=True))
    np.testing.assert_allclose(padded["pooler_output"], vectors, atol=2e-6)
    free = model.encode(TEXTS, normalize=False)
    assert not np.allclose(np.linalg.norm(free, axis=1), 1)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", [n for n in ARCHITECTURES if n.startswith("RopeEncoder")])
def test_what_is_saved_is_loaded(tmp_path, backend, name):
    folder = with_words(random_checkpoint(tmp_path / "one", name))
    at = {"mask_indices": [[1, 2]]} if ARCHITECTURES[name].task is MASKED_SEQUENCE else {}
    model = reference.load(folder, backend=backend)
    model.save(tmp_path / "two")
    again = reference.load(tmp_path / "two", backend=backend)
    assert again.config == model.config
    first, second = (m.forward([[5, 6, 7]], **at) for m in (model, again))
    assert all(np.array_equal(first[key], second[key]) for key in first)
    assert again.tokenizer(TEXTS) == model.tokenizer(TEXTS)


def test_the_embeddings_of_a_masked_language_model_are_saved_as_an_encoder(tmp_path):
    folder = with_words(random_checkpoint(tmp_path / "one", "RopeEncoderForMaskedLM"))
    reference.load(folder, pipeline="embeddings").save(tmp_path / "two")
    saved = read_checkpoint(tmp_path / "two")
    assert saved.architecture.name == "RopeEncoderModel"
    assert not saved.config.is_masked_language


def test_info_describes_it(folder, capsys):
    from reference.__main__ import main

    assert main(["info", "--families"]) == 0
    assert "rope_encoder" in capsys.readouterr().out
    assert main(["info", str(folder), "--format", "json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["embedding_dim"], facts["context_window"]) == (32, 16)
    assert (facts["pooling"], facts["normalize"]) == ("mean", True)
    assert facts["use_temperature"] is True and facts["rope_theta"] == 10_000.0


# The context


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_text_beyond_the_context_is_refused_unless_it_may_be_cut(folder, backend):
    model = reference.load(folder, backend=backend)
    with pytest.raises(InputError, match=r"texts\[1\] has \d+ tokens more than the 16"):
        model.encode(["the cat", LONG])
    with pytest.raises(InputError, match="than the 16"):
        model.encode_tokens([LONG])
    with pytest.raises(InputError, match="than the 16"):
        model.similarity([LONG], TEXTS)
    with pytest.warns(UserWarning, match="cut there"):
        warned = model.encode([LONG], truncation="warn")
    ignored = model.encode([LONG], truncation="ignore")
    np.testing.assert_array_equal(warned, ignored)
    with pytest.raises(InputError, match="longer than the model's 16"):
        model.forward([[5] * 17])
    with pytest.raises(InputError, match="longer than the model's 16"):
        model.forward_packed([5] * 18, [0, 1, 18])
    assert model.forward([[5] * 16])["pooler_output"].shape == (1, 32)


def test_its_other_pipelines_refuse_it_too(tmp_path):
    fill = reference.load(
        with_words(random_checkpoint(tmp_path / "1", "RopeEncoderForMaskedLM", **OWN))
    )
    with pytest.raises(InputError, match="than the 16"):
        fill.fill("[MASK] " + LONG)
    classify = reference.load(
        with_words(
            random_checkpoint(tmp_path / "2", "RopeEncoderForSequenceClassification", **OWN)
        )
    )
    with pytest.raises(InputError, match="than the 16"):
        classify.classify(LONG)
    assert classify.classify(LONG, truncation="ignore").labels


def test_others_go_on_cutting(tmp_path):
    folder = with_words(
        random_checkpoint(tmp_path, "BertModel", max_position_embeddings=16, vocab_size=61)
    )
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"})
    )
    with pytest.warns(UserWarning, match="no modules.json"):
        model = reference.load(folder)
    with pytest.warns(UserWarning, match="cut there"):
        model.encode([LONG])


def test_the_command_line_refuses_it_by_default_only(folder, capsys):
    from reference.__main__ import main

    assert main(["embed", LONG, "--model", str(folder)]) == 2
    assert "than the 16" in capsys.readouterr().err
    assert main(["embed", LONG, "--model", str(folder), "--truncation", "ignore"]) == 0


# The class that a user builds


@rooms
@pytest.mark.parametrize("masked", [False, True])
def test_an_embedding_model_is_built_and_called(room, masked):
    model = room.EmbeddingModel(vocab_size=50, is_masked_language=masked, **SMALL)
    ids, mask = [[2, 7, 9, 3], [2, 8, 3, 0]], [[1, 1, 1, 1], [1, 1, 1, 0]]
    found = model(ids, mask)
    vectors = numbers(found.embeddings)
    assert vectors.shape == (2, 16)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
    assert (found.logits is None) != masked
    if masked:
        assert numbers(found.logits).shape == (2, 4, 50)
    alone = numbers(model([[2, 8, 3]]).embeddings)
    np.testing.assert_allclose(vectors[1], alone[0], atol=1e-6)


def test_the_three_are_one_model():
    """The same seed draws the same weights, and they compute the same; pads in the middle too,
    which take a position."""
    ids, mask = np.array([[2, 7, 9, 4, 3, 0]]), np.array([[1, 1, 0, 1, 1, 0]])
    for masked in (False, True):
        models = [
            room.EmbeddingModel(50, is_masked_language=masked, seed=4, **SMALL)
            for room in ROOMS.values()
        ]
        found = [model(ids, mask) for model in models]
        for other in found[1:]:
            np.testing.assert_allclose(
                numbers(other.embeddings), numbers(found[0].embeddings), atol=1e-6
            )
            if masked:
                np.testing.assert_allclose(
                    numbers(other.logits)[:, :2], numbers(found[0].logits)[:, :2], atol=1e-6
                )
    other = ROOMS["torch"].EmbeddingModel(50, seed=5, **SMALL)(ids, mask)
    assert not np.allclose(numbers(other.embeddings), numbers(found[0].embeddings))


@rooms
def test_what_it_cannot_take_is_refused(room):
    model = room.EmbeddingModel(vocab_size=50, context_window=4, **SMALL)
    with pytest.raises(InputError, match="longer than the model's 4"):
        model([[2, 7, 8, 9, 3]])
    with pytest.raises(InputError, match="ids lie from 0 to 49"):
        model([[2, 50]])
    with pytest.raises(InputError, match="hides every token of row 1"):
        model([[2, 3], [2, 3]], [[1, 1], [0, 0]])
    with pytest.raises(ConfigError, match="temperature_init"):
        room.EmbeddingModel(50, temperature_init=-1.0)
    with pytest.raises(TypeError, match="colour"):
        room.EmbeddingModel(50, colour="green")


def test_what_was_trained_is_saved_and_loaded(tmp_path):
    """Any optimizer of PyTorch's does; what it leaves is a checkpoint for all three."""
    torch.manual_seed(0)
    model = reference.torch.rope_encoder.EmbeddingModel(50, temperature_init=0.5, **SMALL)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    ids = torch.randint(4, 50, (8, 6))
    losses = []
    for _ in range(60):
        half, other = model(ids).embeddings, model(ids.flip(1)).embeddings
        scores = model.similarity(half, other)
        loss = torch.nn.functional.cross_entropy(scores, torch.arange(8))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    temperature = model.encoder.temperature().item()
    assert 0 < temperature < 0.49, "it has moved, too"

    state = {key: value.numpy() for key, value in model.network.state_dict().items()}
    write_checkpoint(tmp_path, model.config, state)
    expected = model(ids).embeddings.detach().numpy()
    for backend in BACKENDS:
        again = reference.load(tmp_path, backend=backend)
        np.testing.assert_allclose(
            again.forward(ids.numpy())["pooler_output"], expected, atol=1e-6
        )
        found = again.model.similarity(expected, expected)
        np.testing.assert_allclose(
            found, expected @ expected.T / temperature, rtol=1e-5, atol=1e-5
        )


# The temperature


@rooms
def test_it_divides_cosines(room):
    sharp = room.EmbeddingModel(50, temperature_init=0.05, **SMALL)
    plain = room.EmbeddingModel(50, use_temperature=False, **SMALL)
    vectors = np.random.default_rng(0).standard_normal((3, 16)).astype(np.float32)
    given = of_room(room, vectors), of_room(room, vectors[:2])
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(
        numbers(plain.similarity(*given)), unit @ unit[:2].T, rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(
        numbers(sharp.similarity(*given)), unit @ unit[:2].T / 0.05, rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_model_without_one_compares_by_cosines(minilm, backend):
    model = reference.load(minilm, backend=backend)
    vectors = model.encode(["a cat", "cats"])
    found = model.model.similarity(vectors, vectors)
    np.testing.assert_allclose(found, vectors @ vectors.T, atol=1e-6)


def test_before_the_norm_it_does_nothing_and_learns_nothing():
    """x / t has the direction of x, so the vector is the same for every t, and no loss pulls at
    it; on the cosines it acts."""
    from reference.torch.pooling import normalize

    pooled = torch.randn(4, 8, dtype=torch.float64)
    logarithm = torch.tensor([0.7], dtype=torch.float64, requires_grad=True)
    before = normalize(pooled / logarithm.exp())
    torch.testing.assert_close(before, normalize(pooled), rtol=1e-14, atol=1e-15)
    pull = torch.randn_like(before)
    (gradient,) = torch.autograd.grad((before * pull).sum(), logarithm)
    assert abs(gradient.item()) < 1e-14

    cosines = normalize(pooled) @ normalize(pooled).T
    logits = cosines / logarithm.exp()
    assert not torch.allclose(logits, cosines)
    loss = torch.nn.functional.cross_entropy(logits, torch.arange(4))
    (gradient,) = torch.autograd.grad(loss, logarithm)
    assert abs(gradient.item()) > 1e-3


def slope(similarity, log_temperature: float) -> float:
    """By finite differences."""
    step = 1e-4
    ends = [similarity(log_temperature + sign * step) for sign in (-1, 1)]
    return (ends[1] - ends[0]) / (2 * step)


def ranking_loss(logits: np.ndarray) -> float:
    shifted = logits - logits.max(axis=1, keepdims=True)
    picked = np.diag(shifted) - np.log(np.exp(shifted).sum(axis=1))
    return float(-picked.mean())


def test_its_gradient_is_right_in_torch_and_mlx():
    """candle's is in the tests of the Rust library."""
    vectors = np.random.default_rng(1).standard_normal((4, 16)).astype(np.float32)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = (unit @ unit.T).astype(np.float64)
    expected = slope(lambda t: ranking_loss(cosines / np.exp(t)), np.log(0.1))

    model = reference.torch.rope_encoder.EmbeddingModel(50, temperature_init=0.1, **SMALL)
    given = torch.from_numpy(vectors)
    loss = torch.nn.functional.cross_entropy(model.similarity(given, given), torch.arange(4))
    loss.backward()
    assert model.encoder.log_temperature.grad.item() == pytest.approx(expected, rel=1e-3)
    untouched = [p.grad for n, p in model.named_parameters() if "temperature" not in n]
    assert all(gradient is None for gradient in untouched)

    model = reference.mlx.rope_encoder.EmbeddingModel(50, temperature_init=0.1, **SMALL)
    given = mx.array(vectors)
    loss_of = lambda: mlx_nn.losses.cross_entropy(
        model.similarity(given, given), mx.arange(4), reduction="mean"
    )
    _, gradients = mlx_nn.value_and_grad(model, loss_of)()
    found = gradients["network"]["log_temperature"].item()
    assert found == pytest.approx(expected, rel=1e-3)
