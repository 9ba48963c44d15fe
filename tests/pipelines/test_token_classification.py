"""tag, beside Transformers' own pipeline on the same folder; and against the written rule where
that one is wrong."""

import functools
import itertools
import json
import warnings

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

import reference
from reference.checkpoint import SMALL_MODERNBERT
from reference.errors import InputError
from reference.parity import random_checkpoint
from reference.pipelines import batching
from tests.text import small

BIO = ("O", "B-x", "I-x", "B-y", "I-y")
BIOES = ("O", "B-x", "I-x", "E-x", "S-x")
PLAIN = ("noun", "verb", "O", "other")
STRATEGIES = ("none", "simple", "first", "average", "max")
TEXT = (
    "The river, it's beside John Smithsonian's stone-wall: naïve CAFÉ 東京, unbelievably  old."
)
LONG = "the river stands beside a stone and hello world " * 12
EPSILON = np.finfo(np.float32).eps


@pytest.fixture(scope="module")
def make(minilm, tmp_path_factory):
    """A model with some labels: make("bert", BIO). Each is made once."""

    @functools.cache
    def made(kind, labels, **keys):
        folder = tmp_path_factory.mktemp(kind)
        names = dict(enumerate(labels))
        if kind == "bert":
            random_checkpoint(
                folder, "BertForTokenClassification", tokenizer=minilm, id2label=names, **keys
            )
        elif kind == "modernbert":
            architecture = "ModernBertForTokenClassification"
            random_checkpoint(
                folder, architecture, tokenizer=SMALL_MODERNBERT, id2label=names, **keys
            )
        else:
            _sentence_pieces(folder, names)
        path = folder / "tokenizer_config.json"
        settings = json.loads(path.read_text())
        path.write_text(json.dumps(settings | {"model_max_length": 32}))
        return folder

    return made


