"""Training a small masked language model: the way of the text into batches, the baselines, and
that it learns."""

import json
import math
import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import tokenizers
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

import reference
from reference.backend import BACKENDS, build
from reference.checkpoint import read_checkpoint
from reference.errors import InputError
from reference.families.initial import initial_tensors
from reference.masking import IGNORED
from reference.training import command, masked_lm
from reference.training.baselines import Bigram, Unigram, count
from reference.training.masked_lm import (
    Recipe,
    batches,
    cut,
    evaluate,
    evaluate_baseline,
    masked,
    questions,
    split,
    train,
)
from reference.training.tokenizer import Options, tokenizer_files
from reference.training.tokenizer.hugging_face import MASK, PAD, SPECIAL
from tests.shapes import shapes_not_looked_at

NAMES = ["river", "stone", "window", "garden", "letter", "market"]
COLOURS = ["red", "green", "blue", "white"]
TINY = Recipe(
    vocab_size=313,  # all that the language below has
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=48,
    local_attention=8,
    max_tokens=32,
    batch_tokens=128,
    epochs=12,
    learning_rate=5e-3,
)


def train_tokenizer(texts: list[str], most: int) -> tokenizers.Tokenizer:
    """As the recipe does, with as many pieces as the texts have, `most` at most."""
    try:
        files = tokenizer_files(texts, Options("byte-bpe", most, lower_case=True))
    except InputError as error:
        (there,) = re.findall("these texts have ([0-9]+) pieces", str(error))
        return train_tokenizer(texts, int(there))
    return tokenizers.Tokenizer.from_str(files["tokenizer.json"].decode())


def sentences(number: int) -> list[tuple[str, str]]:
    """Of a language in which the last word is the first one again: no word before it tells."""
    generator = np.random.default_rng(0)
    picks = zip(generator.choice(NAMES, number), generator.choice(COLOURS, number), strict=True)
    return [
        (f"module {n}", f"The {name} that is {colour} is a {name}.")
        for n, (name, colour) in enumerate(picks)
    ]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A checkpoint of the tiny recipe, and what the run said of it."""
    folder, lines = tmp_path_factory.mktemp("made") / "model", []
    with shapes_not_looked_at():  # a thousand steps; those of fewer are looked at
        facts = command.make(folder, sentences(900), TINY, lines.append)
    return folder, facts, lines


def test_it_learns_what_a_bigram_cannot(made):
    _, facts, lines = made
    model, bigram, unigram = (facts["scores"][name] for name in ("model", "bigram", "unigram"))
    assert model["loss"] < 0.5 * bigram["loss"] and bigram["loss"] < 0.6 * unigram["loss"]
    assert model["accuracy"] > 1.2 * bigram["accuracy"]
    assert lines[-1].startswith("step ") and facts["text"]["held_out_texts"] > 10


def test_the_checkpoint_loads_here_and_in_transformers_and_fills_a_mask(made):
    folder, facts, _ = made
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    text = f"The stone that is blue is a {tokenizer.mask_token}."
    model = reference.load(folder)
    assert type(model).__name__ == "MaskedLM"
    ids = model.tokenizer([text])
    assert ids == tokenizer([text])["input_ids"]
    logits = model.forward(np.array(ids))["logits"]
    theirs = transformers.AutoModelForMaskedLM.from_pretrained(folder)(torch.tensor(ids)).logits
    np.testing.assert_allclose(logits, theirs.detach().numpy(), atol=1e-4)
    assert (
        tokenizer.decode(logits[0, ids[0].index(tokenizer.mask_token_id)].argmax()).strip()
        == "stone"
    )
    assert json.loads((folder / command.RECIPE_FILE).read_text()) == facts


def test_the_evaluation_is_that_of_transformers(made):
    """The same questions, answered by Transformers and scored with PyTorch's cross entropy."""
    folder, facts, _ = made
    checkpoint = read_checkpoint(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    _, held_out = split(sentences(900))
    rows = cut(tokenizer.backend_tokenizer, held_out, TINY.max_tokens)
    for backend in BACKENDS:
        port = build(backend, checkpoint.config, "ModernBertForMaskedLM", checkpoint.tensors)
        score = evaluate(port, rows, checkpoint.config, tokenizer.mask_token_id, TINY)
        assert score.accuracy == facts["scores"]["model"]["accuracy"]
        assert score.loss == pytest.approx(facts["scores"]["model"]["loss"], rel=1e-5)
    model = transformers.AutoModelForMaskedLM.from_pretrained(
        folder, sparse_prediction=False
    ).eval()
    losses = []
    for ids, labels, mask in questions(rows, checkpoint.config, tokenizer.mask_token_id, TINY):
        assert ((labels != IGNORED) == (ids == tokenizer.mask_token_id)).all()
        with torch.inference_mode():
            logits = model(torch.tensor(ids), attention_mask=torch.tensor(mask)).logits
        losses += torch.nn.functional.cross_entropy(
            logits[labels != IGNORED],
            torch.tensor(labels[labels != IGNORED]),
            reduction="none",
        )
    assert len(losses) == score.words
    assert score.loss == pytest.approx(float(np.mean(losses)), rel=1e-5)


def test_the_evaluation_scores_no_token_but_the_hidden(made):
    """Scores of a whole vocabulary for every token cost more than a small model's layers."""
    checkpoint = read_checkpoint(made[0])
    config, mask_id = checkpoint.config, 5
    model = build("torch", config, "ModernBertForMaskedLM", checkpoint.tensors)

    class Watched:
        scored = 0

        def forward(self, inputs):
            outputs = model.forward(inputs)
            self.scored += outputs["logits"].size // config.vocab_size
            return outputs

    watched = Watched()
    score = evaluate(watched, [[2, *range(10, 40), 3]] * 5, config, mask_id, TINY)
    assert watched.scored == score.words < 5 * 30


@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=60),
    budget=st.integers(1, 200),
    seed=st.integers(0, 100),
)
def test_batches_hold_every_row_once_and_keep_to_the_budget(lengths, budget, seed):
    rows = [[number] * length for number, length in enumerate(lengths)]
    found = batches(rows, budget, np.random.default_rng(seed))
    assert sorted(row[0] for batch in found for row in batch) == list(range(len(rows)))
    for batch in found:
        assert len(batch) * max(map(len, batch)) <= budget or len(batch) == 1


