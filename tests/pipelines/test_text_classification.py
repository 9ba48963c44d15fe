"""classify, beside Transformers' own pipeline on the same folder."""

import json

import numpy as np
import pytest
import torch
import transformers

import reference
from reference.errors import CheckpointError, InputError
from reference.parity import random_checkpoint
from reference.pipelines import batching
from tests.text import small

TEXTS = ["the river stands beside a stone", "hello", "", "a stone and the world!", "42 stones"]
PAIRS = ["a river", "beside", "hello world", "a stone and the world!", "b"]
LABELS = {0: "good", 1: "bad", 2: "neither"}
EPSILON = np.finfo(np.float32).eps


@pytest.fixture(scope="module")
def folders(minilm, tmp_path_factory):
    """Three kinds of tokenizers, and three kinds of models: with token types, and without."""
    root = tmp_path_factory.mktemp("classifiers")
    return {
        "bert": random_checkpoint(
            root / "bert", "BertForSequenceClassification", tokenizer=minilm, id2label=LABELS
        ),
        "modernbert": random_checkpoint(
            root / "modernbert",
            "ModernBertForSequenceClassification",
            tokenizer=reference.checkpoint.SMALL_MODERNBERT,
            id2label=LABELS,
        ),
        "roberta": _roberta(root / "roberta"),
    }


def _roberta(folder):
    made = small.byte_pieces()
    random_checkpoint(
        folder, "RobertaForSequenceClassification", id2label=LABELS, vocab_size=300
    )
    made.save(str(folder / "tokenizer.json"))
    names = {"cls": "<s>", "pad": "<pad>", "sep": "</s>", "unk": "<unk>", "mask": "<mask>"}
    settings = {f"{kind}_token": name for kind, name in names.items()}
    settings |= {"tokenizer_class": "PreTrainedTokenizerFast"}
    settings |= {"model_input_names": ["input_ids", "attention_mask"]}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def changed(folder, tmp_path, **keys):
    """A copy of the folder with other keys in its config.json."""
    copy = tmp_path / "changed"
    copy.mkdir()
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    path = copy / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | keys))
    return copy


def theirs(folder, dtype, texts, pairs=None):
    """The scores of every label, [texts, labels], as Transformers' pipeline has them."""
    pipeline = transformers.pipeline(
        "text-classification", model=str(folder), dtype=dtype, device="cpu", top_k=None
    )
    if pairs is not None:
        texts = [
            {"text": text, "text_pair": pair} for text, pair in zip(texts, pairs, strict=True)
        ]
    found = [{one["label"]: one["score"] for one in scores} for scores in pipeline(texts)]
    names = pipeline.model.config.id2label.values()
    return np.array([[scores[name] for name in names] for scores in found])


def ours(results, names):
    found = [dict(zip(one.labels, one.probabilities, strict=True)) for one in results]
    return np.array([[one[name] for name in names] for one in found])


def assert_equal_within_noise(found, folder, texts, pairs=None):
    truth = theirs(folder, torch.float64, texts, pairs)
    noise = np.abs(theirs(folder, torch.float32, texts, pairs) - truth).max()
    floor = max(noise, 4 * EPSILON * np.abs(truth).max())
    assert np.abs(found - truth).max() <= 2 * floor


@pytest.mark.parametrize("kind", ["bert", "modernbert", "roberta"])
@pytest.mark.parametrize("pairs", [None, PAIRS], ids=["texts", "pairs"])
def test_equal_to_transformers(folders, kind, pairs, backend):
    model = reference.load(folders[kind], backend=backend)
    found = model.classify(TEXTS, pairs)
    assert all(sum(one.probabilities) == pytest.approx(1) for one in found)
    assert all(list(one.probabilities) == sorted(one.probabilities)[::-1] for one in found)
    assert {one.kind for one in found} == {"probability"}
    assert_equal_within_noise(ours(found, LABELS.values()), folders[kind], TEXTS, pairs)


@pytest.mark.parametrize(
    ("problem", "labels", "kind"),
    [
        ("regression", LABELS, "value"),
        ("regression", {0: "stars"}, "value"),
        ("multi_label_classification", LABELS, "probability"),
        ("single_label_classification", LABELS, "probability"),
        (None, {0: "good"}, "probability"),
    ],
)
def test_the_problem_decides(minilm, tmp_path, problem, labels, kind, backend):
    folder = random_checkpoint(
        tmp_path / "model",
        "BertForSequenceClassification",
        tokenizer=minilm,
        id2label=labels,
        problem_type=problem,
    )
    found = reference.load(folder, backend=backend).classify(TEXTS)
    assert {one.kind for one in found} == {kind}
    scores = ours(found, labels.values())
    assert_equal_within_noise(scores, folder, TEXTS)
    if problem == "multi_label_classification":
        assert not np.allclose(scores.sum(axis=1), 1, atol=1e-2)


def test_one_text_gives_one(folders, backend):
    model = reference.load(folders["bert"], backend=backend)
    one = model.classify(TEXTS[0], PAIRS[0], top_k=2)
    assert one.labels == model.classify([TEXTS[0]], [PAIRS[0]])[0].labels[:2]
    assert len(one.probabilities) == 2
    assert model.classify([]) == [] and model.classify([], []) == []
    assert model.classify(iter(TEXTS[:1]), iter(PAIRS[:1]))[0].labels[:2] == one.labels


