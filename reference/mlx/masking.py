"""The masking strategy of masked language modelling: draws in, masked ids and labels out."""

import mlx.core as mx
from jaxtyping import Bool, Float, Int

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
    """Ids with some tokens hidden, and labels: the original id where a token was chosen, -100 elsewhere.

    special_tokens_mask: 1 at [CLS], [SEP], padding and whatever else is never chosen.
    word_ids: the number of each token's word; then words are chosen as a whole, by the draw of their first token.
    min_span: choose at least so many tokens in a row, about `probability` of all in the end; no span crosses a special
        token, and where fewer tokens stand between two of them, none is chosen.
    """
    check_batch(input_ids, special_tokens_mask, draws, mask_token_id, word_ids)
    limits = thresholds(probability, mask_share, random_share, min_span)
    uniform, action, word = (mx.array(array) for array in (draws.chosen, draws.action, draws.word))
    input_ids, free = input_ids.astype(mx.int64), special_tokens_mask == 0

    if word_ids is not None:
        uniform = of_first_token(uniform, word_ids, free)
    chosen = (uniform < float(limits.start)) & free
    if min_span > 1:
        chosen = spread(chosen, free, min_span)
    masked = chosen & (action < float(limits.masked))
    random = chosen & mx.logical_not(masked) & (action < float(limits.random))
    ids = mx.where(masked, mask_token_id, mx.where(random, word, input_ids))
    return ids, mx.where(chosen, input_ids, IGNORED)


def of_first_token(
    uniform: Float[mx.array, "batch tokens"], word_ids: Ids, free: Bool[mx.array, "batch tokens"]
) -> Float[mx.array, "batch tokens"]:
    """The draw of the first token of each token's word, so that a word is chosen as a whole."""
    continues = (word_ids[:, 1:] == word_ids[:, :-1]) & free[:, 1:] & free[:, :-1]
    places = mx.where(mx.pad(continues, ((0, 0), (1, 0))), 0, mx.arange(word_ids.shape[1]))
    return mx.take_along_axis(uniform, mx.cummax(places, axis=1), axis=1)  # from where the word began


def spread(
    starts: Bool[mx.array, "batch tokens"], free: Bool[mx.array, "batch tokens"], span: int
) -> Bool[mx.array, "batch tokens"]:
    """Every start takes the span - 1 tokens behind it along; one whose span would meet a special token is dropped."""
    tokens = starts.shape[1]
    if tokens < span:
        return mx.zeros_like(starts)
    last = tokens - span + 1  # no span starts from here on
    starts = starts[:, :last]
    for step in range(span):
        starts = starts & free[:, step : step + last]
    chosen = mx.zeros_like(free)
    for step in range(span):
        chosen = chosen | mx.pad(starts, ((0, 0), (step, tokens - last - step)))
    return chosen
