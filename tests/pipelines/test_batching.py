"""Texts of similar length share a batch, and nobody sees it in the results."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.errors import InputError
from reference.pipelines import batching
from reference.pipelines.batching import batches_by_length, run_in_batches


@given(st.lists(st.integers(1, 300), max_size=60), st.integers(1, 40))
def test_batches_hold_every_row_once(lengths, batch_size):
    batches = batches_by_length(lengths, batch_size, tokens=512)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) <= batch_size
        assert len(batch) == 1 or sum(lengths[row] for row in batch) <= 512
    flat = [lengths[row] for batch in batches for row in batch]
    assert flat == sorted(flat, reverse=True)


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=9)), st.integers(1, 5))
def test_results_come_in_the_order_given(sequences, batch_size):
    batches = []

    def run(batch):
        batches.append(batch)
        return [sum(ids) for ids in batch]

    expected = [sum(ids) for ids in sequences]
    assert run_in_batches(run, sequences, batch_size) == expected
    assert [len(ids) for batch in batches for ids in batch] == sorted(
        map(len, sequences), reverse=True
    )
    filled = run_in_batches(run, sequences, batch_size, results=np.full(len(sequences), -1))
    assert filled.tolist() == expected


def test_a_result_for_every_text():
    with pytest.raises(ValueError, match="shorter"):
        run_in_batches(lambda batch: batch[1:], [[1], [2]], 2)


def test_the_batch_size_is_checked_before_anything_runs():
    with pytest.raises(InputError, match="batch_size"):
        run_in_batches(lambda batch: pytest.fail("it ran"), [[1]], 0)


def test_a_generator_is_read_a_window_at_a_time(monkeypatch):
    monkeypatch.setattr(batching, "TEXTS_AT_ONCE", 3)
    read = []
    source = (read.append(number) or str(number) for number in range(8))
    seen = [(first, window, len(read)) for first, window in batching.windows(source)]
    assert seen == [
        (0, ["0", "1", "2"], 3),
        (3, ["3", "4", "5"], 6),
        (6, ["6", "7"], 8),
    ]