@given(words=st.integers(0, 90), limit=st.integers(3, 40))
def test_cut_rows_hold_the_text_in_its_order(words, limit):
    tokenizer = train_tokenizer([" ".join(NAMES)], 300)
    text = " ".join(NAMES[number % 6] for number in range(words))
    rows = cut(tokenizer, [text], limit)
    start, end = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    assert all(row[0] == start and row[-1] == end and 3 <= len(row) <= limit for row in rows)
    assert [id for row in rows for id in row[1:-1]] == tokenizer.encode(
        text, add_special_tokens=False
    ).ids
    assert not rows or max(map(len, rows)) - min(map(len, rows)) <= 1


def test_all_texts_of_a_module_go_the_same_way():
    texts = [(f"module {number % 200}", f"text {number}") for number in range(1000)]
    training, held_out = split(texts)
    assert len(training) + len(held_out) == 1000 and held_out
    module = {text: module for module, text in texts}
    assert not {module[text] for text in training} & {module[text] for text in held_out}


def test_the_tokenizer_has_its_specials_first_and_loses_no_character():
    tokenizer = train_tokenizer(["the river and the stone"], 300)
    assert [tokenizer.token_to_id(token) for token in SPECIAL] == list(range(5))
    encoded = tokenizer.encode("the stône 🙂 [MASK], and")
    assert (
        encoded.ids[0] == tokenizer.token_to_id("[CLS]")
        and tokenizer.token_to_id("[UNK]") not in encoded.ids
    )
    assert tokenizer.decode(encoded.ids) == "the stône 🙂, and"
    # The mask stands for a word with the space before it.
    assert tokenizer.encode("the [MASK] stone").ids[3:] == tokenizer.encode(" stone").ids[1:]


def test_baselines_by_hand():
    """Of ids 0 to 4, 0 begins a row and 4 ends it: 1 comes three times, 2 twice, 3 once."""
    counts = count([[0, 1, 2, 1, 2, 4], [0, 1, 3, 4]], vocab_size=5)
    single = np.array([1, 4, 3, 2, 1]) / 11
    np.testing.assert_allclose(Unigram(counts).predict(1), single)
    bigram = Bigram(counts)
    np.testing.assert_allclose(
        bigram.predict(0), single * 1 / 3 + np.array([0, 2, 0, 0, 0]) / 3
    )
    np.testing.assert_allclose(
        bigram.predict(1), single * 2 / 5 + np.array([0, 0, 2, 1, 0]) / 5
    )
    for unseen in (None, 3, 4):  # nothing is counted behind 3: the row ends there
        np.testing.assert_allclose(bigram.predict(unseen), single)
    for before in (None, 0, 1, 2, 3, 4):
        assert bigram.predict(before).sum() == pytest.approx(1)


def test_a_baseline_is_asked_the_same_questions_and_scored_as_a_model_is():
    tokenizer = train_tokenizer([text for _, text in sentences(50)], 300)
    rows = cut(tokenizer, [text for _, text in sentences(200)], 32)
    config, mask_id = TINY.config(tokenizer), tokenizer.token_to_id(MASK)
    counts = count(rows, config.vocab_size)
    for baseline in (Unigram(counts), Bigram(counts)):
        losses, right = [], []
        for ids, labels, _ in questions(rows, config, mask_id, TINY):
            for row, place in np.argwhere(labels != IGNORED):
                assert ids[row, place] == mask_id
                before = int(ids[row, place - 1])
                guess = baseline.predict(None if before == mask_id else before)
                losses.append(-np.log(guess[labels[row, place]]))
                right.append(guess.argmax() == labels[row, place])
        score = evaluate_baseline(baseline, rows, config, mask_id, TINY)
        assert score.words == len(losses) > 200
        assert score.loss == pytest.approx(np.mean(losses)) and score.accuracy == pytest.approx(
            np.mean(right)
        )
        assert score.loss < np.log(config.vocab_size)


