"""fit: data in, a folder and a model out, the same in three frameworks."""

import json
import math
from dataclasses import replace

import datasets
import numpy as np
import pytest
import torch
import transformers

import reference
from reference.backend import BACKENDS
from reference.errors import CheckpointError, ConfigError, InputError
from reference.families import BY_MODEL_TYPE
from reference.learning import accumulate
from reference.masking import IGNORED
from reference.training import fit, loop
from reference.training.checkpoints import FOLDER
from reference.training.fitting import prepare
from reference.training.logs import read_numbers
from reference.training.objectives import MaskedLM
from tests.training.conftest import SMALL, sentences

TEXTS = [f"{text} {n}" for n, text in enumerate(sentences(60))]


def begin(family, tokenizers, **more):
    """The arguments of a short run of a family."""
    return {
        "family": family,
        "tokenizer": tokenizers[family],
        "model_config": SMALL[family],
        "epochs": 2,
        "learning_rate": 1e-2,
        "batch_size": 8,
        "mask_prob": 0.3,
    } | more


def scores(folder):
    return json.loads((folder / "recipe.json").read_text())["scores"]


@pytest.mark.parametrize("family", SMALL)
def test_it_learns_alike_in_three_frameworks(family, tokenizers, tmp_path, capfd):
    """And what it writes opens in each of them, in Transformers too where it has the family."""
    found, losses = {}, {}
    for backend in BACKENDS:
        model = fit(TEXTS, tmp_path / backend, **begin(family, tokenizers, backend=backend))
        assert type(model).__name__ == "MaskedLM" and model.backend == backend
        found[backend] = scores(tmp_path / backend)
        numbers = read_numbers(tmp_path / backend / "logs" / "numbers.jsonl")
        losses[backend] = [line["loss"] for line in numbers if "loss" in line]
    assert capfd.readouterr() == ("", ""), "quiet unless it is asked"
    assert losses["torch"][-1] < losses["torch"][0] - 0.2
    assert found["torch"]["perplexity"] == pytest.approx(np.exp(found["torch"]["loss"]))
    for backend in BACKENDS[1:]:
        np.testing.assert_allclose(losses[backend], losses["torch"], rtol=1e-3)
        assert found[backend]["loss"] == pytest.approx(found["torch"]["loss"], rel=1e-3)
    folder = tmp_path / "mlx"
    models = {backend: reference.load(folder, backend=backend) for backend in BACKENDS}
    ids = np.array(models["torch"].tokenizer([TEXTS[0]]))
    logits = {backend: model.forward(ids)["logits"] for backend, model in models.items()}
    for backend in BACKENDS[1:]:
        np.testing.assert_allclose(logits[backend], logits["torch"], atol=1e-4)
    if family != "rope_encoder":
        theirs = transformers.AutoModelForMaskedLM.from_pretrained(folder)
        np.testing.assert_allclose(
            theirs(torch.tensor(ids)).logits.detach(), logits["torch"], atol=1e-4
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        assert tokenizer([TEXTS[0]])["input_ids"] == ids.tolist()


def test_every_form_of_data_is_the_same_data(tokenizers, tmp_path):
    file = tmp_path / "texts.txt"
    file.write_text("\n".join(TEXTS))
    dataset = datasets.Dataset.from_dict({"sentence": TEXTS})
    start = begin("rope_encoder", tokenizers, epochs=1)
    models = [
        fit(TEXTS, tmp_path / "list", **start),
        fit(str(file), tmp_path / "file", **start),
        fit(dataset, tmp_path / "dataset", **start, columns={"text": "sentence"}),
    ]
    first, *others = (model._model.state() for model in models)
    for other in others:
        for key, tensor in first.items():
            np.testing.assert_array_equal(other[key], tensor)


def test_a_model_is_gone_on_from(tokenizers, tmp_path):
    """From where it was: the loss goes on, and a base model gets a new head."""
    fit(TEXTS, tmp_path / "first", **begin("bert", tokenizers, epochs=4))
    before = scores(tmp_path / "first")["loss"]
    run = prepare(TEXTS, model=tmp_path / "first", mask_prob=0.3)
    there = reference.load(tmp_path / "first")._model.state()
    for key, tensor in run.learner().model.state().items():
        np.testing.assert_array_equal(tensor, there[key])
    fit(TEXTS, tmp_path / "second", model=tmp_path / "first", mask_prob=0.3, epochs=1)
    assert scores(tmp_path / "second")["loss"] < before + 0.05
    reference.load(tmp_path / "first", pipeline="embeddings").save(tmp_path / "base")
    base = prepare(TEXTS, model=tmp_path / "base").learner().model.state()
    key = "bert.embeddings.word_embeddings.weight"
    np.testing.assert_array_equal(base[key], there[key])


def test_the_plan(tokenizers):
    """Every row once an epoch, in groups of which the last may be smaller; chance follows from
    the seed and the step."""
    start = begin("rope_encoder", tokenizers, gradient_accumulation_steps=3)
    run = prepare(TEXTS, **start)
    *full, last = [len(step.batches) for step in run.epochs[0]]
    batches = math.ceil(len(run.rows) / 8)
    assert set(full) == {3} and last == batches - 3 * len(full) > 0
    for epoch in run.epochs:
        assert sum(step.tokens for step in epoch) == sum(map(len, run.rows))
    again = prepare(TEXTS, **start)
    for step, other in zip(run.plan, again.plan, strict=True):
        for make, same in zip(step.batches, other.batches, strict=True):
            np.testing.assert_array_equal(make().inputs.input_ids, same().inputs.input_ids)
    first, second = run.plan[0].batches[0](), run.epochs[1][0].batches[0]()
    assert first.inputs.input_ids.tolist() != second.inputs.input_ids.tolist()
    small = prepare(TEXTS, **start | {"batch_tokens": 40, "batch_size": 100})
    sizes = [len(make().inputs.input_ids) for step in small.plan for make in step.batches]
    assert max(sizes) <= 40 and np.mean(sizes) > 28


@pytest.mark.parametrize("family", BY_MODEL_TYPE)
def test_every_family_begins_anew(family, tokenizers):
    """With the vocabulary and the special ids of the tokenizer."""
    known = BY_MODEL_TYPE[family].config.__dataclass_fields__
    sizes = {key: size for key, size in SMALL["bert"].items() if key in known}
    start = {"family": family, "tokenizer": tokenizers["bert"], "model_config": sizes}
    if family == "mpnet":
        with pytest.raises(ConfigError, match="pad_token_id is 0; mpnet pads with 1"):
            prepare(TEXTS, **start)
        return
    if family == "char_encoder":  # tests/training/objectives/test_masked_characters.py
        with pytest.raises(CheckpointError, match=r"no characters\.json"):
            prepare(TEXTS, **start | {"model_config": {}}).rows  # noqa: B018
        return
    run = prepare(TEXTS, **start)
    assert run.config.vocab_size == 70 and run.config.pad_token_id == 0
    assert run.config.bos_token_id in (None, 2)
    subject = run.learner()
    found = [accumulate(subject, [step.batches[0]()]) for step in run.plan[:1]]
    assert found[0] == pytest.approx(np.log(70), abs=0.2)


@pytest.mark.parametrize("family", SMALL)
def test_only_hidden_words_are_scored(family, tokenizers, backend):
    """It changes neither the loss nor its gradient."""
    run = prepare(TEXTS, **begin(family, tokenizers, backend=backend))
    example, model = run.plan[0].batches[0](), run.learner().model
    inputs = example.inputs
    labels = np.full(inputs.input_ids.shape, IGNORED)
    labels[inputs.places] = example.labels
    assert 0 < len(inputs.places) < 0.6 * len(labels)
    found, gradients = model.gradients(inputs, example.labels)
    loss, expected = model.gradients(replace(inputs, places=None), labels)
    assert found == pytest.approx(loss, rel=1e-5)
    for key, gradient in expected.items():
        np.testing.assert_allclose(gradients[key], gradient, atol=1e-5, err_msg=key)


def test_what_is_held_out_is_not_trained_on(tokenizers):
    """A share of the different texts; a text that comes twice goes one way."""
    run = prepare([*TEXTS, *TEXTS[:20]], **begin("bert", tokenizers, validation_split=0.25))
    assert len(set(run.held_out)) == 15 and not set(run.held_out) & set(run.training)
    assert len(run.held_out) + len(run.training) == 80
    other = prepare(TEXTS, **begin("bert", tokenizers), validation=["The river."])
    assert other.held_out == ["The river."] and len(other.training) == 60
    assert prepare(TEXTS, **begin("bert", tokenizers, validation_split=0)).judge is None


def scored(monkeypatch, losses):
    """Held-out losses that are known beforehand; and the models that were asked."""
    seen, left = [], list(losses)

    def scores(self, model, rows, given):
        seen.append({key: array.copy() for key, array in model.state().items()})
        return {"loss": left.pop(0)}

    monkeypatch.setattr(MaskedLM, "scores", scores)
    return seen


def test_the_best_model_is_kept_and_patience_ends_a_run(tokenizers, tmp_path, monkeypatch):
    seen = scored(monkeypatch, [3.0, 1.0, 2.0, 1.5, 9.0])
    start = begin("rope_encoder", tokenizers, epochs=9, keep_checkpoints=1, patience=2)
    model = fit(TEXTS, tmp_path / "model", **start)
    assert len(seen) == 4, "two looks after the best one it ends"
    for key, tensor in model._model.state().items():
        np.testing.assert_array_equal(tensor, seen[1][key])
    facts = json.loads((tmp_path / "model" / "recipe.json").read_text())
    assert facts["best_step"] * 2 == facts["steps_taken"] < facts["steps"]
    assert facts["scores"] == {"loss": 1.0}


class Ended(Exception):  # noqa: N818
    pass


@pytest.mark.parametrize("calls", [3, 9, 14, 21])
def test_an_ended_run_goes_on_with_its_patience(tokenizers, tmp_path, monkeypatch, calls):
    """Best model, looks that were waited, and logs are those of a run that was not ended."""
    losses = [3.0, 1.0, 2.0, 0.5, 4.0, 4.0, 4.0]
    start = begin("rope_encoder", tokenizers, epochs=9, patience=2, checkpoint_steps=2)
    start |= {"evaluation_steps": 4, "keep_checkpoints": 1}
    with monkeypatch.context() as patch:
        scored(patch, losses)
        whole = fit(TEXTS, tmp_path / "whole", **start)._model.state()
    plain, count = loop.accumulate, 0

    def stop(*arguments):
        nonlocal count
        count += 1
        if count == calls:
            raise Ended
        return plain(*arguments)

    folder = tmp_path / "ended"
    with monkeypatch.context() as patch, pytest.raises(Ended):
        patch.setattr(loop, "accumulate", stop)
        scored(patch, losses)
        fit(TEXTS, folder, **start)
    assert len(list((folder / FOLDER).glob("step-*"))) <= 2
    with pytest.raises(InputError, match="holds an unfinished run; resume goes on with it"):
        fit(TEXTS, folder, **start)
    with pytest.raises(InputError, match="is of another run: settings was"):
        fit(TEXTS, folder, **start | {"seed": 7}, resume=True)
    scored(monkeypatch, losses[(calls - 1) // 4 :])
    found = fit(TEXTS, folder, **start, resume=True)._model.state()
    for key, tensor in whole.items():
        np.testing.assert_array_equal(found[key], tensor)
    for name in ("recipe.json", "logs/numbers.jsonl"):
        found, expected = ((tmp_path / run / name).read_text() for run in ("ended", "whole"))
        assert found == expected
    assert "going on after step" in (folder / "logs" / "run.log").read_text()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objective": "masked"}, "objective 'masked' is unknown; it is one of masked-lm"),
        ({"backend": "jax"}, "backend 'jax' is unknown"),
        ({"learning_rat": 1}, "has no 'learning_rat'; did you mean learning_rate?"),
        ({"mask_prob": 1.5}, "probability is 1.5"),
        ({"mask_prob": 0}, "mask_prob is 0, which hides no word"),
        ({"batch_size": 0}, "batch_size is 0; it must be a whole number of at least 1"),
        ({"validation_split": 1}, "validation_split is 1; it must be at least 0 and less"),
        ({"validation_split": 0, "patience": 1}, "patience waits for better scores, but"),
        ({"clip": 0}, "clip is 0"),
        ({"schedule": "steps"}, "schedule 'steps' is unknown"),
        ({"max_tokens": 17}, "max_tokens is 17, but this model takes 16"),
        (
            {"model": "x"},
            "give a model to go on from, or a family to begin anew with, not both",
        ),
        ({"family": None}, "give a model to go on from, or a family to begin anew with"),
        ({"family": "rope"}, "family 'rope' is unknown; it is one of bert, "),
        ({"tokenizer": None}, "a new rope_encoder needs a tokenizer"),
        ({"tokenizer": "nowhere"}, "there is no folder 'nowhere'"),
        ({"model_config": {"num_layer": 1}}, "has no 'num_layer'; did you mean num_layers"),
        ({"model_config": {"vocab_size": 9}}, "a rope_encoder has no 'vocab_size'"),
        ({"columns": {"texts": "a"}}, "has no 'texts'; did you mean text?"),
    ],
)
def test_what_cannot_be_meant(changes, message, tokenizers, tmp_path):
    with pytest.raises(InputError, match=message):
        fit(TEXTS, tmp_path / "model", **begin("rope_encoder", tokenizers) | changes)
    assert not (tmp_path / "model").exists()


def test_too_little_text(tokenizers, tmp_path):
    start = begin("rope_encoder", tokenizers)
    for texts in ([], ["one"]):
        with pytest.raises(InputError, match="at least one of each is needed"):
            fit(texts, tmp_path / "model", **start)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")
    with pytest.raises(InputError, match="is not empty"):
        fit(TEXTS, tmp_path / "full", **start)


def test_an_estimate_takes_no_step(tokenizers):
    run = prepare(TEXTS, **begin("bert", tokenizers, epochs=50))
    found = run.estimate()
    assert found.steps == len(run.plan) and found.tokens == 50 * sum(map(len, run.rows))
    first = run.learner().model.state()
    assert found.parameters == sum(tensor.size for tensor in first.values())
    assert 0 < found.seconds < 300 and "54 samples in 54 rows, 6 held out" in str(found)
