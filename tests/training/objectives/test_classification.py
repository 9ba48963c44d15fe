"""Labels of texts and of tokens: what data may look like, and that they are learned in three
frameworks."""

import json
import warnings

import datasets
import numpy as np
import pytest
import torch
import transformers

import reference
from reference.backend import BACKENDS
from reference.errors import InputError
from reference.learning import accumulate
from reference.training import fit
from reference.training.fitting import prepare
from reference.training.objectives import SequenceClassification, TokenClassification
from reference.training.objectives.records import records
from tests.training.conftest import COLOURS, NAMES, SMALL, sentences

TEXTS = [f"{text} {n}" for n, text in enumerate(sentences(80))]
WARM = {"red", "white"}


def colour(text):
    return next(name for name in COLOURS if name in text)


def name(text):
    return next(one for one in NAMES if one in text)


LABELLED = {
    "single": [(text, colour(text)) for text in TEXTS],
    "several": [(text, [colour(text), name(text)]) for text in TEXTS],
    "number": [(text, 1.0 if colour(text) in WARM else -0.5) for text in TEXTS],
    "pairs": [(text, colour(text), "Which colour?") for text in TEXTS],
}
KINDS = {
    "single": "single_label_classification",
    "several": "multi_label_classification",
    "number": "regression",
    "pairs": "single_label_classification",
}


def spans(text):
    where = text.index(colour(text))
    first = text.index(name(text))
    return [(where, where + len(colour(text)), "C"), (first, first + len(name(text)), "N")]


def begin(family, tokenizers, objective, **more):
    return {
        "family": family,
        "tokenizer": tokenizers[family],
        "model_config": SMALL[family],
        "objective": objective,
        "learning_rate": 2e-2,
        "batch_size": 8,
        "epochs": 3,
    } | more


def scores(folder):
    return json.loads((folder / "recipe.json").read_text())["scores"]


@pytest.mark.parametrize("kind", KINDS)
def test_texts_are_labelled_alike_in_three_frameworks(kind, tokenizers, tmp_path):
    found = {}
    for backend in BACKENDS:
        start = begin("bert", tokenizers, "sequence-classification", backend=backend, epochs=6)
        start["model_config"] = SMALL["bert"] | {"hidden_dropout_prob": 0.0}
        model = fit(LABELLED[kind], tmp_path / backend, **start)
        assert type(model).__name__ == "TextClassification"
        assert model.config.problem_type == KINDS[kind]
        found[backend] = scores(tmp_path / backend)
    for backend in BACKENDS[1:]:
        assert found[backend]["loss"] == pytest.approx(found["torch"]["loss"], rel=5e-3)
    # Of chance: ln 4, ln 4, ln 2, and the variance.
    most = {"single": 1.38, "pairs": 1.38, "several": 0.6, "number": 0.5}
    assert found["torch"]["loss"] < most[kind]
    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "mlx")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "mlx")
    logits = theirs(**tokenizer(TEXTS[:1], return_tensors="pt")).logits.detach().numpy()
    ours = reference.load(tmp_path / "mlx")
    own = ours.forward(**ours.tokenizer(TEXTS[:1], padding=True))["logits"]
    np.testing.assert_allclose(own, logits, atol=1e-4)


@pytest.mark.parametrize("family", SMALL)
def test_tokens_are_labelled_alike_in_three_frameworks(family, tokenizers, tmp_path):
    found = {}
    data = [(text, spans(text)) for text in TEXTS]
    for backend in BACKENDS:
        start = begin(family, tokenizers, "token-classification", backend=backend)
        model = fit(data, tmp_path / backend, **start)
        assert list(model.config.id2label.values()) == ["O", "B-C", "B-N", "I-C", "I-N"]
        found[backend] = scores(tmp_path / backend)
    for backend in BACKENDS[1:]:
        assert found[backend]["loss"] == pytest.approx(found["torch"]["loss"], rel=1e-2)
    assert found["torch"]["span_f1"] > 0.4
    (tagged,) = reference.load(tmp_path / "candle").tag([TEXTS[0]])
    assert {span.label for span in tagged} <= {"C", "N"}


@pytest.mark.parametrize("family", SMALL)
def test_every_family_classifies_texts(family, tokenizers, tmp_path):
    start = begin(family, tokenizers, "sequence-classification", epochs=1)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        model = fit(LABELLED["single"], tmp_path / "model", **start)
    cut = [one for one in seen if "have more than 16 tokens; only their" in str(one.message)]
    assert bool(cut) == (family == "rope_encoder")
    assert sorted(model.config.id2label.values()) == sorted(COLOURS)
    assert model.classify(TEXTS[0], top_k=1, truncation="ignore").labels[0] in COLOURS


