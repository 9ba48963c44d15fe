"""Whole models behind the protocol, against the PyTorch port's of the same weights."""

import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference import backend
from reference.families import ACTIVATIONS, ARCHITECTURES
from reference.inputs import Inputs
from reference.mlx import bert, port

# Choices stand on an axis of their own; tests/test_multiple_choice.py has such batches.
NAMES = [
    name
    for name, architecture in ARCHITECTURES.items()
    if name == architecture.port_class and architecture.task.row != "choice"
]
LENGTHS = st.lists(st.integers(1, 70), min_size=1, max_size=4)


def packed(ids: np.ndarray, mask: np.ndarray, types: np.ndarray | None = None) -> Inputs:
    types = None if types is None else types[mask == 1]
    return Inputs(ids[mask == 1], None, types, np.cumsum([0, *mask.sum(axis=1)]))


def labels_for(
    architecture: str, mask: np.ndarray, seed: int = 0, size: int = 24
) -> np.ndarray:
    random = np.random.default_rng(seed)
    if architecture.endswith("Model"):
        return random.normal(size=(*mask.shape, size)).astype(np.float32)
    if architecture.endswith("ForSequenceClassification"):
        return random.integers(0, 3, len(mask))
    labels = np.where(mask == 1, random.integers(0, 3, mask.shape), -100)
    labels[0, np.argmax(mask[0])] = 1  # at least one of them is kept
    return labels


@settings(max_examples=40)
@given(
    heads_and_size=st.tuples(st.integers(1, 4), st.integers(8, 16)),
    layers=st.integers(1, 3),
    activation=st.sampled_from(ACTIVATIONS),
    token_types=st.integers(1, 3),
    family=st.sampled_from(["BertModel", "XLMRobertaModel"]),
    lengths=LENGTHS,
    left=st.booleans(),
)
def test_random_models_are_as_exact_as_torch(
    build: Callable,
    tiny_config: Callable,
    draw_batch: Callable,
    within_the_floor: Callable,
    heads_and_size: tuple[int, int],
    layers: int,
    activation: str,
    token_types: int,
    family: str,
    lengths: list[int],
    left: bool,
) -> None:
    number, size = heads_and_size
    config = tiny_config(
        family,
        hidden_size=number * size,
        num_attention_heads=number,
        num_hidden_layers=layers,
        hidden_act=activation,
        type_vocab_size=token_types,
    )
    ids, mask = draw_batch(lengths, pad=config.pad_token_id, left=left)
    types = np.random.default_rng(1).integers(0, token_types, ids.shape)
    ours, single, double = (
        build(name, config, family, dtype).forward(Inputs(ids, mask, types), True)
        for name, dtype in (("mlx", "float32"), ("torch", "float32"), ("torch", "float64"))
    )
    real = mask == 1
    for found, float32, float64 in zip(
        *(each["hidden_states"] for each in (ours, single, double)), strict=True
    ):
        within_the_floor(found[real], float32[real], float64[real])
    within_the_floor(ours["pooler_output"], single["pooler_output"], double["pooler_output"])


@pytest.mark.parametrize("architecture", NAMES)
def test_packed_equals_padded(
    build: Callable,
    tiny_config: Callable,
    draw_batch: Callable,
    close: Callable,
    architecture: str,
) -> None:
    config = tiny_config(architecture)
    model = build("mlx", config, architecture)
    ids, mask = draw_batch([5, 1, 70, 12], pad=config.pad_token_id)
    types = ids % config.type_vocab_size if config.has_token_types else None
    padded = model.forward(Inputs(ids, mask, types), True)
    found = model.forward(packed(ids, mask, types), True)
    assert found.keys() == padded.keys()
    for name, values in found.items():
        expected = padded[name]
        for ours, theirs in (
            zip(values, expected, strict=True)
            if name == "hidden_states"
            else [(values, expected)]
        ):
            close(ours, theirs[mask == 1] if theirs.ndim == 3 else theirs, epsilons=64)