def _sentence_pieces(folder, names):
    tokenizer = small.sentence_pieces()
    random_checkpoint(
        folder,
        "XLMRobertaForTokenClassification",
        id2label=names,
        vocab_size=tokenizer.get_vocab_size(),
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    special = {"cls": "<s>", "pad": "<pad>", "sep": "</s>", "unk": "<unk>", "mask": "<mask>"}
    settings = {f"{kind}_token": name for kind, name in special.items()}
    settings |= {"tokenizer_class": "PreTrainedTokenizerFast"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


@functools.cache
def theirs(folder, strategy, text, dtype=torch.float32):
    """(start, end, label) and score of each span, as Transformers' pipeline has them."""
    pipeline = transformers.pipeline(
        "token-classification",
        model=str(folder),
        aggregation_strategy=strategy,
        dtype=dtype,
        device="cpu",
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Tokenizer does not support real words")
        found = pipeline(text)
    key = "entity" if strategy == "none" else "entity_group"
    places = [(span["start"], span["end"], span[key]) for span in found]
    return places, np.array([float(span["score"]) for span in found])


def places(spans):
    return [(span.start, span.end, span.label) for span in spans]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("labels", [BIO, PLAIN], ids=["BIO", "plain"])
def test_equal_to_transformers_on_word_pieces(make, labels, strategy, backend):
    folder = make("bert", labels)
    found = reference.load(folder, backend=backend).tag(TEXT, strategy)
    expected, truth = theirs(folder, strategy, TEXT, torch.float64)
    assert places(found) == expected and found
    noise = np.abs(theirs(folder, strategy, TEXT)[1] - truth).max()
    floor = max(noise, 4 * EPSILON * np.abs(truth).max())
    assert np.abs([span.score for span in found] - truth).max() <= 2 * floor


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_equal_to_transformers_on_sentence_pieces(make, strategy, backend):
    """Where words are what stands between two single spaces, guessing them is right."""
    text = "hello beside the river stands a stonework and hellos"
    folder = make("sentencepiece", BIO)
    found = reference.load(folder, backend=backend).tag(text, strategy)
    expected, truth = theirs(folder, strategy, text, torch.float64)
    assert places(found) == expected and len(found) > 3
    np.testing.assert_allclose([span.score for span in found], truth, atol=2e-6)


@pytest.mark.parametrize("text", ["hello zebra", "hello\nriver"])
def test_words_of_sentence_pieces(make, text, backend):
    """A piece that is a space alone, and a line break, mislead the guess."""
    folder = make("sentencepiece", ("B-x", "B-y", "B-z"))
    found = reference.load(folder, backend=backend).tag(text, "first")
    assert [span.text for span in found] == text.split()
    assert [
        text[start:end] for start, end, _ in theirs(folder, "first", text)[0]
    ] != text.split()


WORDS = {
    "returns\nthe": ["returns", "the"],
    "first\tsecond": ["first", "second"],
    "use a-b, too": ["use", "a", "-", "b", ",", "too"],
    "the value": ["the", "value"],
}


@pytest.mark.parametrize("text", WORDS)
@pytest.mark.parametrize("strategy", ["first", "average", "max"])
def test_words_of_byte_level_pieces(make, text, strategy, backend):
    """Labels that all begin a span show each word by itself. Transformers guesses words from
    spaces, takes a line break for none, and leaves the space before a word in it."""
    folder = make("modernbert", ("B-x", "B-y", "B-z"))
    found = reference.load(folder, backend=backend).tag(text, strategy)
    assert [span.text for span in found] == WORDS[text]
    wrong = [text[start:end] for start, end, _ in theirs(folder, strategy, text)[0]]
    assert wrong != WORDS[text]
    assert text != "returns\nthe" or wrong == ["returns\nthe"]
    assert text != "use a-b, too" or wrong == ["use", " a-b,", " too"]


@pytest.mark.parametrize("strategy", ["none", "simple"])
def test_offsets_are_without_the_space_of_a_piece(make, strategy, backend):
    folder = make("modernbert", ("B-x", "B-y", "B-z"))
    text = "returns the value"
    found = reference.load(folder, backend=backend).tag(text, strategy)
    wrong = theirs(folder, strategy, text)[0]
    assert len(found) == len(wrong)
    assert any(text[start:end].startswith(" ") for start, end, _ in wrong)
    for span, (start, end, label) in zip(found, wrong, strict=True):
        assert span.text == text[start:end].lstrip() and span.label == label
        assert span.end == end


def test_a_line_break_is_a_token_and_no_word(make, backend):
    model = reference.load(make("modernbert", ("B-x", "B-y", "B-z")), backend=backend)
    assert [span.text for span in model.tag("returns\nthe", "none")][-2:] == ["\n", "the"]
    assert "\n" not in [span.text for span in model.tag("returns\nthe", "simple")]
    found = model.probabilities("returns\nthe")
    assert found.words[-2:] == [None, 1] and found.offsets[-2:] == [(7, 8), (8, 11)]


def test_scores_are_the_probabilities(make, backend):
    folder = make("bert", BIO)
    model = reference.load(folder, backend=backend)
    ids = transformers.AutoTokenizer.from_pretrained(folder)([TEXT])["input_ids"]
    logits = torch.from_numpy(model.forward(ids)["logits"][0, 1:-1].astype(np.float64))
    found = model.probabilities(TEXT)
    assert found.labels == BIO and found.text == TEXT
    np.testing.assert_allclose(found.probabilities, logits.softmax(dim=-1), atol=1e-6)
    several = model.probabilities([TEXT, ""])
    assert several[1].probabilities.shape == (0, 5) and several[1].offsets == []
    np.testing.assert_allclose(several[0].probabilities, found.probabilities, atol=1e-6)
    json.dumps(found.to_dict())
    assert "<td>river</td>" in found._repr_html_()


@pytest.mark.parametrize("aggregation", STRATEGIES)
def test_no_text_has_no_spans(make, aggregation, backend):
    model = reference.load(make("bert", PLAIN), backend=backend)
    assert model.tag("", aggregation) == [] and model.tag([], aggregation) == []
    assert model.tag(["", " \n ", ""], aggregation, viterbi=True) == [[], [], []]


def test_white_space_alone_has_no_spans(make):
    model = reference.load(make("modernbert", ("x", "B-y", "B-z")))
    assert [span.text for span in model.tag("- 😀", "none")] == ["-", " ", *"😀😀😀😀"]
    assert " " not in [span.text for span in model.tag("- 😀", "simple")]
    assert model.tag(" \n\t ", "simple") == model.tag(" \n\t ", "first") == []


def test_the_end_of_a_span_is_part_of_it(make, monkeypatch):
    """Transformers, which knows B- and I- only, begins another span with it."""
    folder = make("bert", BIOES)
    pipeline = transformers.pipeline("token-classification", model=str(folder), device="cpu")
    pieces = [
        {"entity": "B-x", "score": 1.0, "word": "a", "start": 0, "end": 1},
        {"entity": "E-x", "score": 1.0, "word": "b", "start": 2, "end": 3},
    ]
    assert len(pipeline.group_entities(pieces)) == 2
    assert tagged(reference.load(folder), monkeypatch, "B-x E-x") == [(0, 2, "x")]


def tagged(model, monkeypatch, given):
    """The spans of a text of one-letter words that are given these labels."""
    labels, names = list(model.config.id2label.values()), given.split()
    logits = np.full((len(names) + 2, len(labels)), -2.0, np.float32)
    logits[range(1, len(names) + 1), [labels.index(name) for name in names]] = 3.0
    monkeypatch.setattr(model, "_logits", lambda pieces, _: [logits] * len(pieces))
    found = model.tag(" ".join("abcdefg"[: len(names)]))
    score = np.exp(3) / (np.exp(3) + (len(labels) - 1) * np.exp(-2))
    assert [span.score for span in found] == pytest.approx([score] * len(found))
    return [(span.start // 2, (span.end + 1) // 2, span.label) for span in found]


@pytest.mark.parametrize(
    ("labels", "given", "expected"),
    [
        (
            BIO,
            "B-x I-x O I-x B-x I-y I-y",
            [(0, 2, "x"), (3, 4, "x"), (4, 5, "x"), (5, 7, "y")],
        ),
        (
            BIOES,
            "B-x E-x I-x E-x S-x S-x",
            [(0, 2, "x"), (2, 4, "x"), (4, 5, "x"), (5, 6, "x")],
        ),
        (BIOES, "B-x I-x S-x O E-x", [(0, 2, "x"), (2, 3, "x"), (4, 5, "x")]),
        (PLAIN, "noun noun verb O verb", [(0, 2, "noun"), (2, 3, "verb"), (4, 5, "verb")]),
    ],
)
def test_how_labels_become_spans(make, monkeypatch, labels, given, expected):
    """A span goes on where the label says so, and else a new one begins, as in Transformers."""
    assert tagged(reference.load(make("bert", labels)), monkeypatch, given) == expected


@pytest.mark.parametrize("aggregation", STRATEGIES)
@pytest.mark.parametrize("labels", [BIO, BIOES], ids=["BIO", "BIOES"])
def test_viterbi_finds_a_legal_sequence(make, labels, aggregation, backend):
    model = reference.load(make("bert", labels), backend=backend)
    tags = model.tags
    found = model.tag(LONG, aggregation, viterbi=True)
    assert found and found != model.tag(LONG, aggregation)
    if aggregation != "none":
        return
    read = model.probabilities(LONG)
    by_place = {(span.start, span.end): labels.index(span.label) for span in found}
    path = [by_place.get(place, 0) for place in read.offsets]
    assert tags.begins[path[0]] and tags.ends[path[-1]]
    assert all(tags.legal[step] for step in itertools.pairwise(path))
    assert path == tags.best_path(read.probabilities).tolist()


@pytest.mark.parametrize("kind", ["bert", "modernbert"])
@pytest.mark.parametrize("overlap", [None, 0, 1, 29])
def test_long_texts_are_read_whole(make, kind, overlap, backend):
    """Each token's logits are those of the window in which it is furthest from an edge."""
    folder = make(kind, BIO)
    model = reference.load(folder, backend=backend)
    found = model.probabilities([LONG], overlap=overlap)[0]
    (whole,) = model.tokenizer([LONG], max_length=10_000)
    assert len(found.offsets) == len(whole) - 2 > 100
    shared = 7 if overlap is None else overlap
    content, size = whole[1:-1], 30
    starts = range(0, len(content), size - shared)
    windows = sorted({min(start, len(content) - size) for start in starts})
    read = {}
    for start in windows:
        ids = [whole[0], *content[start : start + size], whole[-1]]
        logits = model.forward([ids])["logits"][0, 1:-1].astype(np.float64)
        for place, row in enumerate(logits):
            token = start + place
            sides = [place] * (start > 0) + [size - 1 - place] * (start + size < len(content))
            if token not in read or min(sides, default=99) > read[token][0]:
                read[token] = min(sides, default=99), row
    rows = torch.from_numpy(np.stack([read[token][1] for token in range(len(content))]))
    np.testing.assert_allclose(found.probabilities, rows.softmax(dim=-1), atol=2e-6)


def test_what_fits_is_read_at_once(make, backend):
    model = reference.load(make("bert", BIO), backend=backend)
    text = "stone " * 30
    assert model.tag(text) == model.tag(text, overlap=29)
    longer = model.tag(text + "stone", "none")
    assert len(longer) <= 31 and model.probabilities(text + "stone").words == [*range(31)]


def test_what_transformers_cuts_is_read(make):
    folder = make("bert", ("x", "y"))
    expected, _ = theirs(folder, "simple", LONG)
    assert expected[-1][1] < len(LONG) / 3
    assert reference.load(folder).tag(LONG)[-1].end == len(LONG.rstrip())


def test_windows_and_batches_do_not_show(make, monkeypatch, backend):
    model = reference.load(make("bert", BIO), backend=backend)
    texts = [TEXT, "", LONG, "hello world", TEXT]
    whole = model.tag(texts)
    assert [places(spans) for spans in whole] == [places(model.tag(text)) for text in texts]
    monkeypatch.setattr(batching, "TEXTS_AT_ONCE", 2)
    parts = list(model.tag_parts(iter(texts), batch_size=1))
    assert [len(window) for window, _ in parts] == [2, 2, 1]
    assert [places(spans) for _, found in parts for spans in found] == list(map(places, whole))


@given(
    text=st.text(st.sampled_from("aé東 \n\t-,'e\u0301😀B[]K"), max_size=60)
    | st.text(max_size=40)
)
@pytest.mark.parametrize("kind", ["bert", "modernbert", "sentencepiece"])
@pytest.mark.parametrize("aggregation", STRATEGIES)
def test_spans_are_pieces_of_the_text(loaded, kind, aggregation, text):
    found = loaded[kind].tag(text, aggregation)
    for span in found:
        assert text[span.start : span.end] == span.text and 0 < span.score <= 1
        if aggregation != "none":
            assert span.text == span.text.strip() != ""
    starts = [span.start for span in found]
    assert starts == sorted(starts)
    if aggregation in ("first", "average", "max"):
        assert all(one.end <= after.start for one, after in itertools.pairwise(found))


@pytest.fixture(scope="module")
def loaded(make):
    kinds = ("bert", "modernbert", "sentencepiece")
    return {kind: reference.load(make(kind, ("B-x", "I-x", "noun"))) for kind in kinds}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model: model.tag(5), "texts must be a list of strings, not int"),
        (lambda model: model.tag(["a", None]), r"texts\[1\] is NoneType"),
        (lambda model: model.tag("\ud800"), "surrogate"),
        (
            lambda model: model.tag("a", "mean"),
            "aggregation 'mean' is unknown; it is one of no",
        ),
        (lambda model: model.tag("a", viterbi=1), "viterbi is 1; it must be True or False"),
        (lambda model: model.tag("a", overlap=-1), "overlap is -1"),
        (lambda model: model.tag("a", overlap=30), "overlap is 30; this model reads 30 tokens"),
        (lambda model: model.tag("a", batch_size=0), "batch_size is 0"),
        (lambda model: model.tag("a", show_progress="no"), "show_progress is 'no'"),
        (lambda model: model.probabilities(["a", b"b"]), r"texts\[1\] is bytes"),
        (lambda model: model.probabilities("a", overlap=1.5), "overlap is 1.5"),
        (lambda model: model.tag_parts("ab"), "must be a list of strings, not str"),
    ],
)
def test_bad_input(make, call, message, backend):
    with pytest.raises(InputError, match=message):
        call(reference.load(make("bert", BIO), backend=backend))
