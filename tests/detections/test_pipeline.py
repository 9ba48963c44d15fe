"""Texts and places in, labels and probabilities out."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import reference
from reference.candle import _native
from reference.errors import CheckpointError, ConfigError, InputError
from reference.pipelines.detections import TokenPlaces, characters_of, without_marks
from reference.torch.masked_sequence import AutoModelForMaskedSeqModeling

BACKENDS = ("torch", "mlx", "candle")
TEXT = "Return the angle of a vector, in radians by default."
LABELS = {"num_labels": 3, "id2label": {"0": "a", "1": "b", "2": "c"}}


@pytest.fixture(scope="module", params=BACKENDS)
def backend(request):
    return request.param


@pytest.fixture(scope="module")
def model(detector, backend):
    return reference.load(detector(**LABELS, span_pooling="mean"), backend=backend)


def shares(detections):
    return np.array(
        [
            [dict(zip(one.labels, one.probabilities, strict=True))[name] for name in "abc"]
            for one in detections
        ]
    )


def test_it_is_the_wrappers_probability(detector, model, backend):
    """From the text on, the tokens found by hand."""
    wrapper = AutoModelForMaskedSeqModeling.from_pretrained(
        detector(**LABELS, span_pooling="mean")
    )
    encoding = model.tokenizer([TEXT])[0]
    at = TEXT.index("vector"), TEXT.index("default")
    places = [
        [n for n, (a, b) in enumerate(encoding.offsets) if a < start + length and b > start + 1]
        for start, length in zip(at, (6, 7), strict=True)
    ]
    first, last = (torch.tensor([[own[end] for own in places]]) for end in (0, -1))
    logits = wrapper(torch.tensor([encoding.ids]), None, first, mask_ends=last).logits
    found = model.predict(
        TEXT, [(start, start + n) for start, n in zip(at, (6, 7), strict=True)]
    )
    np.testing.assert_allclose(
        shares(found), wrapper.predict_proba(logits)[0].detach(), atol=2e-6
    )
    assert [one.text for one in found] == ["vector", "default"]
    assert repr(found[0]).startswith(f"Detection({at[0]}:{at[0] + 6} 'vector':")
    assert found[0].to_dict()["probabilities"] == list(found[0].probabilities)
    assert "best probability" in found._repr_html_()


def test_all_ways_to_point_at_a_piece_are_one(model):
    start, at = TEXT.index("angle"), TEXT.index("default")
    tokens = TokenPlaces(model.tokenizer([TEXT])[0].origins).of(start, start + 5)
    marked = TEXT.replace("angle", "[[angle]]").replace("default", "[[default]]")
    alone = model.predict(TEXT, "default")
    ways = [
        model.predict(TEXT, [(start, start + 5), (at, at + 7)]),
        model.predict(TEXT, [[start - 1, start + 6], np.array([at - 1, at + 7])]),  # with space
        model.predict(TEXT, ["angle", "default"]),
        model.predict(TEXT, [2], by="words") + alone,
        model.predict(TEXT, [(2, 3)], by="words") + alone,
        model.predict(TEXT, [(tokens[0], tokens[-1] + 1)], by="tokens") + alone,
        model.predict(marked),
    ]
    for found in ways:
        np.testing.assert_allclose(shares(found), shares(ways[0]), atol=1e-6)
        assert [one.text for one in found] == ["angle", "default"]
        assert [one.start for one in found] == [start, at]


def test_texts_with_unequal_numbers_of_detections_equal_one_by_one(model):
    texts = [TEXT, "none here", "angle and axis", TEXT * 4, "axis"]
    spans = [[(0, 6)], [], [(0, 5), (10, 14)], [(200, 205), (0, 6), (60, 70)], ["axis"]]
    together = model.predict(texts, spans, batch_size=3)
    assert [len(own) for own in together] == [1, 0, 2, 3, 1]
    for text, own, found in zip(texts, spans, together, strict=True):
        alone = model.predict(text, own)
        assert [(one.start, one.end, one.text) for one in alone] == [
            (one.start, one.end, one.text) for one in found
        ]
        if own:
            np.testing.assert_allclose(shares(found), shares(alone), atol=2e-6)
    rows = model.probabilities(texts, spans)
    assert [row.shape for row in rows] == [(1, 3), (0, 3), (2, 3), (3, 3), (1, 3)]


def test_the_pooling_is_that_of_the_configuration(detector, backend):
    piece = "multiplication"
    for pooling in ("first", "mean", "first_last"):
        own = reference.load(detector(**LABELS, span_pooling=pooling), backend=backend)
        tokens = TokenPlaces(own.tokenizer([piece])[0].origins).of(0, len(piece))
        assert len(tokens) > 2, "a word of several tokens is needed"
        ids = [own.tokenizer([piece])[0].ids]
        states = own.forward(
            ids, output_hidden_states=True, mask_indices=[[tokens[0]]], mask_ends=[[tokens[-1]]]
        )
        one = shares(own.predict(piece, [(0, len(piece))]))
        np.testing.assert_allclose(one, 1 / (1 + np.exp(-states["logits"][0])), atol=2e-6)
        alone = own.forward(ids, mask_indices=[[tokens[0]]])["logits"]
        assert np.allclose(alone, states["logits"], atol=1e-5) == (pooling == "first")


def test_a_detection_in_what_is_cut_raises(model):
    longest = model.tokenizer.max_length
    text = "axis " * (longest + 9) + "angle"
    with pytest.warns(UserWarning, match="were cut"):
        assert len(model.predict(text, [(0, 4)])) == 1
    for spans in ([(len(text) - 5, len(text))], ["angle"], [(0, 4), "angle"]):
        with pytest.warns(UserWarning), pytest.raises(InputError, match="lies in what is cut"):
            model.predict(text, spans)
    with pytest.raises(InputError, match="shorten it"):
        model.predict(text, [(0, 4)], truncation="error")
    with pytest.raises(InputError, match=f"not among 0 to {longest - 1}"):
        model.predict(text, [longest], by="tokens", truncation="ignore")
    half = (5 * (longest - 3), 5 * (longest + 3))  # across the cut
    with pytest.raises(InputError, match="lies in what is cut"):
        model.predict(text, [half], truncation="ignore")


@pytest.mark.parametrize(
    ("texts", "spans", "options", "message"),
    [
        (TEXT, [(0, 99)], {}, "does not lie in a text of 52 characters"),
        (TEXT, [(5, 5)], {}, "has nothing in it"),
        (TEXT, [(-3, 2)], {}, "does not lie in"),
        (TEXT, [(6, 7)], {}, "nothing but white space"),
        (TEXT, [(1.5, 3)], {}, r"by characters it must be \(start, end\)"),
        (TEXT, [4], {}, r"must be \(start, end\)"),
        (TEXT, (4, 9), {}, r"must be \(start, end\)"),
        (TEXT, 4, {}, "must be a list"),
        (TEXT, ["radian"], {}, "not in the text, as a whole word"),
        ("a cat, a dog", ["a"], {}, r"there 2 times, at \(0, 1\), \(7, 8\)"),
        (TEXT, [""], {}, "must be a piece of the text"),
        (TEXT, [12], {"by": "words"}, "a text of 10 words"),
        (TEXT, [99], {"by": "tokens"}, "which the model reads"),
        (TEXT, [(0, 4)], {"by": "bytes"}, "by 'bytes'"),
        (TEXT, (6, 11), {}, r"span is 6; .* as in \[\(0, 4\)\]"),
        (TEXT, 5, {}, "its spans must be a list, not 5"),
        (TEXT, np.array(None), {}, "its spans must be a list"),
        (TEXT, {(0, 4)}, {}, "its spans must be a list"),
        (TEXT, [("6", "11")], {}, "whole numbers"),
        (TEXT, [(11, 6)], {}, "has nothing in it"),
        ("a [[]] b", None, {}, "has nothing in it"),
        ("such as [[1, 2], [3]].", None, {}, r"bracket inside of a mark, in '1, 2\], \[3'"),
        ([TEXT, TEXT], 5, {}, "a list for each of the 2 texts"),
        ([TEXT, TEXT], np.array(5), {}, "a list for each of the 2 texts"),
        (TEXT, None, {}, "has no marks"),
        ("a [[b", None, {}, r"\[\[ without its other half"),
        ("a ]] [[b]]", None, {}, r"\]\] without"),
        ("a [[b [[c]] d]]", None, {}, "inside of another"),
        ([TEXT, TEXT], [[(0, 4)]], {}, "a list for each of the 2 texts"),
        ([TEXT, TEXT], [[(0, 4)], [(0, 99)]], {}, r"texts\[1\], span 0"),
        (TEXT, [(0, 4)], {"batch_size": 0}, "batch_size"),
        (7, [(0, 4)], {}, "texts"),
    ],
)
def test_what_cannot_be_meant_is_refused(model, texts, spans, options, message):
    with pytest.raises(InputError, match=message):
        model.predict(texts, spans, **options)


def test_forward_refuses_what_is_no_place(model):
    ids = [[5, 6, 7]]
    with pytest.raises(InputError, match="mask_indices is missing"):
        model.forward(ids)
    with pytest.raises(InputError, match="output_hidden_states"):
        model.forward(ids, output_hidden_states="yes", mask_indices=[[1]])
    with pytest.raises(InputError, match="on padding"):
        model.forward(ids, [[1, 1, 0]], mask_indices=[[2]])
    with pytest.raises(InputError, match="before"):
        model.forward(ids, mask_indices=[[2]], mask_ends=[[1]])
    with pytest.raises(InputError, match="from one text into another"):
        model.forward_packed(ids[0], [0, 2, 3], mask_indices=[1], mask_ends=[2])
    padded = model.forward(
        [[5, 6, 7], [8, 0, 0]], [[1, 1, 1], [1, 0, 0]], mask_indices=[[2], [0]]
    )
    packed = model.forward_packed([5, 6, 7, 8], [0, 3, 4], mask_indices=[2, 3])
    np.testing.assert_allclose(packed["logits"], padded["logits"][:, 0], atol=2e-5)


def test_thresholds_are_chosen_kept_and_saved(detector, backend, tmp_path):
    model = reference.load(detector(**LABELS), backend=backend)
    texts, spans = [TEXT, "axis of an angle"], [[(0, 6), (7, 10), (11, 16)], [(0, 4), (11, 16)]]
    found = model.probabilities(texts, spans)
    middle = np.sort(np.concatenate(found)[:, 0])[2]
    labels = [[["a"] if row[0] > middle else [] for row in own] for own in found]
    labels[1][0] = None if found[1][0, 0] <= middle else labels[1][0]
    chosen = model.calibrate(texts, spans, labels)
    assert chosen["b"] == chosen["c"] == 0.5  # of which none is there
    given = [[one.given for one in own] for own in model.predict(texts, spans)]
    for own, right in zip(given, labels, strict=True):
        for names, answer in zip(own, right, strict=True):
            assert answer is None or ("a" in names) == ("a" in answer)
    model.save(tmp_path)
    again = reference.load(tmp_path, backend=backend)
    assert again.config.detections.thresholds == tuple(chosen.values())
    assert AutoModelForMaskedSeqModeling.from_pretrained(tmp_path).config.thresholds == list(
        chosen.values()
    )
    assert again.predict(texts, spans) == model.predict(texts, spans)
    with pytest.raises(InputError, match=r"labels\[0\]\[0\] has .z."):
        model.calibrate(texts, spans, [[["z"]] * 3, [[]] * 2])
    with pytest.raises(InputError, match="labels are of 3 detections; there are 5"):
        model.calibrate(texts, spans, [[[]] * 3])


def test_multiclass(detector, backend):
    model = reference.load(detector(**LABELS, task="multiclass"), backend=backend)
    (one,) = model.predict(TEXT, ["angle"])
    assert one.given == one.labels[:1]
    assert sum(one.probabilities) == pytest.approx(1)
    with pytest.raises(InputError, match="the likeliest is given"):
        model.calibrate([TEXT], [["angle"]], [[["a"]]])


@given(
    st.lists(
        st.tuples(st.text(max_size=4), st.booleans()).filter(
            lambda part: not set(part[0]) & set("[]") and (part[0] or not part[1])
        ),
        max_size=6,
    )
)
def test_marks_can_be_put_in_and_taken_out(parts):
    plain, marked, spans = "", "", []
    for text, mark in parts:
        if mark:
            spans.append((len(plain), len(plain) + len(text)))
        plain += text
        marked += f"[[{text}]]" if mark else text
    if spans:
        assert without_marks(marked, "it") == (plain, spans)
    else:
        with pytest.raises(InputError, match="no marks"):
            without_marks(marked, "it")


@settings(max_examples=40)
@given(st.text(max_size=12), st.integers(-2, 14), st.integers(-2, 14))
def test_a_span_is_what_stands_there_or_refused(text, start, end):
    try:
        first, last = characters_of(text, (start, end), "characters", "it")
    except InputError:
        assert not 0 <= start < end <= len(text) or not text[start:end].strip()
    else:
        assert text[first:last] == text[start:end].strip()


def test_rust_alone_finds_the_same(detector):
    folder = detector(**LABELS, span_pooling="first_last", thresholds=[0.4, 0.5, 0.6])
    model = reference.load(folder, backend="candle")
    texts = ["The [[angle]] — é [[of a  vector ]].", "[[multiplication]]"]
    for (text, found), ours in zip(
        _native.detect_texts(str(folder), texts), model.predict(texts), strict=True
    ):
        for ((start, end), piece, names, labels), one in zip(found, ours, strict=True):
            assert text.encode()[start:end].decode() == piece == one.text
            assert tuple(names) == one.given
            assert [name for name, _ in labels] == list(one.labels)
            np.testing.assert_allclose(
                [share for _, share in labels], one.probabilities, atol=1e-6
            )


def test_a_wrapper_of_transformers_is_read_wherever_its_encoder_is(tmp_path):
    """Saved by Transformers, the encoder under a name of its maker's; read without the base,
    in another process, and as an encoder by itself too."""
    base = reference.parity.random_checkpoint(tmp_path / "base", "BertForMaskedLM")
    wrapper = AutoModelForMaskedSeqModeling.from_pretrained(
        base, num_labels=2, base_model_attr_name="inside", span_pooling="mean"
    )
    with pytest.warns(UserWarning, match="no tokenizer"):
        wrapper.save_pretrained(tmp_path / "saved")
    ids, places = [[5, 6, 7, 8]], [[1, 3]]
    expected = wrapper(torch.tensor(ids), mask_indices=torch.tensor(places)).logits.detach()
    code = (
        "import sys, json, reference\n"
        "for backend in ('torch', 'mlx', 'candle'):\n"
        "    model = reference.load(sys.argv[1], backend=backend)\n"
        "    ids, places = map(json.loads, sys.argv[2:])\n"
        "    found = model.forward(ids, mask_indices=places)\n"
        "    print(json.dumps(found['logits'].tolist()))\n"
    )
    (tmp_path / "base").rename(tmp_path / "gone")
    command = [sys.executable, "-c", code, str(tmp_path / "saved"), json.dumps(ids)]
    done = subprocess.run(
        [*command, json.dumps(places)], capture_output=True, text=True, check=True
    )
    for line in done.stdout.splitlines():
        np.testing.assert_allclose(json.loads(line), expected, atol=1e-5)
    encoder = reference.load(tmp_path / "saved", pipeline="embeddings")
    hidden = wrapper.base(torch.tensor(ids)).last_hidden_state.detach()
    np.testing.assert_allclose(encoder.forward(ids)["last_hidden_state"], hidden, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base_config": {"model_type": "gpt2"}}, "a gpt2, which no port computes"),
        ({"base_config": None}, "base_config is None"),
        ({"task": "ranking"}, "task is 'ranking'"),
        ({"problem_type": "regression"}, "but the task multilabel is"),
        ({"span_pooling": "last"}, "span_pooling is 'last'"),
        ({"thresholds": [0.5]}, "thresholds has 1 numbers for 3 labels"),
        ({"thresholds": [0.5, 0.5, 2]}, "each must be 0 to 1"),
        ({"pos_weight": "many"}, "must be a list of numbers"),
        (
            {"task": "multiclass", "problem_type": None, "pos_weight": [1, 1, 1]},
            "multilabel only",
        ),
        ({"is_decoder": True}, "is_decoder is True"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(
    detector, tmp_path, backend, changes, message
):
    source = detector(**LABELS)
    config = json.loads((source / "config.json").read_text()) | changes
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").symlink_to(source / "model.safetensors")
    with pytest.raises(ConfigError, match=message):
        reference.load(tmp_path, backend=backend)


def test_a_checkpoint_without_the_head_is_told(tmp_path, backend):
    base = reference.parity.random_checkpoint(tmp_path, "BertModel")
    with pytest.raises(CheckpointError, match="without the head of BertForMaskedSequence"):
        reference.load(base, backend=backend, pipeline="masked-sequence")
