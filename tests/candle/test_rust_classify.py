"""classify and rank of the Rust library alone, beside the package's own in float64: the same
labels and orders, to the noise of float32, and the same refusals."""

import numpy as np
import pytest

from reference.candle import _native
from reference.errors import ConfigError, InputError
from tests.candle.rust_pipelines import package, refused_alike
from tests.pipelines.cross_encoders import (
    IN_CONFIG,
    MADE_WITH,
    NO_CLASSIFIER,
    REFUSED,
    save_cross_encoder,
)
from tests.pipelines.small_models import KINDS, add, random_model

LABELS = {0: "good", 1: "bad", 2: "neither"}
READ = [
    "the river stands beside a stone",
    "hello",
    "",
    "a stone and the world! é 中文",
    "a river and a stone " * 60,
]
PAIRS = ["a river " * 50, "beside", "hello world", "", "b"]
PROBLEMS = {
    "one of several": {"id2label": LABELS},
    "each by itself": {"id2label": LABELS, "problem_type": "multi_label_classification"},
    "numbers": {"id2label": LABELS, "problem_type": "regression"},
    "one label": {"id2label": {0: "good"}},
}


def noise_of_logits(folder, texts, pairs=None):
    """How far a float32 logit may be off: twice what PyTorch's is, or a few epsilons."""
    found = []
    for dtype in ("float32", "float64"):
        model = package(folder, "text-classification", dtype)
        encodings = model._encodings(texts, pairs, truncation="ignore")
        found.append(np.array(model._logits(encodings, 32), np.float64))
    floor = 4 * np.finfo(np.float32).eps * np.abs(found[1]).max()
    return 2 * max(floor, np.abs(found[0] - found[1]).max())


def classified_by_both(folder, texts, pairs, **asked):
    theirs = package(folder, "text-classification").classify(
        texts, pairs, truncation="ignore", **asked
    )
    return _native.classify_texts(str(folder), texts, pairs, **asked), theirs


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("problem", PROBLEMS)
def test_classify(tmp_path, kind, problem):
    folder = random_model(
        kind, tmp_path / "model", "ForSequenceClassification", **PROBLEMS[problem]
    )
    # One floor for both: a floor from five texts alone is small now and then, by luck.
    noise = max(noise_of_logits(folder, READ, pairs) for pairs in (None, PAIRS))
    for pairs in (None, PAIRS):
        ours, theirs = classified_by_both(folder, READ, pairs)
        for (labels, values, named), expected in zip(ours, theirs, strict=True):
            assert (tuple(labels), named) == (expected.labels, expected.kind)
            # No function is steeper than its argument.
            np.testing.assert_allclose(values, expected.probabilities, rtol=0, atol=noise)


def test_the_best_labels(tmp_path):
    folder = random_model(
        "bert", tmp_path / "model", "ForSequenceClassification", id2label=LABELS
    )
    ours, theirs = classified_by_both(folder, READ, None, top_k=2)
    assert [labels for labels, _, _ in ours] == [list(one.labels) for one in theirs]
    assert all(len(labels) == len(values) == 2 for labels, values, _ in ours)
    for pairs, asked in ((["a"], {}), (None, {"top_k": 0})):
        with pytest.raises(InputError):
            classify = package(folder, "text-classification", "float32").classify
            classify(READ, pairs, **asked)
        with pytest.raises(InputError):
            _native.classify_texts(str(folder), READ, pairs, **asked)


# rank

QUERY = "who stands beside the river?"
DOCUMENTS = [*READ, "It rains.", "hello", "a stone"]


def assert_ranks_alike(folder, kind):
    theirs = package(folder, "text-classification").rank(QUERY, DOCUMENTS, truncation="ignore")
    prompt = package(folder, "text-classification").settings.prompt
    noise = noise_of_logits(folder, [prompt + QUERY] * len(DOCUMENTS), DOCUMENTS)
    ours = _native.rank_texts(str(folder), QUERY, DOCUMENTS)
    assert {named for *_, named in ours} == {kind}
    assert [(index, text) for index, _, text, _ in ours] == [
        (one.index, one.text) for one in theirs
    ]
    scores = [score for _, score, _, _ in ours]
    np.testing.assert_allclose(scores, [one.score for one in theirs], rtol=0, atol=noise)
    assert _native.rank_texts(str(folder), QUERY, DOCUMENTS, top_k=3) == ours[:3]


@pytest.mark.parametrize(("arguments", "kind"), MADE_WITH)
def test_rank_a_saved_cross_encoder(tmp_path, arguments, kind):
    assert_ranks_alike(save_cross_encoder(tmp_path, **arguments), kind)


@pytest.mark.parametrize("model", ["bert", "modernbert"])
@pytest.mark.parametrize(("keys", "kind"), IN_CONFIG)
def test_rank_by_what_config_json_says(tmp_path, model, keys, kind):
    folder = random_model(
        model, tmp_path / "model", "ForSequenceClassification", id2label={0: "score"}
    )
    add(folder / "config.json", **keys)
    assert_ranks_alike(folder, kind)


@pytest.mark.parametrize(("file", "keys"), [row[:2] for row in REFUSED + NO_CLASSIFIER])
def test_what_is_not_implemented_is_refused(tmp_path, file, keys):
    folder = save_cross_encoder(tmp_path)
    add(folder / file, **keys)
    with pytest.raises(ConfigError):
        package(folder, "text-classification", "float32").rank(QUERY, DOCUMENTS)
    with pytest.raises(ConfigError):
        _native.rank_texts(str(folder), QUERY, DOCUMENTS)


def test_only_a_model_with_one_label_ranks(tmp_path):
    folder = random_model(
        "bert", tmp_path / "model", "ForSequenceClassification", id2label=LABELS
    )
    one = random_model(
        "bert", tmp_path / "one", "ForSequenceClassification", id2label={0: "score"}
    )
    for model, documents in ((folder, DOCUMENTS), (one, [])):
        refused_alike(
            lambda model=model, documents=documents: package(
                model, "text-classification", "float32"
            ).rank(QUERY, documents),
            lambda model=model, documents=documents: _native.rank_texts(
                str(model), QUERY, documents
            ),
            InputError,
        )
