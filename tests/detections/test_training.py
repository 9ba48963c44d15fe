"""Learning to label chosen pieces of texts, with the loop that all objectives share."""

import json

import numpy as np
import pytest

import reference
from reference.checkpoint import SMALL_MODERNBERT, read_checkpoint
from reference.errors import InputError
from reference.pipelines.masked_sequence import MaskedSequence as Pipeline
from reference.text import read_tokenizer
from reference.training import fit
from reference.training.objectives import Given, MaskedSequence
from reference.training.objectives.masked_sequence import _windows

BACKENDS = ("torch", "mlx", "candle")
COLUMNS = MaskedSequence.columns
LIVING = ("cat", "dog")
MARKED = [
    (
        f"The [[{thing}]] is on the [[{place}]].",
        [["living" if thing in LIVING else "dead"], None],
    )
    for thing in (*LIVING, "rock", "cup")
    for place in ("mat", "table", "chair", "floor")
]


@pytest.mark.parametrize("kind", ["multilabel", "multiclass"])
def test_three_backends_learn_the_same(detector, tmp_path, kind):
    losses, found = {}, {}
    for backend in BACKENDS:
        model = fit(
            MARKED,
            tmp_path / backend,
            objective="masked-sequence",
            model=detector(num_labels=2),
            backend=backend,
            kind=kind,
            span_pooling="first_last",
            class_weights={"dead": 2.0},
            batch_size=5,
            gradient_accumulation_steps=2,
            epochs=2,
            learning_rate=1e-3,
            validation_split=0.25,
        )
        assert isinstance(model, Pipeline)
        recipe = json.loads((tmp_path / backend / "recipe.json").read_text())
        losses[backend] = [loss for _, loss in recipe["losses"]]
        found[backend] = model.probabilities(["a [[cat]] and a [[cup]]"])[0]
        on_it = read_checkpoint(tmp_path / backend).config.detections
        assert (on_it.span_pooling, on_it.class_weights) == ("first_last", (2.0, 1.0))
        assert {"loss", "accuracy", "macro_f1"} <= set(recipe["scores"])
        again = reference.load(tmp_path / backend, backend="torch")
        assert again.multiclass == (kind == "multiclass")
    for backend in BACKENDS[1:]:
        np.testing.assert_allclose(losses[backend], losses["torch"], rtol=2e-3)
        np.testing.assert_allclose(found[backend], found["torch"], atol=2e-2)


def test_the_held_out_loss_is_that_of_training(detector):
    """The same function, whether it is learned from or scored by."""
    folder = detector(
        num_labels=2,
        id2label={"0": "dead", "1": "living"},
        pos_weight=[2.0, 0.5],
        class_weights=[1.0, 3.0],
        span_pooling="mean",
    )
    checkpoint = read_checkpoint(folder)
    given = Given(read_tokenizer(folder, checkpoint.config), checkpoint.config, 64)
    model = reference.load(folder)
    objective = MaskedSequence()
    rows = objective.rows(objective.samples(MARKED, COLUMNS), given)
    example = objective.example(rows, given, 0)
    loss, _ = model.model.gradients(example.inputs, example.labels)
    assert objective.scores(model.model, rows, given)["loss"] == pytest.approx(loss, rel=1e-6)
    assert example.count == 2 * len(
        MARKED
    )  # of each text one detection counts, and both labels


def samples(*data):
    return MaskedSequence().samples(list(data), COLUMNS)


def test_forms_of_data():
    text = "a cat sat"
    marked = samples(("a [[cat]] [[sat]]", ["x", ["y", "z"]]))[0]
    spans = samples((text, [(2, 5, "x"), (6, 9, ["y", "z"])]))[0]
    tables = samples(
        {
            "text": text,
            "spans": [
                {"start": 1, "end": 6, "label": "x"},
                {"start": 6, "end": 9, "labels": {"y": 1, "z": 1.0}},
            ],
        }
    )[0]
    assert marked == spans == tables
    (one,) = samples((text, [(2, 5, {"x": 0.25, "y": None}), (6, 9, None)]))
    assert one.labels == ({"x": 0.25, "y": None}, None)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("a cat", [(2, 9, "x")]), "does not lie in"),
        (("a cat", [(1, 2, "x")]), "white space"),
        (("a cat", ["x"]), "no marks"),
        (("a [[cat]]", ["x", "y"]), "1 marked pieces and labels for 2"),
        (("a [[cat]]", ["x", (0, 1, "y")]), "some spans say where they are"),
        (("a [[cat]]", [[1]]), "labels are"),
        (("a [[cat]]", [{"x": 2}]), "labels are"),
        (("a [[cat]]", "x"), "they must be a list"),
        (("", [None]), "must be a text"),
    ],
)
def test_data_that_cannot_be_is_refused(row, message):
    with pytest.raises(InputError, match=message):
        samples(row)


