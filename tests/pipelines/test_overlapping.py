"""Long texts by windows: every token is in one, and is read where it has most around it."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from reference.pipelines.overlapping import widest_context, windows_over

SIZES = st.integers(1, 12).flatmap(
    lambda size: st.tuples(st.integers(1, 60), st.just(size), st.integers(0, size - 1))
)


@given(SIZES)
def test_windows_cover_a_text_and_overlap_enough(drawn):
    tokens, size, overlap = drawn
    windows = windows_over(tokens, size, overlap)
    assert windows[0][0] == 0 and windows[-1][1] == tokens
    assert all(end - start == min(size, tokens) for start, end in windows)
    for (start, end), (following, _) in itertools.pairwise(windows):
        assert start < following <= end - overlap
    steps = [b[0] - a[0] for a, b in itertools.pairwise(windows)]
    assert all(step == size - overlap for step in steps[:-1])


@given(SIZES)
def test_each_token_is_read_where_it_is_furthest_from_an_edge(drawn):
    tokens, size, overlap = drawn
    windows = windows_over(tokens, size, overlap)

    def context(token, window):
        start, end = window
        sides = [token - start] * (start > 0) + [end - 1 - token] * (end < tokens)
        return min(sides, default=tokens)

    for token, chosen in enumerate(widest_context(windows).tolist()):
        holding = [n for n, (start, end) in enumerate(windows) if start <= token < end]
        best = max(holding, key=lambda number: context(token, windows[number]))
        assert chosen == best


def test_half_of_what_is_shared_is_read_in_each():
    windows = windows_over(16, 10, 4)
    assert windows == [(0, 10), (6, 16)]
    assert widest_context(windows).tolist() == [0] * 8 + [1] * 8
    assert windows_over(10, 10, 4) == [(0, 10)]
