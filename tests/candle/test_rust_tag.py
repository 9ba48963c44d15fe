"""tag of the Rust library alone, beside the package's own in float64: the same spans, to the
noise of float32, at bytes that are the same characters."""

import functools

import numpy as np
import pytest

from reference.candle import _native
from reference.errors import InputError
from tests.candle.rust_pipelines import package, refused_alike
from tests.pipelines.small_models import KINDS, add, random_model

TAGS = {
    "BIO": ("O", "B-x", "I-x", "B-y", "I-y"),
    "BIOES": ("O", "B-x", "I-x", "E-x", "S-x"),
    "plain": ("noun", "verb", "O", "other"),
}
WAYS = ("none", "simple", "first", "average", "max")
TAGGED = [
    "The river, it's beside John Smithsonian's stone-wall: naïve CAFÉ 東京, unbelievably  old.",
    "",
    " \t ",
    "\u2003é\x1cZoë's 👩‍👩‍👧 İstanbul ﷺ ½ e\u0301, Ａｂｃ\r\n中文x",
    "the river stands beside a stone and hello world " * 12,
]


@pytest.fixture(scope="module")
def tagger(tmp_path_factory):
    made = {}

    def make(kind, labels):
        if (kind, labels) not in made:
            folder = random_model(
                kind,
                tmp_path_factory.mktemp("tagger") / "model",
                "ForTokenClassification",
                id2label=dict(enumerate(TAGS[labels])),
            )
            add(folder / "tokenizer_config.json", model_max_length=32)
            made[kind, labels] = folder
        return made[kind, labels]

    return make


@functools.lru_cache(1)
def noise_of_tags(folder):
    """How far a float32 probability may be off."""
    single, double = (
        package(folder, "token-classification", dtype).probabilities(TAGGED)
        for dtype in ("float32", "float64")
    )
    pairs = zip(single, double, strict=True)
    off = [np.abs(a.probabilities - b.probabilities).max(initial=0) for a, b in pairs]
    return 2 * max(4 * np.finfo(np.float32).eps, *off)


def tagged_by_rust(folder, **asked):
    """As the package tags, which is asserted."""
    theirs = package(folder, "token-classification").tag(TAGGED, **asked)
    ours = _native.tag_texts(str(folder), TAGGED, **asked)
    for text, found, expected in zip(TAGGED, ours, theirs, strict=True):
        assert [(*place, label, piece) for _, place, label, _, piece in found] == [
            (span.start, span.end, span.label, span.text) for span in expected
        ]
        scores = [score for *_, score, _ in found]
        truth = [span.score for span in expected]
        np.testing.assert_allclose(scores, truth, rtol=0, atol=noise_of_tags(folder))
        for (start, end), _, _, _, piece in found:
            assert text.encode()[start:end].decode() == piece
    return ours


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("labels", TAGS)
def test_tag(tagger, kind, labels):
    folder = tagger(kind, labels)
    for aggregation in WAYS:
        ours = tagged_by_rust(folder, aggregation=aggregation)
        assert ours[0] and ours[4] and not ours[1]
        # A long text is read to its end.
        assert ours[4][-1][0][1] > 500 or labels != "plain"
    for asked in ({"viterbi": True}, {"overlap": 0}, {"overlap": 20}):
        tagged_by_rust(folder, **asked)


@pytest.mark.parametrize("asked", [{"aggregation": "mean"}, {"overlap": 99}])
def test_what_is_no_way_of_tagging(tagger, asked):
    folder = tagger("bert", "BIO")
    refused_alike(
        lambda: package(folder, "token-classification", "float32").tag(TAGGED, **asked),
        lambda: _native.tag_texts(str(folder), TAGGED, **asked),
        InputError,
    )
