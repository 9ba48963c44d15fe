"""The masking strategy of masked language modelling: draws in, masked ids and labels out."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from torch.nn.functional import pad

from reference.errors import InputError
from reference.masking import IGNORED, Draws, check_batch, thresholds

Ids = Int[Tensor, "batch tokens"]


def mask_tokens(
    input_ids: Ids,
    special_tokens_mask: Int[Tensor, "batch tokens"] | Bool[Tensor, "batch tokens"],
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
    check_batch(Tensor, input_ids, special_tokens_mask, draws, mask_token_id, word_ids)
    limits = thresholds(probability, mask_share, random_share, min_span)
    uniform, action, word = (
        torch.from_numpy(array).to(input_ids.device)
        for array in (draws.chosen, draws.action, draws.word)
    )
    input_ids, free = input_ids.long(), ~special_tokens_mask.bool()

    # (1) a word begins a span where its draw is low enough
    first, last = word_bounds(word_ids, free)
    starts = (uniform.gather(1, first) < float(limits.start)) & free
    # (2) a span goes on for min_span words
    chosen = spread(starts, free, first, last, min_span)
    # (3) of the chosen most are masked, and some become any word
    masked = chosen & (action < float(limits.masked))
    random = chosen & ~masked & (action < float(limits.random))
    ids = torch.where(masked, mask_token_id, torch.where(random, word, input_ids))
    # (4) labels: the original id where chosen, ignored elsewhere
    return ids, torch.where(chosen, input_ids, IGNORED)


def word_bounds(word_ids: Ids | None, free: Bool[Tensor, "batch tokens"]) -> tuple[Ids, Ids]:
    """Where each token's word begins and where it ends. A special token is a word by itself."""
    tokens = free.shape[1]
    places = torch.arange(tokens, device=free.device).expand_as(free)
    if word_ids is None:
        return places, places
    # No word ends between the two.
    inside = (word_ids[:, 1:] == word_ids[:, :-1]) & free[:, 1:] & free[:, :-1]
    first = torch.where(pad(inside, (1, 0)), 0, places).cummax(dim=1).values
    last = torch.where(pad(inside, (0, 1)), tokens, places).flip(1).cummin(dim=1).values.flip(1)
    return first, last


def spread(
    starts: Bool[Tensor, "batch tokens"],
    free: Bool[Tensor, "batch tokens"],
    first: Ids,
    last: Ids,
    span: int,
) -> Bool[Tensor, "batch tokens"]:
    """Every start takes the span - 1 words behind it along; one whose span would meet a special
    token is dropped. A word starts with all of its tokens, or not at all."""
    tokens = last.shape[1]
    span = min(span, tokens + 1)  # which already fits nowhere
    before, behind = (first - 1).clamp(min=0), (last + 1).clamp(max=tokens - 1)
    ends = starts
    for _ in range(span - 1):  # from word to word, as long as they are free
        ends = ends.gather(1, before) & (first > 0) & free
    chosen = reached = ends
    for _ in range(span - 1):  # and from the ends back to the starts
        reached = reached.gather(1, behind) & (last + 1 < tokens)
        chosen = chosen | reached
    return chosen


def collate(
    examples: Sequence[Mapping[str, Any] | Sequence[int]],
    tokenizer: Any,
    generator: torch.Generator | None = None,
    probability: float = 0.15,
    mask_share: float = 0.8,
    random_share: float = 0.1,
) -> dict[str, Tensor]:
    """A padded batch of examples with labels, token for token what Transformers'
    DataCollatorForLanguageModeling makes of them from a generator in the same state.

    It draws in another order than `mask_tokens`, and other things: Bernoulli decisions in place
    of uniform numbers.
    tokenizer: one of Transformers', with a mask token.
    """
    thresholds(probability, mask_share, random_share)
    if tokenizer.mask_token_id is None:
        raise InputError(
            "this tokenizer has no mask token; masked language modelling needs one"
        )
    if len(examples) == 0:
        raise InputError("examples is empty; a batch holds at least one text")
    rows = [
        example if isinstance(example, Mapping) else {"input_ids": list(example)}
        for example in examples
    ]
    batch = dict(tokenizer.pad(rows, return_tensors="pt"))
    input_ids = batch["input_ids"]
    batch.pop("offset_mapping", None)
    special = batch.pop("special_tokens_mask", None)
    if special is None:
        special = torch.tensor(
            [
                tokenizer.get_special_tokens_mask(row, already_has_special_tokens=True)
                for row in input_ids.tolist()
            ]
        )

    def happens(share: float) -> Tensor:
        return torch.bernoulli(torch.full(input_ids.shape, share), generator=generator).bool()

    chosen = torch.bernoulli(
        torch.full(input_ids.shape, probability).masked_fill(special.bool(), 0.0),
        generator=generator,
    ).bool()
    labels = torch.where(chosen, input_ids, IGNORED)
    masked = happens(mask_share) & chosen
    ids = torch.where(masked, tokenizer.mask_token_id, input_ids)
    if mask_share < 1 and random_share > 0:  # otherwise Transformers draws no more
        random = happens(random_share / (1 - mask_share)) & chosen & ~masked
        words = torch.randint(len(tokenizer), input_ids.shape, generator=generator)
        ids = torch.where(random, words, ids)
    return batch | {"input_ids": ids, "labels": labels}
