"""Masking: the draws, the three ports' decisions on them, and the collator of Transformers beside ours."""

import mlx.core as mx
import numpy as np
import pytest
import tokenizers
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

import reference.mlx.masking
import reference.torch.masking
from reference.errors import InputError
from reference.masking import Draws, draw

MASK = 4
VOCABULARY = 50


def in_torch(ids: np.ndarray, special: np.ndarray, draws: Draws, **options):
    words = options.pop("word_ids", None)
    options |= {} if words is None else {"word_ids": torch.from_numpy(words)}
    pair = reference.torch.masking.mask_tokens(torch.from_numpy(ids), torch.from_numpy(special), draws, MASK, **options)
    return tuple(array.numpy() for array in pair)


def in_mlx(ids: np.ndarray, special: np.ndarray, draws: Draws, **options):
    words = options.pop("word_ids", None)
    options |= {} if words is None else {"word_ids": mx.array(words)}
    pair = reference.mlx.masking.mask_tokens(mx.array(ids), mx.array(special), draws, MASK, **options)
    return tuple(np.array(array) for array in pair)


PORTS = {"torch": in_torch, "mlx": in_mlx}


def batch(texts: int, tokens: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Ids with [CLS] and [SEP] about each text and padding behind some, and the mask of those."""
    generator = np.random.default_rng(seed)
    ids = generator.integers(5, VOCABULARY, size=(texts, tokens))
    special = np.zeros_like(ids)
    special[:, 0] = 1
    for row, length in enumerate(generator.integers(2, tokens + 1, size=texts)):
        special[row, length - 1 :] = 1
        ids[row, length:] = 0
    return ids, special


def test_draws_are_the_same_for_the_same_seed():
    first, second, other = draw((3, 5), 100, 7), draw((3, 5), 100, 7), draw((3, 5), 100, 8)
    assert first.chosen.dtype == first.action.dtype == np.float32 and first.word.dtype == np.int64
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
def test_the_ports_decide_alike(texts, tokens, seed, probability, mask_share, random_part, span, words):
    ids, special = batch(texts, tokens, seed)
    draws = draw(ids.shape, VOCABULARY, seed)
    random_share = random_part * (1 - mask_share)
    options = {"probability": probability, "mask_share": mask_share, "random_share": random_share, "min_span": span}
    if words:
        options["word_ids"] = np.random.default_rng(seed).integers(0, 2, size=ids.shape).cumsum(axis=1)
    before = ids.copy(), special.copy()
    results = {name: port(ids, special, draws, **options) for name, port in PORTS.items()}
    assert (ids == before[0]).all() and (special == before[1]).all()
    for masked_ids, labels in results.values():
        assert (masked_ids == results["torch"][0]).all() and (labels == results["torch"][1]).all()
        chosen = labels != -100
        assert not (chosen & (special == 1)).any()
        assert (labels[chosen] == ids[chosen]).all() and (masked_ids[~chosen] == ids[~chosen]).all()
        replaced = masked_ids != ids
        assert np.isin(masked_ids[replaced], [MASK, *np.unique(draws.word)]).all()


def shares(labels: np.ndarray, masked_ids: np.ndarray, ids: np.ndarray) -> tuple[int, int, int, int]:
    """How many were chosen, masked, replaced by a word, and kept. No id is the mask or drawn as itself."""
    chosen = labels != -100
    masked = chosen & (masked_ids == MASK)
    kept = chosen & (masked_ids == ids)
    return int(chosen.sum()), int(masked.sum()), int((chosen & ~masked & ~kept).sum()), int(kept.sum())


def off(count: int, of: int, share: float) -> float:
    """How many standard deviations a count is from what is expected."""
    return abs(count - of * share) / np.sqrt(of * share * (1 - share))


@pytest.mark.parametrize("port", PORTS)
def test_the_shares_are_80_10_10(port):
    ids = np.full((200, 1000), 5)
    draws = draw(ids.shape, 10**6, 0)  # so many words that a random one is hardly ever the right one
    masked_ids, labels = PORTS[port](ids, np.zeros_like(ids), draws)
    chosen, masked, random, kept = shares(labels, masked_ids, ids)
    assert off(chosen, ids.size, 0.15) < 5
    assert off(masked, chosen, 0.8) < 5 and off(random, chosen, 0.1) < 5 and off(kept, chosen, 0.1) < 5
    # Shares drawn one after another, a half of the fifth that was not masked and then of what is left, give 81/10/9
    # or the like; the measure tells them apart.
    assert off(round(0.81 * chosen), chosen, 0.8) > 4


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
    inner = chosen[:, 10:40]  # far from special tokens the share is exact
    assert abs(inner.mean() - 0.15) < 0.01


@pytest.mark.parametrize("port", PORTS)
def test_words_are_chosen_as_a_whole(port):
    ids, special = batch(50, 60, 3)
    words = np.repeat(np.arange(20), 3)[None].repeat(50, axis=0)
    _, labels = PORTS[port](ids, special, draw(ids.shape, VOCABULARY, 2), probability=0.3, word_ids=words)
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
def test_draws_of_another_shape_are_refused(port):
    ids, special = batch(2, 8)
    with pytest.raises(InputError, match=r"draws\.chosen has shape"):
        PORTS[port](ids, special, draw((2, 9), VOCABULARY, 0))


@pytest.fixture(scope="module")
def tokenizer() -> transformers.PreTrainedTokenizerFast:
    words = "[PAD] [UNK] [CLS] [SEP] [MASK]".split() + [f"w{number}" for number in range(45)]
    plain = tokenizers.Tokenizer(tokenizers.models.WordLevel(dict(zip(words, range(50), strict=True)), "[UNK]"))
    plain.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    plain.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=plain,
        **{f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")},
    )


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**31),
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=6),
    options=st.sampled_from([(0.15, 0.8, 0.1), (0.5, 0.5, 0.5), (0.3, 1.0, 0.0), (0.3, 0.0, 1.0), (1.0, 0.3, 0.0)]),
    kind=st.sampled_from(["lists", "mappings", "mappings with their special tokens"]),
)
def test_the_collator_is_that_of_transformers(tokenizer, seed, lengths, options, kind):
    generator = np.random.default_rng(seed)
    texts = [" ".join(f"w{number}" for number in generator.integers(45, size=length)) for length in lengths]
    examples = [tokenizer(text, return_special_tokens_mask=kind.endswith("tokens")) for text in texts]
    if kind == "lists":
        examples = [example["input_ids"] for example in examples]
    probability, mask_share, random_share = options
    theirs = transformers.DataCollatorForLanguageModeling(
        tokenizer,
        mlm_probability=probability,
        mask_replace_prob=mask_share,
        random_replace_prob=random_share,
        seed=seed,
    )
    ours = torch.Generator().manual_seed(seed)
    for _ in range(2):  # the second batch goes on where the first left the generator
        expected = theirs([dict(e) if isinstance(e, transformers.BatchEncoding) else e for e in examples])
        found = reference.torch.masking.collate(examples, tokenizer, ours, *options)
        for key in expected:
            assert torch.equal(found[key], expected[key]), key


def test_the_collator_refuses_what_it_cannot_mask(tokenizer):
    with pytest.raises(InputError, match="examples is empty"):
        reference.torch.masking.collate([], tokenizer)
    with pytest.raises(InputError, match="add up"):
        reference.torch.masking.collate([[2, 5, 3]], tokenizer, mask_share=0.9, random_share=0.2)