def test_settings_that_cannot_be_are_refused(detector, tmp_path):
    for settings, message in (
        ({"kind": "both"}, "kind"),
        ({"span_pooling": "last"}, "span_pooling"),
        ({"kind": "multiclass", "pos_weight": {"a": 2}}, "multilabel only"),
        ({"class_weights": {"other": 2.0}}, "class_weights has 'other'"),
        ({"pos_weight": {"other": 2.0}}, "pos_weight has 'other'"),
    ):
        with pytest.raises(InputError, match=message):
            fit(
                MARKED,
                tmp_path / "out",
                objective="masked-sequence",
                model=detector(num_labels=2),
                **settings,
            )
        assert not (tmp_path / "out" / "config.json").exists()
    folder = detector(num_labels=2)
    two = [("a [[cat]]", [["living", "dead"]]), ("a [[cup]]", ["dead"])]
    with pytest.raises(InputError, match="multiclass model has exactly one"):
        fit(
            two,
            tmp_path / "out",
            objective="masked-sequence",
            model=folder,
            kind="multiclass",
            validation_split=0,
        )
    with pytest.raises(InputError, match="no piece of these texts has a label"):
        fit(
            [(f"a [[cat]] {number}", [None]) for number in range(3)],
            tmp_path / "out",
            objective="masked-sequence",
            model=folder,
            validation_split=0,
        )


def test_a_long_text_is_learned_in_windows_that_hold_every_detection_once(detector):
    folder = detector(num_labels=1, id2label={"0": "x"})
    config = read_checkpoint(folder).config
    tokenizer = read_tokenizer(folder, config)
    given = Given(tokenizer, config, 24)
    words = "angle axis vector matrix sum mean line path".split() * 20
    text = " ".join(words)
    starts = np.cumsum([0, *(len(word) + 1 for word in words)])
    chosen = [0, 3, 40, 41, 60, 100, 158, 159]
    spans = [(int(starts[n]), int(starts[n] + len(words[n])), "x") for n in chosen]
    objective = MaskedSequence()
    rows = objective.rows(objective.samples([(text, spans)], COLUMNS), given)
    assert all(len(row) <= 24 for row in rows)
    found = [
        tokenizer.decode(list(row.ids[first : last + 1])).strip()
        for row in rows
        for first, last in row.label.tokens
    ]
    assert found == [words[n] for n in chosen]
    assert len(rows) < len(chosen)  # those that are near share a window
    with pytest.raises(InputError, match="this model reads 22"):
        objective.rows(objective.samples([(text, [(0, 400, "x")])], COLUMNS), given)


def test_windows_hold_spans_whole():
    generator = np.random.default_rng(0)
    for _ in range(200):
        tokens, room = int(generator.integers(10, 80)), int(generator.integers(5, 10))
        first = generator.integers(0, tokens, size=6)
        last = np.minimum(first + generator.integers(0, room, size=6), tokens - 1)
        spans = list(zip(first.tolist(), last.tolist(), strict=True))
        windows = _windows(spans, tokens, room)
        assert sorted(n for _, own in windows for n in own) == list(range(6))
        for start, own in windows:
            assert 0 <= start <= max(0, tokens - room)
            assert all(start <= spans[n][0] and spans[n][1] < start + room for n in own)


def test_going_on_keeps_what_the_model_knows(tmp_path):
    """A second run with other data of the same labels keeps head, pooling and task."""
    first = fit(
        MARKED,
        tmp_path / "first",
        objective="masked-sequence",
        model=SMALL_MODERNBERT,
        kind="multiclass",
        span_pooling="mean",
        epochs=1,
        validation_split=0,
    )
    second = fit(
        MARKED[:4],
        tmp_path / "second",
        objective="masked-sequence",
        model=tmp_path / "first",
        epochs=1,
        learning_rate=0.0,
        validation_split=0,
    )
    assert second.multiclass
    assert second.config.detections == first.config.detections
    ask = ["the [[cat]]"]
    np.testing.assert_allclose(second.probabilities(ask), first.probabilities(ask), atol=1e-6)
