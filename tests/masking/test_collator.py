"""The collator of Transformers beside ours."""

import numpy as np
import pytest
import tokenizers
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

import reference.candle.masking
import reference.mlx.masking
import reference.torch.masking
from reference.errors import InputError


@pytest.fixture(scope="module")
def tokenizer() -> transformers.PreTrainedTokenizerFast:
    words = "[PAD] [UNK] [CLS] [SEP] [MASK]".split() + [f"w{number}" for number in range(45)]
    plain = tokenizers.Tokenizer(
        tokenizers.models.WordLevel(dict(zip(words, range(50), strict=True)), "[UNK]")
    )
    plain.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    plain.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=plain,
        **{
            f"{name}_token": f"[{name.upper()}]"
            for name in ("pad", "unk", "cls", "sep", "mask")
        },
    )


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**31),
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=6),
    options=st.sampled_from(
        [(0.15, 0.8, 0.1), (0.5, 0.5, 0.5), (0.3, 1.0, 0.0), (0.3, 0.0, 1.0), (1.0, 0.3, 0.0)]
    ),
    kind=st.sampled_from(["lists", "mappings", "mappings with their special tokens"]),
)
def test_the_collator_is_that_of_transformers(tokenizer, seed, lengths, options, kind):
    generator = np.random.default_rng(seed)
    texts = [
        " ".join(f"w{number}" for number in generator.integers(45, size=length))
        for length in lengths
    ]
    examples = [
        tokenizer(text, return_special_tokens_mask=kind.endswith("tokens")) for text in texts
    ]
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
        expected = theirs(
            [dict(e) if isinstance(e, transformers.BatchEncoding) else e for e in examples]
        )
        found = reference.torch.masking.collate(examples, tokenizer, ours, *options)
        for key in expected:
            assert torch.equal(found[key], expected[key]), key


def test_the_collator_refuses_what_it_cannot_mask(tokenizer):
    with pytest.raises(InputError, match="examples is empty"):
        reference.torch.masking.collate([], tokenizer)
    with pytest.raises(InputError, match="add up"):
        reference.torch.masking.collate(
            [[2, 5, 3]], tokenizer, mask_share=0.9, random_share=0.2
        )
