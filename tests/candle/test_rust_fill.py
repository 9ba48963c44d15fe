"""fill of the Rust library alone, beside the package's own in float64: the same words, to the
noise of float32, and the same refusals."""

import json
import shutil
import warnings

import numpy as np
import pytest

from reference.candle import _native
from reference.errors import CheckpointError, ConfigError, EncodersError, InputError
from tests.candle.rust_pipelines import package, refused_alike
from tests.pipelines.small_models import KINDS, Truth, masked_model

HEADS = {"bert": "Bert", "modernbert": "ModernBert", "roberta": "Roberta"}


def prefix(kind):
    return HEADS.get(kind, "XLMRoberta")


TEXTS = [
    "the river {} beside a stone",
    "{} river, é 中文",
    "the {} stands{} beside {}",
    "and a stone{}",
    "un{}able " + "a stone and hello " * 40,
]
TARGETS = {
    "bert": ["river", "New York", "##able", " Unbelievably ", "stones"],
    "modernbert": ["river", "stone wall", "New York", "unbelievably"],
    "roberta": ["river", "wall", "qxz", "stone and"],
    "sentencepiece": ["river", "wall", "hellos", "stone and"],
}


@pytest.fixture(scope="module")
def masked(tmp_path_factory):
    root = tmp_path_factory.mktemp("masked")
    return {kind: masked_model(kind, root / kind) for kind in KINDS}


def filled_by_both(folder, texts, **asked):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a long text is cut
        theirs = package(folder, "masked-lm").fill(texts, **asked)
    return _native.fill_texts(str(folder), texts, **asked), theirs


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("targets", [False, True], ids=["any", "targets"])
def test_fill(masked, kind, targets):
    truth = Truth(masked[kind], f"{prefix(kind)}ForMaskedLM")
    mask = truth.tokenizer.mask_token
    texts = [text.replace("{}", mask) for text in TEXTS]
    for encoding in package(masked[kind], "masked-lm").tokenizer(texts):
        truth.logits(input_ids=[encoding.ids])
    asked = {"targets": TARGETS[kind]} if targets else {"top_k": 9}
    ours, theirs = filled_by_both(masked[kind], texts, **asked)
    assert [len(of_text) for of_text in ours] == [text.count(mask) for text in texts]
    tokens = max(len(truth.tokenizer(target)["input_ids"]) for target in TARGETS[kind])
    for of_text, expected in zip(ours, theirs, strict=True):
        for found, others in zip(of_text, expected, strict=True):
            assert [(token, text) for token, _, text in found] == [
                (other.token, other.text) for other in others
            ]
            np.testing.assert_allclose(
                [probability for _, probability, _ in found],
                [other.probability for other in others],
                rtol=(tokens if targets else 1) * truth.tolerance,
            )


def test_all_of_the_vocabulary(masked):
    ((ours,),), ((theirs,),) = filled_by_both(masked["roberta"], ["the <mask>"], top_k=10**6)
    assert len(ours) == len(theirs) and sum(one[1] for one in ours) == pytest.approx(1)
    shown = {(other.token, other.text) for other in theirs}
    assert {(token, text) for token, _, text in ours} == shown


@pytest.mark.parametrize(
    ("texts", "asked"),
    [
        (["a river"], {}),
        (["[MASK]", "b"], {}),
        (["a river stands " * 200 + "[MASK]"], {}),
        (["[MASK]"], {"top_k": 0}),
        (["[MASK]"], {"targets": []}),
        (["[MASK]"], {"targets": ["river", "\U0001f600\u4e6f"]}),
        (["[MASK]"], {"targets": [""]}),
        (["[MASK]"], {"targets": ["a [MASK]"]}),
        (["a " * 92 + "[MASK]"], {"targets": ["New York is"]}),
    ],
)
def test_what_cannot_be_filled(masked, texts, asked):
    folder = masked["bert"]
    refused_alike(
        lambda: package(folder, "masked-lm", "float32").fill(texts, **asked),
        lambda: _native.fill_texts(str(folder), texts, **asked),
        InputError,
    )


def test_a_tokenizer_without_a_mask(masked, tmp_path):
    folder = shutil.copytree(masked["roberta"], tmp_path / "model")
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps(settings | {"mask_token": "[none]"}))
    for fill in (
        package(folder, "masked-lm", "float32").fill,
        lambda texts: _native.fill_texts(str(folder), texts),
    ):
        with pytest.raises((CheckpointError, ConfigError)):
            fill(["the <mask>"])


@pytest.mark.parametrize(
    "run",
    [
        lambda folder: _native.fill_texts(folder, ["[MASK]"]),
        lambda folder: _native.classify_texts(folder, ["a"]),
        lambda folder: _native.tag_texts(folder, ["a"]),
    ],
)
def test_a_model_without_the_head_is_refused(minilm, run):
    with pytest.raises(EncodersError):
        run(str(minilm))
    with pytest.raises(CheckpointError, match="nowhere"):
        run("/nowhere")
