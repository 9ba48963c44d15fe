"""Masking: the draws, and the three ports' decisions on them."""

import inspect
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import reference.candle.masking
import reference.mlx.masking
import reference.torch.masking
from reference.errors import InputError
from reference.masking import allowance, draw, thresholds
from reference.parity.faults.masking import FAULTS
from tests.masking.ports import MASK, PORTS, VOCABULARY, batch, masker


def test_draws_are_the_same_for_the_same_seed():
    first, second, other = draw((3, 5), 100, 7), draw((3, 5), 100, 7), draw((3, 5), 100, 8)
    assert (
        first.chosen.dtype == first.action.dtype == np.float32 and first.word.dtype == np.int64
    )
    for name in ("chosen", "action", "word"):
        assert (getattr(first, name) == getattr(second, name)).all()
        assert (getattr(first, name) != getattr(other, name)).any()
    assert first.chosen.min() >= 0 and first.chosen.max() < 1 and first.word.max() < 100


@given(
    texts=st.integers(1, 5),
    tokens=st.integers(2, 40),
    seed=st.integers(0, 2**32),
    probability=st.floats(0, 1),
    mask_share=st.floats(0, 1),
    random_part=st.floats(0, 1),
    span=st.integers(1, 5),
    words=st.booleans(),
)
def test_the_ports_decide_alike(
    texts, tokens, seed, probability, mask_share, random_part, span, words
):
    ids, special = batch(texts, tokens, seed)
    draws = draw(ids.shape, VOCABULARY, seed)
    random_share = random_part * (1 - mask_share)
    options = {
        "probability": probability,
        "mask_share": mask_share,
        "random_share": random_share,
        "min_span": span,
    }
    if words:
        options["word_ids"] = (
            np.random.default_rng(seed).integers(0, 2, size=ids.shape).cumsum(axis=1)
        )
    before = (
        ids.copy(),
        special.copy(),
        draws.chosen.copy(),
        draws.action.copy(),
        draws.word.copy(),
    )
    results = {name: port(ids, special, draws, **options) for name, port in PORTS.items()}
    for array, copy in zip(
        (ids, special, draws.chosen, draws.action, draws.word), before, strict=True
    ):
        assert (array == copy).all()
    for masked_ids, labels in results.values():
        assert (
            masked_ids.dtype == labels.dtype == np.int64
            and masked_ids.shape == labels.shape == ids.shape
        )
        assert (masked_ids == results["torch"][0]).all() and (
            labels == results["torch"][1]
        ).all()
        chosen = labels != -100
        assert not (chosen & (special == 1)).any()
        assert (labels[chosen] == ids[chosen]).all() and (
            masked_ids[~chosen] == ids[~chosen]
        ).all()
        replaced = masked_ids != ids
        assert np.isin(masked_ids[replaced], [MASK, *np.unique(draws.word)]).all()
    assert (
        chosen == chosen_one_by_one(special, draws, probability, options.get("word_ids"), span)
    ).all()


def chosen_one_by_one(special, draws, probability, word_ids, span):
    """Which tokens are chosen, word after word, as one would tell it to somebody."""
    start = thresholds(probability, 0.8, 0.1, span).start
    chosen = np.zeros(special.shape, bool)
    for row, specials in enumerate(special):
        words: list[
            list[int] | None
        ] = []  # the places of each word's tokens; None for a special token
        for place, is_special in enumerate(specials):
            same = (
                word_ids is not None
                and place > 0
                and word_ids[row, place] == word_ids[row, place - 1]
            )
            if is_special:
                words.append(None)
            elif same and words[-1] is not None:
                words[-1].append(place)
            else:
                words.append([place])
        for number in range(len(words) - span + 1):
            together = words[number : number + span]
            if None not in together and draws.chosen[row, together[0][0]] < start:
                chosen[row, together[0][0] : together[-1][-1] + 1] = True
    return chosen


@given(
    seed=st.integers(0, 2**32),
    where=st.sampled_from(["chosen", "masked", "random"]),
    edge=st.floats(0.01, 0.99),
)
def test_the_ports_cut_at_the_same_float32(seed, where, edge):
    """Draws on the edge, one float32 below it and one above: the ports decide them alike, below
    strictly."""
    ids, special = np.full((1, 3), 7), np.zeros((1, 3), np.int64)
    # The two shares are added first and rounded then: float32(0.8) + float32(0.1) is not
    # float32(0.9).
    cut = np.float32(edge if where != "random" else 0.6 * edge + 0.4 * edge)
    near = np.array([[np.nextafter(cut, np.float32(0)), cut, np.nextafter(cut, np.float32(1))]])
    draws = draw(ids.shape, VOCABULARY, seed)
    draws = replace(draws, chosen=np.zeros((1, 3), np.float32), word=np.full((1, 3), 9))
    draws = replace(draws, **{"chosen" if where == "chosen" else "action": near})
    options = {
        "chosen": {"probability": edge},
        "masked": {"mask_share": edge, "random_share": 0.0},
        "random": {"mask_share": 0.6 * edge, "random_share": 0.4 * edge},
    }[where]
    for port in PORTS.values():
        masked_ids, labels = port(ids, special, draws, **options)
        below = {
            "chosen": labels != -100,
            "masked": masked_ids == MASK,
            "random": masked_ids != ids,
        }[where]
        assert below.tolist() == [[True, False, False]]