@pytest.mark.parametrize("architecture", NAMES)
def test_outputs_and_state_are_torchs(
    build: Callable,
    tiny_config: Callable,
    draw_batch: Callable,
    close: Callable,
    architecture: str,
) -> None:
    config = tiny_config(architecture)
    ours, theirs = (build(name, config, architecture) for name in ("mlx", "torch"))
    ids, mask = draw_batch([4, 9], pad=config.pad_token_id, left=True)
    found, expected = (model.forward(Inputs(ids, mask)) for model in (ours, theirs))
    assert found.keys() == expected.keys()
    for name in found:
        assert found[name].dtype == np.float32
        close(
            found[name][mask == 1] if found[name].ndim == 3 else found[name],
            expected[name][mask == 1] if found[name].ndim == 3 else expected[name],
            epsilons=64,
        )
    state, expected_state = ours.state(), theirs.state()
    assert list(state) == list(expected_state)
    for key in state:
        np.testing.assert_array_equal(state[key], expected_state[key])


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("architecture", NAMES)
def test_gradients_are_as_exact_as_torchs(
    build: Callable,
    tiny_config: Callable,
    draw_batch: Callable,
    within_the_floor: Callable,
    architecture: str,
    tied: bool,
) -> None:
    if tied and not ARCHITECTURES[architecture].family.config.tie_word_embeddings:
        pytest.skip("has nothing to tie")
    config = tiny_config(architecture, tie_word_embeddings=tied)
    ids, mask = draw_batch([6, 11, 2], pad=config.pad_token_id)
    labels = labels_for(architecture, mask, size=config.hidden_size)
    (loss, ours), (loss32, single), (loss64, double) = (
        build(name, config, architecture, dtype).gradients(Inputs(ids, mask), labels)
        for name, dtype in (("mlx", "float32"), ("torch", "float32"), ("torch", "float64"))
    )
    within_the_floor(*(np.array(value) for value in (loss, loss32, loss64)))
    assert list(ours) == list(double)
    largest = max(np.abs(gradient).max() for gradient in double.values())
    for key in ours:
        within_the_floor(ours[key], single[key], double[key], largest)


@pytest.mark.parametrize(
    ("architecture", "words"),
    [
        ("BertForMaskedLM", "bert.embeddings.word_embeddings.weight"),
        ("XLMRobertaForMaskedLM", "roberta.embeddings.word_embeddings.weight"),
    ],
)
def test_a_tied_decoder_is_one_parameter_with_the_whole_gradient(
    build: Callable,
    tiny_config: Callable,
    draw_batch: Callable,
    close: Callable,
    architecture: str,
    words: str,
) -> None:
    """Untied and given the same weights, embedding and decoder have the two parts of the tied
    one's gradient."""
    config = tiny_config(architecture)
    tied = build("mlx", config, architecture)
    prefix = "cls.predictions." if architecture.startswith("Bert") else "lm_head."
    state = tied.state()
    state |= {
        prefix + "decoder.weight": state[words],
        prefix + "decoder.bias": state[prefix + "bias"],
    }
    untied = backend.build(
        "mlx", replace(config, tie_word_embeddings=False), architecture, state
    )
    ids, mask = draw_batch([6, 11], pad=config.pad_token_id)
    labels = labels_for(architecture, mask)
    (loss, whole), (same_loss, parts) = (
        model.gradients(Inputs(ids, mask), labels) for model in (tied, untied)
    )
    assert prefix + "decoder.weight" not in whole
    assert loss == pytest.approx(same_loss, rel=1e-6)
    close(whole[words], parts[words] + parts[prefix + "decoder.weight"], epsilons=32)
    close(whole[prefix + "bias"], parts[prefix + "decoder.bias"], epsilons=32)
    assert not parts[prefix + "bias"].any()  # untied, the head's own bias reaches no score


def test_gradients_leave_the_parameters_as_they_were(
    build: Callable, tiny_config: Callable, draw_batch: Callable
) -> None:
    model = build("mlx", tiny_config(), "BertModel")
    before = model.state()
    ids, mask = draw_batch([3, 5])
    first = model.gradients(Inputs(ids, mask), labels_for("BertModel", mask))
    second = model.gradients(Inputs(ids, mask), labels_for("BertModel", mask))
    assert first[0] == second[0]
    for key, value in model.state().items():
        np.testing.assert_array_equal(value, before[key])


@pytest.mark.parametrize("architecture", NAMES)
def test_the_trace_is_torchs(
    build: Callable,
    tiny_config: Callable,
    draw_batch: Callable,
    close: Callable,
    architecture: str,
) -> None:
    config = tiny_config(architecture)
    ids, mask = draw_batch([4, 7], pad=config.pad_token_id)
    operations = ARCHITECTURES[architecture].places(config)
    ours, theirs = (
        build(name, config, architecture).trace(Inputs(ids, mask), operations)
        for name in ("mlx", "torch")
    )
    assert len(ours) > 12
    assert list(ours) == list(theirs)
    for name in ours:
        by_token = ours[name].shape[:2] == mask.shape
        real = mask == 1 if by_token else slice(None)
        close(ours[name][real], theirs[name][real], epsilons=64)