def test_short_rows_in_which_nothing_is_masked_are_steps_without_a_step():
    tokenizer = train_tokenizer(["river"], 300)
    rows = cut(tokenizer, ["a"] * 30, 32)
    recipe, seen = replace(TINY, batch_tokens=3, epochs=1), []
    tensors = train(
        rows, TINY.config(tokenizer), tokenizer.token_to_id(MASK), recipe, seen.append
    )
    assert seen[-1].step == seen[-1].steps == 30
    assert all(np.isfinite(tensor).all() for tensor in tensors.values())


def test_the_learning_rate_rises_and_falls():
    rates = [TINY.schedule.rate(step, 200) for step in range(200)]
    top = rates.index(max(rates))
    assert top in (9, 10) and rates[top] == pytest.approx(TINY.learning_rate)
    assert all(a < b for a, b in pairwise(rates[:10]))
    assert all(a > b for a, b in pairwise(rates[10:]))
    assert 0.01 * TINY.learning_rate <= rates[-1] < 0.02 * TINY.learning_rate
    assert math.isclose(TINY.schedule.rate(0, 1), TINY.learning_rate)


def test_a_text_that_names_a_special_token_holds_none():
    tokenizer = train_tokenizer(["the [MASK] token"], 300)
    (row,) = cut(tokenizer, ["the [MASK] token and [SEP]"], 64)
    specials = {tokenizer.token_to_id(token) for token in SPECIAL}
    assert not specials & set(row[1:-1])
    assert tokenizer.token_to_id(MASK) in tokenizer.encode("the [MASK] token").ids, (
        "users can still ask"
    )


def test_the_seed_decides_on_order_and_masks_too():
    tokenizer = train_tokenizer([text for _, text in sentences(50)], 300)
    rows = cut(tokenizer, [text for _, text in sentences(50)], 32)
    config, mask_id = TINY.config(tokenizer), tokenizer.token_to_id(MASK)
    same_weights = initial_tensors(config, seed=0)

    def trained(seed):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(masked_lm, "initial_tensors", lambda config, seed: same_weights)
            return train(rows, config, mask_id, replace(TINY, epochs=1, seed=seed))[
                "decoder.bias"
            ]

    np.testing.assert_array_equal(trained(1), trained(1))
    assert np.abs(trained(1) - trained(2)).max() > 1e-3


def test_padding_is_never_chosen():
    tokenizer = train_tokenizer([text for _, text in sentences(50)], 300)
    rows = cut(tokenizer, [text for _, text in sentences(50)] + ["river"], 32)
    config = TINY.config(tokenizer)
    ids, labels, mask = masked(rows, config, tokenizer.token_to_id(MASK), 3, probability=0.9)
    assert (mask == 0).any() and (ids[mask == 0] == tokenizer.token_to_id(PAD)).all()
    assert (labels[mask == 0] == IGNORED).all() and (labels[:, 0] == IGNORED).all()


def run(*arguments):
    from reference.__main__ import main

    return main(["train", *map(str, arguments)])


def test_the_command_trains_on_a_file(tmp_path, capsys):
    text = tmp_path / "text.txt"
    text.write_text(
        "\n".join(
            f"{text} So it is {number} times."
            for number, (_, text) in enumerate(sentences(300))
        )
    )
    sizes = ("--epochs", 1, "--vocab-size", 300, "--hidden-size", 24, "--layers", 1)
    assert run(tmp_path / "model", "--corpus", text, *sizes) == 0
    printed = capsys.readouterr().out
    assert "unigram" in printed and "bigram" in printed and "hidden words" in printed
    assert read_checkpoint(tmp_path / "model").config.num_hidden_layers == 1


def test_bad_input(tmp_path, capsys):
    text = tmp_path / "text.txt"
    text.write_text("one sentence\n\n")
    for arguments, words in [
        ((tmp_path / "model", "--corpus", tmp_path / "none.txt"), "cannot be read"),
        ((tmp_path / "model", "--corpus", text), "too few"),
        ((text, "--corpus", text), "no folder"),
        ((tmp_path / "model", "--corpus", text, "--epochs", 0), "--epochs"),
        ((tmp_path / "model", "--corpus", text, "--hidden-size", 100), "a multiple of 6"),
        ((tmp_path, "--corpus", text), "not empty"),
        ((text / "model", "--corpus", text), "cannot be made"),
    ]:
        assert run(*arguments) == 2
        assert words in capsys.readouterr().err
    assert not (tmp_path / "model").exists()
    with pytest.raises(InputError, match="too few"):
        command.make(tmp_path / "model", [], TINY, lambda line: None)
    held_out = next(f"m{n}" for n in range(1000) if split([(f"m{n}", "")])[1])
    with pytest.raises(InputError, match="too short to hide a word"):
        command.make(
            tmp_path / "model",
            [*sentences(30), (held_out, "a")],
            replace(TINY, epochs=1),
            lambda line: None,
        )
    assert not (tmp_path / "model").exists()