def test_a_classifier_is_gone_on_from(tokenizers, tmp_path):
    """It keeps its labels and what it knows of them; of others it knows nothing."""
    start = begin("bert", tokenizers, "sequence-classification", epochs=1)
    fit(LABELLED["single"], tmp_path / "model", **start)
    there = reference.load(tmp_path / "model")
    more = {"model": tmp_path / "model", "objective": "sequence-classification"}
    few = [row for row in LABELLED["single"] if row[1] in WARM]
    again = prepare(few, **more)
    assert again.config.id2label == there.config.id2label
    key, first = "classifier.weight", there._model.state()
    np.testing.assert_array_equal(again.learner().model.state()[key], first[key])
    for data in ([(text, name(text)) for text in TEXTS], [(t, c + "?") for t, c in few]):
        other = prepare(data, **more)
        state = other.learner().model.state()
        assert state[key].shape[0] == len(other.config.id2label)
        assert not np.isin(state[key], first[key]).any()
        word = "bert.embeddings.word_embeddings.weight"
        np.testing.assert_array_equal(state[word], first[word])


def test_weights_of_classes_are_those_of_torch(tokenizers, backend):
    """Σ w l / Σ w, of texts and of tokens, as one batch and in a group."""
    weights = {"red": 3.0, "blue": 0.5}
    start = begin("bert", tokenizers, "sequence-classification", backend=backend)
    run = prepare(LABELLED["single"], **start, class_weights=weights)
    lesson, model = run.plan[0].batches[0](), run.learner()
    found = accumulate(model, [lesson])
    places = [run.config.label2id[label] for label in weights]
    own = torch.ones(4)
    own[places] = torch.tensor(list(weights.values()))
    logits, labels = model.model.forward(lesson.inputs)["logits"], torch.tensor(lesson.labels)
    expected = torch.nn.functional.cross_entropy(torch.tensor(logits), labels, own)
    assert found == pytest.approx(expected.item(), rel=1e-5)
    assert lesson.count == pytest.approx(own[labels].sum().item())
    score = run.objective.scores(model.model, run.rows[:9], run.given)["loss"]
    nine = run.objective.example(run.rows[:9], run.given, 0)
    assert score == pytest.approx(accumulate(model, [nine]), rel=1e-5)


def test_weights_of_tokens(tokenizers):
    data = [(text, spans(text)) for text in TEXTS]
    start = begin("bert", tokenizers, "token-classification")
    run = prepare(data, **start, class_weights={"O": 0.25})
    lesson, model = run.plan[0].batches[0](), run.learner()
    logits = model.model.forward(lesson.inputs)["logits"]
    own = torch.ones(5)
    own[0] = 0.25
    expected = torch.nn.functional.cross_entropy(
        torch.tensor(logits), torch.tensor(lesson.labels), own
    )
    assert accumulate(model, [lesson]) == pytest.approx(expected.item(), rel=1e-5)
    score = run.objective.scores(model.model, run.rows[:9], run.given)["loss"]
    nine = run.objective.example(run.rows[:9], run.given, 0)
    assert score == pytest.approx(accumulate(model, [nine]), rel=1e-5)


def test_forms_of_labelled_texts(tmp_path):
    """The same samples from a list, a dataset with named classes, and files."""
    plain = SequenceClassification()
    columns = dict(plain.columns)
    rows = LABELLED["single"][:5]
    expected = plain.samples(rows, columns)
    assert expected[0].text == TEXTS[0] and expected[0].label == colour(TEXTS[0])
    dictionaries = [{"text": text, "label": label, "more": 1} for text, label in rows]
    classes = datasets.ClassLabel(names=COLOURS)
    features = datasets.Features({"text": datasets.Value("string"), "label": classes})
    dataset = datasets.Dataset.from_list(
        [{"text": text, "label": COLOURS.index(label)} for text, label in rows], features
    )
    table = "".join(f"{text}\t{label}\n" for text, label in rows)
    (tmp_path / "a.tsv").write_text("text\tlabel\n" + table)
    quoted = "".join(f'"{text}","{label}"\n' for text, label in rows)
    (tmp_path / "a.csv").write_text("text,label\n" + quoted)
    objects = "\n".join(map(json.dumps, dictionaries))
    (tmp_path / "a.jsonl").write_text(objects + "\n\n")
    files = [str(tmp_path / f"a.{kind}") for kind in ("tsv", "csv", "jsonl")]
    for data in (dictionaries, dataset, *files):
        assert plain.samples(data, columns) == expected
    numbers = plain.samples([("a", 0), ("b", 10), ("c", 2)], columns)
    assert [sample.label for sample in numbers] == ["0", "10", "2"]
    several = SequenceClassification(problem_type="multi_label_classification")
    (sample,) = several.samples([("a", "x, y,")], columns)
    assert sample.label == ("x", "y")
    (sample,) = SequenceClassification(problem_type="regression").samples([("a", "2")], columns)
    assert sample.label == (2.0,)


