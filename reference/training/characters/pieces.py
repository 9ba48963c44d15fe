"""The output tokens that a character model is asked for, learned from how often each word comes
(reference/text/output_tokens.py says what they are)."""

from __future__ import annotations

import json
from collections import Counter

import tokenizers
from tokenizers import models, pre_tokenizers, trainers

from reference.errors import InputError
from reference.text.output_tokens import BYTES, OutputTokens, characters_in, made_of, split
from reference.training.tokenizer.hugging_face import repeated
from reference.training.tokenizer.running import run_apart


def learn_output_tokens(
    words: list[tuple[str, int]], vocab_size: int, least: int
) -> OutputTokens:
    """Output tokens from how often each word comes: at most so many pieces, and of these the
    ones with at least so many characters."""
    return run_apart(lambda: _learn(words, vocab_size, least), lambda: None)


def _learn(words: list[tuple[str, int]], vocab_size: int, least: int) -> OutputTokens:
    parts: Counter[str] = Counter()
    apart = split()
    for word, count in words:
        for part, _ in apart.pre_tokenize_str(word):
            parts[part] += count
    learner = tokenizers.Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, special_tokens=[], show_progress=False)
    learner.train_from_iterator(repeated(parts.copy()), trainer)
    pieces = learner.get_vocab()
    if len(pieces) > vocab_size:
        raise InputError(
            f"vocab_size is {vocab_size}, but these texts have {len(pieces)} different bytes, "
            f"each of which is a piece; give a vocab_size of {len(pieces)} or more"
        )
    counts: Counter[str] = Counter()
    for part, count in parts.items():
        for token in learner.model.tokenize(part):
            counts[token.value] += count
    long = [piece for piece in counts if characters_in(piece) >= least]
    # Of texts that have none there is nothing to ask, but what they are can be learned.
    asked = long or list(counts)
    answers = sorted(asked, key=lambda piece: (-counts[piece], piece))
    others = sorted({*pieces, *BYTES} - set(answers))
    merges = json.loads(learner.to_str())["model"]["merges"]
    vocab = {piece: number for number, piece in enumerate([*answers, *others])}
    return OutputTokens(made_of(vocab, merges), len(answers))