def test_an_empty_pair_is_a_pair(folders, backend):
    """Transformers' pipeline takes one for none, though its tokenizer, given a list, does
    not."""
    model = reference.load(folders["bert"], backend=backend)
    ids = transformers.AutoTokenizer.from_pretrained(folders["bert"])(["hello"], [""])
    logits = model.forward(ids["input_ids"], token_type_ids=ids["token_type_ids"])["logits"]
    both, alone = model.classify("hello", ""), model.classify("hello")
    assert both.labels == tuple(LABELS[n] for n in np.argsort(-logits[0]))
    assert both.probabilities != alone.probabilities
    wrong = theirs(folders["bert"], torch.float32, ["hello"], [""])
    np.testing.assert_allclose(ours([alone], LABELS.values()), wrong, atol=1e-6)


def test_labels_alike_come_in_their_order(tiny):
    model = reference.load(tiny("BertForSequenceClassification", id2label=LABELS))
    row = np.zeros(3, np.float32)
    assert model._classification(row, None).labels == ("good", "bad", "neither")


def test_windows_and_batches_do_not_show(folders, monkeypatch, backend):
    model = reference.load(folders["bert"], backend=backend)
    whole = model.classify(TEXTS, PAIRS)
    monkeypatch.setattr(batching, "TEXTS_AT_ONCE", 2)
    parts = list(model.classify_parts(iter(TEXTS), iter(PAIRS), batch_size=1))
    assert [both for texts, _ in parts for both in texts] == list(
        zip(TEXTS, PAIRS, strict=True)
    )
    assert [len(texts) for texts, _ in parts] == [2, 2, 1]
    found = [one for _, results in parts for one in results]
    assert [one.labels for one in found] == [one.labels for one in whole]
    np.testing.assert_allclose(
        [one.probabilities for one in found],
        [one.probabilities for one in whole],
        atol=1e-6,
    )


def test_what_is_cut_is_told_once(folders, monkeypatch):
    model = reference.load(folders["bert"])
    monkeypatch.setattr(batching, "TEXTS_AT_ONCE", 2)
    texts = ["a", "stone " * 200, "b", "river " * 200]
    with pytest.warns(UserWarning, match="2 of 4 texts were longer than 96 tokens") as told:
        model.classify(texts)
    assert len(told) == 1
    with pytest.raises(InputError, match=r"texts\[1\] has 106 tokens more"):
        model.classify(texts, truncation="error")
    cut = model.classify(texts, truncation="ignore")
    assert cut[1].labels == model.classify("stone " * 94).labels


def test_a_model_that_overflows_says_so(tiny, tmp_path, minilm, backend):
    import safetensors.numpy

    folder = random_checkpoint(
        tmp_path / "model", "BertForSequenceClassification", tokenizer=minilm
    )
    tensors = safetensors.numpy.load_file(folder / "model.safetensors")
    tensors["classifier.weight"] = tensors["classifier.weight"] + np.float32(3e38)
    tensors["classifier.bias"] = tensors["classifier.bias"] + np.float32(3e38)
    safetensors.numpy.save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    model = reference.load(folder, backend=backend)
    with pytest.raises(CheckpointError, match="logits come out as NaN or infinity"):
        model.classify(TEXTS)


@pytest.fixture(scope="module")
def unpaired(minilm, tmp_path_factory):
    """A model whose tokenizer puts nothing between two texts."""
    folder = random_checkpoint(
        tmp_path_factory.mktemp("unpaired"),
        "ModernBertForSequenceClassification",
        tokenizer=reference.checkpoint.SMALL_MODERNBERT,
        id2label={0: "score"},
    )
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text())
    alone = content["post_processor"]["single"]
    content["post_processor"]["pair"] = [
        *alone[:2],
        {"Sequence": {"id": "B", "type_id": 0}},
        alone[2],
    ]
    path.write_text(json.dumps(content))
    return folder


def test_a_pair_for_a_model_without_pairs(unpaired, backend):
    model = reference.load(unpaired, backend=backend)
    assert len(model.classify(TEXTS)) == len(TEXTS)
    for call in (
        lambda: model.classify(["a"], ["b"]),
        lambda: model.classify("a", "b"),
        lambda: model.rank("a", ["b"]),
    ):
        with pytest.raises(InputError, match="takes no pairs: its tokenizer puts nothing"):
            call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model: model.classify(5), "texts must be a list of strings, not int"),
        (lambda model: model.classify(["a", None]), r"texts\[1\] is NoneType"),
        (
            lambda model: model.classify(["a"], ["b", "c"]),
            "texts has 1 entries and pairs has 2",
        ),
        (lambda model: model.classify(["a"], "b"), "pairs must be a list of strings, not str"),
        (lambda model: model.classify("a", ["b"]), "pairs, beside one text, is list"),
        (lambda model: model.classify(["a"], [b"b"]), r"pairs\[0\] is bytes"),
        (lambda model: model.classify(["\ud800"]), "surrogate"),
        (lambda model: model.classify(["a"], top_k=0), "top_k is 0"),
        (lambda model: model.classify(["a"], top_k=True), "top_k is True"),
        (lambda model: model.classify(["a"], batch_size="8"), "batch_size is '8'"),
        (lambda model: model.classify(["a"], truncation="cut"), "truncation 'cut' is unknown"),
        (lambda model: model.classify(["a"], show_progress=1), "show_progress is 1"),
        (
            lambda model: list(model.classify_parts(["a", "b"], iter(["c"]))),
            "more texts than pairs, of which there are 1",
        ),
        (lambda model: list(model.classify_parts("ab")), "must be a list of strings, not str"),
        (lambda model: model.rank("a", ["b"]), r"one label, .* has 3 \(good, bad, neither\)"),
    ],
)
def test_bad_input(folders, call, message, backend):
    with pytest.raises(InputError, match=message):
        call(reference.load(folders["bert"], backend=backend))