@pytest.mark.parametrize("port", PORTS)
def test_words_are_chosen_as_a_whole(port):
    ids, special = batch(50, 60, 3)
    words = np.repeat(np.arange(20), 3)[None].repeat(50, axis=0)
    _, labels = PORTS[port](
        ids, special, draw(ids.shape, VOCABULARY, 2), probability=0.3, word_ids=words
    )
    chosen = labels != -100
    for row in range(50):
        for word in range(20):
            pieces = chosen[row][(words[row] == word) & (special[row] == 0)]
            assert pieces.all() or not pieces.any()
    assert chosen.any()


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"probability": 1.5}, "probability is 1.5"),
        ({"probability": float("nan")}, "probability is nan"),
        ({"mask_share": -0.1}, "mask_share is -0.1"),
        ({"mask_share": 0.8, "random_share": 0.3}, "add up to more than 1"),
        ({"min_span": 0}, "min_span is 0"),
    ],
)
def test_impossible_shares_are_refused(port, options, message):
    ids, special = batch(2, 8)
    with pytest.raises(InputError, match=message):
        PORTS[port](ids, special, draw(ids.shape, VOCABULARY, 0), **options)


@pytest.mark.parametrize("port", PORTS)
def test_what_does_not_fit_together_is_refused(port):
    ids, special = batch(2, 8)
    mask, draws = masker(port, unchecked=True), draw(ids.shape, VOCABULARY, 0)
    with pytest.raises(
        InputError, match=r"draws\.chosen has shape \(2, 9\); the ids have \(2, 8\)"
    ):
        mask(ids, special, draw((2, 9), VOCABULARY, 0))
    with pytest.raises(InputError, match=r"draws\.action is float64; it must be float32"):
        mask(ids, special, replace(draws, action=draws.action.astype(np.float64)))
    with pytest.raises(InputError, match=r"special_tokens_mask has shape \(1, 8\)"):
        mask(ids, special[:1], draws)
    with pytest.raises(InputError, match=r"word_ids has shape \(2, 7\)"):
        mask(ids, special, draws, word_ids=ids[:, 1:])
    with pytest.raises(
        InputError, match=r"input_ids has shape \(8,\); it must be \[batch, tokens\]"
    ):
        mask(ids[0], special[0], draw(8, VOCABULARY, 0))
    floats = ids.astype(np.float32)
    for arrays, name in [
        ((floats, special), "input_ids"),
        ((ids, special / 2), "special_tokens_mask"),
    ]:
        with pytest.raises(
            InputError, match=rf"{name} is of dtype .*float(32|64); it must hold whole numbers"
        ):
            mask(*arrays, draws)
    with pytest.raises(InputError, match=r"word_ids is of dtype .*float32"):
        mask(ids, special, draws, word_ids=floats)
    for wrong in (-1, 1.5, True):
        with pytest.raises(InputError, match="mask_token_id is"):
            mask(ids, special, draws, mask_token_id=wrong)


@pytest.mark.parametrize("port", PORTS)
def test_arrays_of_another_framework_are_refused(port):
    ids, special = batch(2, 8)
    rooms = {
        "torch": reference.torch.masking,
        "mlx": reference.mlx.masking,
        "candle": reference.candle.masking,
    }
    mask_tokens, draws = inspect.unwrap(rooms[port].mask_tokens), draw(ids.shape, VOCABULARY, 0)
    own = {"torch": "torch.Tensor", "mlx": "mlx.core.array", "candle": "numpy.ndarray"}[port]
    with pytest.raises(InputError, match=f"input_ids is of type list; this port takes {own}"):
        mask_tokens(ids.tolist(), special, draws, MASK)
    other = torch.from_numpy(ids) if port != "torch" else ids
    with pytest.raises(InputError, match=f"; this port takes {own}"):
        mask_tokens(other, special, draws, MASK)


def test_the_tools_for_counting_refuse_a_risk_that_is_none():
    for risk in (0, 1, 2.0, float("nan")):
        with pytest.raises(InputError, match="risk is"):
            allowance(100, 0.1, risk)
    with pytest.raises(InputError, match="made for the shares 80/10/10"):
        PORTS["torch"](
            *batch(2, 8),
            draw((2, 8), VOCABULARY, 0),
            fault=FAULTS["shares_one_after_another"],
            mask_share=1.0,
        )


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("shape", [(0, 5), (3, 0), (1, 1)])
@pytest.mark.parametrize("kind", [bool, np.int32, np.int64])
def test_small_batches_and_masks_of_any_whole_type(port, shape, kind):
    ids, special = np.full(shape, 7), np.zeros(shape, kind)
    masked_ids, labels = PORTS[port](
        ids,
        special,
        draw(shape, VOCABULARY, 0),
        probability=1.0,
        mask_share=1.0,
        random_share=0.0,
    )
    assert masked_ids.shape == shape and (masked_ids == MASK).all() and (labels == 7).all()


def test_rust_refuses_by_itself():
    """The library has users who never pass through Python."""
    ids, special = batch(2, 8)
    draws = draw(ids.shape, VOCABULARY, 0)

    def mask(
        chosen=draws.chosen, mask_token_id=MASK, probability=0.15, shares=(0.8, 0.1), min_span=1
    ):
        parts = chosen, draws.action, draws.word
        reference.candle.masking._native.mask_tokens(
            ids, special, parts, mask_token_id, probability, shares, None, min_span
        )

    mask()
    for wrong in (
        {"probability": float("nan")},
        {"shares": (0.8, 0.3)},
        {"shares": (-0.1, 0.3)},
        {"min_span": 0},
        {"mask_token_id": -1},
        {"chosen": draws.chosen[:1]},
        {"chosen": draws.chosen[0]},
        {"chosen": draws.chosen.astype(np.float64)},
    ):
        with pytest.raises(InputError):
            mask(**wrong)
    with pytest.raises(InputError):
        reference.candle.masking.word_bounds(ids, special[:, :3])
    with pytest.raises(InputError):
        reference.candle.masking.spread(special[0], special[0], ids[0], ids[0], 0)