def test_the_trace_leaves_nothing_behind(
    build: Callable, tiny_config: Callable, draw_batch: Callable
) -> None:
    model = build("mlx", tiny_config("BertForMaskedLM"), "BertForMaskedLM")
    ids, mask = draw_batch([4])
    before = {
        name: vars(bert)[name].__call__ for name in ("BertForMaskedLM", "Linear", "LayerNorm")
    }
    model.trace(Inputs(ids, mask), {"cls"})
    with pytest.raises(Exception, match=r"batch tokens|index"):
        model.trace(Inputs(ids[0], mask[0]), {"cls"})  # ids without a batch axis
    assert before == {name: vars(bert)[name].__call__ for name in before}


@pytest.mark.parametrize("ways", [("mean",), ("cls",), ("lasttoken",), ("cls", "max", "mean")])
@pytest.mark.parametrize("normalize", [True, False])
def test_embed_is_torchs(
    build: Callable,
    tiny_config: Callable,
    draw_batch: Callable,
    close: Callable,
    ways: tuple,
    normalize: bool,
) -> None:
    row = packed(*draw_batch([5, 1, 30]))
    for architecture in ("BertModel", "BertForMaskedLM"):
        config = tiny_config(architecture)
        ours, theirs = (
            build(name, config, architecture).embed(row, ways, normalize)
            for name in ("mlx", "torch")
        )
        assert ours.shape == (3, 24 * len(ways))
        close(ours, theirs, epsilons=64)


@given(lengths=st.lists(st.integers(1, 20), min_size=1, max_size=9), limit=st.integers(1, 40))
def test_embed_takes_texts_in_groups(lengths: list[int], limit: int) -> None:
    bounds = np.cumsum([0, *lengths])
    ids = np.arange(bounds[-1])
    groups = list(port._groups(Inputs(ids, None, ids % 2, bounds), limit))
    np.testing.assert_array_equal(np.concatenate([group.input_ids for group in groups]), ids)
    parts = [np.diff(group.cu_seqlens).tolist() for group in groups]
    assert [length for part in parts for length in part] == lengths
    for group, part, following in zip(groups, parts, [*parts[1:], None], strict=True):
        np.testing.assert_array_equal(group.token_type_ids, group.input_ids % 2)
        assert sum(part) <= limit or len(part) == 1
        assert following is None or sum(part) + following[0] > limit


def test_groups_do_not_change_what_embed_returns(
    build: Callable, tiny_config: Callable, draw_batch: Callable, close: Callable
) -> None:
    ids, mask = draw_batch([5, 1, 30, 8, 2])
    row = packed(ids, mask, ids % 2)
    model = build("mlx", tiny_config(), "BertModel")
    whole = model.embed(row, ("mean", "lasttoken"), True, 1)
    model.tokens_at_once = 6
    close(model.embed(row, ("mean", "lasttoken"), True, 1), whole, epsilons=16)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float64", 1e-5), ("float16", 2e-2), ("bfloat16", 2e-1)]
)
def test_other_dtypes(
    build: Callable, tiny_config: Callable, draw_batch: Callable, dtype: str, tolerance: float
) -> None:
    ids, mask = draw_batch([4, 9])
    inputs = Inputs(ids, mask)
    expected = build("torch", tiny_config(), "BertModel", "float64").forward(inputs, True)
    found = build("mlx", tiny_config(), "BertModel", dtype).forward(inputs, True)
    for ours, theirs in zip(found["hidden_states"], expected["hidden_states"], strict=True):
        assert ours.dtype == (np.float64 if dtype == "float64" else np.float32)
        assert np.abs(ours - theirs)[mask == 1].max() <= tolerance * np.abs(theirs).max()


def test_a_model_computes_in_another_thread(
    build: Callable, tiny_config: Callable, draw_batch: Callable
) -> None:
    model = build("mlx", tiny_config(), "BertModel")
    ids, mask = draw_batch([4, 9])
    results: list[np.ndarray] = []
    work = threading.Thread(
        target=lambda: results.append(model.forward(Inputs(ids, mask))["last_hidden_state"])
    )
    work.start()
    work.join()
    np.testing.assert_array_equal(
        results[0], model.forward(Inputs(ids, mask))["last_hidden_state"]
    )


def test_no_array_that_is_handed_out_belongs_to_the_model(
    build: Callable, tiny_config: Callable, draw_batch: Callable
) -> None:
    model = build("mlx", tiny_config(), "BertModel")
    for value in model.state().values():
        value[...] = 7
    assert not any((value == 7).all() for value in model.state().values())
