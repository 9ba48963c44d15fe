"""What is masked, how often, and in spans of what length: counted."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.masking import Shares, allowance, count_shares, draw
from reference.parity.faults.masking import FAULTS
from tests.masking.ports import MASK, PORTS, VOCABULARY, batch

# Shares that are one in a hundred off are to be told from right ones, by the count of those
# that are kept, with a risk
# of one in a thousand million either way: that takes as many chosen tokens as make the two
# allowances meet.
RISK = 1e-9
CHOSEN = 151_000


def masked_by(port: str, fault: str | None = None) -> tuple[np.ndarray, Shares]:
    ids = np.full((1000, 1024), 5)
    # So many words that a random one is hardly ever the right one.
    draws = draw(ids.shape, 10**6, 0)
    draws = replace(draws, word=draws.word + 10)
    masked_ids, labels = PORTS[port](ids, np.zeros_like(ids), draws, fault=FAULTS.get(fault))
    return ids, count_shares(ids, masked_ids, labels, MASK)


def test_there_are_tokens_enough_to_tell():
    assert allowance(CHOSEN, 0.10, RISK) + allowance(CHOSEN, 0.09, RISK) < 0.01 * CHOSEN
    assert (
        allowance(CHOSEN // 2, 0.10, RISK) + allowance(CHOSEN // 2, 0.09, RISK)
        > 0.01 * CHOSEN // 2
    )


@pytest.mark.parametrize("port", PORTS)
def test_the_shares_are_80_10_10(port):
    ids, shares = masked_by(port)
    assert (
        abs(shares.chosen - 0.15 * ids.size) < allowance(ids.size, 0.15, RISK)
        and shares.chosen > CHOSEN
    )
    assert max(shares.departures(risk=RISK).values()) < 1


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("fault", [name for name, fault in FAULTS.items() if fault.shares])
def test_shares_drawn_otherwise_are_caught(port, fault):
    _, shares = masked_by(port, fault)
    departures = shares.departures(risk=RISK)
    assert departures["kept"] > 1
    masked, random, _ = FAULTS[fault].shares  # and they are what the fault says of itself
    assert max(shares.departures(masked, random, RISK).values()) < 1
    assert (departures["masked"] > 1) == (masked != 0.8) and (departures["random"] > 1) == (
        random != 0.1
    )


@pytest.mark.parametrize("port", PORTS)
def test_special_tokens_masked_are_seen(port):
    ids, special = batch(40, 60)
    draws = draw(ids.shape, VOCABULARY, 0)
    _, right = PORTS[port](ids, special, draws)
    _, wrong = PORTS[port](ids, special, draws, fault=FAULTS["special_tokens_masked"])
    assert (right[special == 1] == -100).all() and (wrong[special == 1] != -100).any()


@given(st.integers(1, 10**5), st.floats(0, 1), st.sampled_from([1e-1, 1e-3, 1e-6]))
def test_the_allowance_keeps_its_promise(count, share, risk):
    """Against the exact tails of the binomial distribution."""
    scipy_stats = pytest.importorskip("scipy.stats")
    binomial, edge = scipy_stats.binom(count, share), allowance(count, share, risk)
    low, high = count * share - edge, count * share + edge
    assert binomial.cdf(np.floor(low)) + binomial.sf(np.ceil(high) - 1) <= risk * (1 + 1e-6)


@pytest.mark.parametrize("port", PORTS)
def test_spans_are_long_enough_and_choose_the_share_asked_for(port):
    ids = np.full((100, 2000), 5)
    special = np.zeros_like(ids)
    special[:, ::50] = 1
    draws = draw(ids.shape, VOCABULARY, 1)
    _, labels = PORTS[port](ids, special, draws, min_span=3)
    chosen = labels != -100
    edges = np.diff(np.pad(chosen.astype(int), ((0, 0), (1, 1))), axis=1)
    lengths = np.nonzero(edges == -1)[1] - np.nonzero(edges == 1)[1]
    assert lengths.min() == 3 and not (chosen & (special == 1)).any()
    inner = chosen.reshape(100, 40, 50)[
        ..., 10:40
    ]  # far from special tokens the share is exact
    # Starting a span with probability 0.15 / 3 would come to 0.143.
    assert abs(inner.mean() - 0.15) < 0.004


@pytest.mark.parametrize("port", PORTS)
def test_spans_of_words_choose_the_share_asked_for(port):
    """Words of one to four tokens, spans of two words: of the words 15 % are chosen, each as a
    whole."""
    ids = np.full((100, 2000), 5)
    words = np.random.default_rng(0).choice([0, 1, 1], size=ids.shape).cumsum(axis=1)
    _, labels = PORTS[port](
        ids, np.zeros_like(ids), draw(ids.shape, VOCABULARY, 1), word_ids=words, min_span=2
    )
    chosen = labels != -100
    begins = np.diff(words, axis=1, prepend=-1) != 0
    begins[:, :20] = begins[:, -20:] = False  # near the edge of a text fewer spans reach a word
    assert abs(chosen[begins].mean() - 0.15) < 0.004