def test_forms_of_tagged_words(tokenizers):
    """Spans, words with numbers for tags, words with names: the same labels."""
    plain = TokenClassification()
    columns = dict(plain.columns)
    text, names = "The red stone", ["O", "B-C", "I-C", "B-N", "I-N"]
    by_span = plain.samples([(text, [(4, 7, "C"), (8, 13, "N")])], columns)
    features = datasets.Features(
        {
            "tokens": datasets.List(datasets.Value("string")),
            "ner_tags": datasets.List(datasets.ClassLabel(names=names)),
        }
    )
    rows = [{"tokens": text.split(), "ner_tags": [0, 1, 3]}]
    by_number = plain.samples(datasets.Dataset.from_list(rows, features), columns)
    by_name = plain.samples([(text.split(), ["O", "B-C", "B-N"])], columns)
    assert by_number == by_name
    start = begin("bert", tokenizers, "token-classification", validation_split=0)
    found = [
        prepare([(text, [(4, 7, "C"), (8, 13, "N")])], **start).rows[0].label,
        prepare([(text.split(), ["O", "B-C", "B-N"])], **start).rows[0].label,
    ]
    np.testing.assert_array_equal(*found)
    labels = prepare([(text, [(4, 13, "C")])], **start)
    decoded = [labels.config.id2label.get(n, "-") for n in labels.rows[0].label]
    assert decoded[0] == decoded[-1] == "-" and decoded.count("B-C") == 1
    assert set(decoded[decoded.index("B-C") + 1 : -1]) == {"I-C"} and by_span[0].text == text
    verbs = prepare([(text.split(), ["DET", "ADJ", "NOUN"])], **start)
    assert list(verbs.config.id2label.values()) == ["ADJ", "DET", "NOUN"]


def test_long_texts_are_cut_into_parts(tokenizers):
    text = " ".join(["red stone"] * 40)
    start = begin("rope_encoder", tokenizers, "token-classification", validation_split=0)
    run = prepare([(text, [(0, 3, "C")])], **start)
    assert len(run.rows) > 5 and max(map(len, run.rows)) <= 16
    assert sum(int((row.label == run.config.label2id["B-C"]).sum()) for row in run.rows) == 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([("a", "x"), ("b", "x")], "every text has the label 'x'"),
        ([("a", "x"), ("b",)], "data\\[1\\] has 1 entries; it must have text, label, pair"),
        ([("a", "x"), "b"], "data\\[1\\] is str 'b'; it must be a dictionary"),
        ([{"text": "a"}], "data\\[0\\] has no 'label'; it has text"),
        ([("a", None)], "data\\[0\\]: label is None; it must be a name"),
        ([("", "x")], "data\\[0\\]: text is ''; it must be a text"),
        ([("a", 1.0), ("b", "x")], "data\\[1\\]: label is 'x'; it must be a finite number"),
        ([("a", [1.0]), ("b", [1.0, 2.0])], "labels have 1 and 2 numbers"),
        ([("a", "x", "p"), ("b", "y")], "some texts have a pair and some have none"),
        ("a.txt", "a.txt is neither a .jsonl, a .tsv nor a .csv file"),
        ("a.tsv", "a.tsv cannot be read: there is no such file"),
    ],
)
def test_data_that_is_no_labelled_texts(data, message, tokenizers, tmp_path):
    start = begin("bert", tokenizers, "sequence-classification", validation_split=0)
    with pytest.raises(InputError, match=message):
        fit(data, tmp_path / "model", **start)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([("a stone", [(0, 9, "x")])], "the span \\[0, 9, 'x'\\] does not lie in a text of 7"),
        ([("a stone", [(0, 3, "x"), (2, 5, "y")])], "overlaps the one before it"),
        ([("a stone", [(0, 3)])], "a span is \\(0, 3\\); it must be start, end, tag"),
        ([(["a", "stone"], ["O"])], "must have a list of words and as many tags"),
        ([{"text": "a"}], "has neither text and spans nor tokens and ner_tags"),
    ],
)
def test_data_that_is_no_tagged_tokens(data, message, tokenizers, tmp_path):
    start = begin("bert", tokenizers, "token-classification", validation_split=0)
    with pytest.raises(InputError, match=message):
        fit(data, tmp_path / "model", **start)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"problem_type": "ranking"}, "problem_type 'ranking' is unknown"),
        ({"class_weights": {"red": 0}}, "the weight of 'red' is 0; leave its texts out"),
        ({"class_weights": {"red": -1}}, "the weight of 'red' is -1"),
        ({"class_weights": {"pink": 2}}, "class_weights has 'pink', which is no label here"),
        ({"class_weights": 2}, "must be a table from label to weight"),
    ],
)
def test_settings_that_cannot_be(settings, message, tokenizers, tmp_path):
    start = begin("bert", tokenizers, "sequence-classification")
    with pytest.raises(InputError, match=message):
        fit(LABELLED["single"], tmp_path / "model", **start, **settings)


def test_lines_of_a_file_that_are_no_records(tmp_path):
    columns = {"text": "text", "label": "label"}
    for kind, content, message in (
        ("jsonl", '{"text"', "a.jsonl: line 1 is not valid JSON"),
        ("jsonl", "[1, 2, 3]", "line 1 has 3 entries"),
        ("tsv", "text\tlabel\na\n", "a.tsv: line 2 has not as many entries"),
        ("csv", 'text,label\n"a,b\n', "a.csv: line 1: unexpected end of data"),
    ):
        file = tmp_path / f"a.{kind}"
        file.write_text(content)
        with pytest.raises(InputError, match=message):
            list(records(str(file), columns))
