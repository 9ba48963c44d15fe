"""The masking strategy of masked language modelling: draws in, masked ids and labels out."""

import mlx.core as mx
from jaxtyping import Bool, Int

from reference.masking import IGNORED, Draws, check_batch, thresholds

Ids = Int[mx.array, "batch tokens"]


def mask_tokens(
    input_ids: Ids,
    special_tokens_mask: Int[mx.array, "batch tokens"] | Bool[mx.array, "batch tokens"],
    draws: Draws,
    mask_token_id: int,
    probability: float = 0.15,
    mask_share: float = 0.8,
    random_share: float = 0.1,
    word_ids: Ids | None = None,
    min_span: int = 1,
) -> tuple[Ids, Ids]:
    """Ids with some tokens hidden, and labels: the original id where a token was chosen, -100
    elsewhere.

    special_tokens_mask: 1 at [CLS], [SEP], padding and whatever else is never chosen.
    word_ids: the number of each token's word; then words are chosen as a whole, by the draw of
        their first token. Without them each token is a word by itself.
    min_span: choose at least so many words in a row, about `probability` of all in the end; no
        span crosses a special token, and where fewer words stand between two of them, none is
        chosen.
    """
    check_batch(mx.array, input_ids, special_tokens_mask, draws, mask_token_id, word_ids)
    limits = thresholds(probability, mask_share, random_share, min_span)
    uniform, action, word = (
        mx.array(array) for array in (draws.chosen, draws.action, draws.word)
    )
    input_ids, free = input_ids.astype(mx.int64), special_tokens_mask == 0

    # (1) a word begins a span where its draw is low enough
    first, last = word_bounds(word_ids, free)
    starts = (mx.take_along_axis(uniform, first, axis=1) < float(limits.start)) & free
    # (2) a span goes on for min_span words
    chosen = spread(starts, free, first, last, min_span)
    # (3) of the chosen most are masked, and some become any word
    masked = chosen & (action < float(limits.masked))
    random = chosen & mx.logical_not(masked) & (action < float(limits.random))
    ids = mx.where(masked, mask_token_id, mx.where(random, word, input_ids))
    # (4) labels: the original id where chosen, ignored elsewhere
    return ids, mx.where(chosen, input_ids, IGNORED)


def word_bounds(word_ids: Ids | None, free: Bool[mx.array, "batch tokens"]) -> tuple[Ids, Ids]:
    """Where each token's word begins and where it ends. A special token is a word by itself."""
    tokens = free.shape[1]
    places = mx.broadcast_to(mx.arange(tokens), free.shape)
    if word_ids is None:
        return places, places
    # No word ends between the two.
    inside = (word_ids[:, 1:] == word_ids[:, :-1]) & free[:, 1:] & free[:, :-1]
    first = mx.cummax(mx.where(mx.pad(inside, ((0, 0), (1, 0))), 0, places), axis=1)
    last = mx.cummin(
        mx.where(mx.pad(inside, ((0, 0), (0, 1))), tokens, places), axis=1, reverse=True
    )
    return first, last


def spread(
    starts: Bool[mx.array, "batch tokens"],
    free: Bool[mx.array, "batch tokens"],
    first: Ids,
    last: Ids,
    span: int,
) -> Bool[mx.array, "batch tokens"]:
    """Every start takes the span - 1 words behind it along; one whose span would meet a special
    token is dropped. A word starts with all of its tokens, or not at all."""
    tokens = last.shape[1]
    span = min(span, tokens + 1)  # which already fits nowhere
    before, behind = mx.maximum(first - 1, 0), mx.minimum(last + 1, tokens - 1)
    ends = starts
    for _ in range(span - 1):  # from word to word, as long as they are free
        ends = mx.take_along_axis(ends, before, axis=1) & (first > 0) & free
    chosen = reached = ends
    for _ in range(span - 1):  # and from the ends back to the starts
        reached = mx.take_along_axis(reached, behind, axis=1) & (last + 1 < tokens)
        chosen = chosen | reached
    return chosen
