"""python -m reference classify, rank, tag and detect."""

import io
import json
import shutil

import pytest

import reference
from reference.__main__ import main
from reference.checkpoint import SMALL_MODERNBERT, locate
from reference.parity import random_checkpoint
from reference.pipelines import batching

TEXTS = ["the river stands", "a stone", "hello"]


@pytest.fixture(scope="module")
def folders(minilm, tmp_path_factory):
    root = tmp_path_factory.mktemp("models")

    def make(name, architecture, labels):
        names = dict(enumerate(labels))
        return str(
            random_checkpoint(root / name, architecture, tokenizer=minilm, id2label=names)
        )

    return {
        "classify": make("classify", "BertForSequenceClassification", ("good", "bad")),
        "rank": make("rank", "BertForSequenceClassification", ("score",)),
        "tag": make("tag", "BertForTokenClassification", ("O", "B-x", "I-x")),
        "detect": make("detect", "BertForMaskedSequence", ("x", "y", "z", "w")),
    }


@pytest.fixture
def run(folders, capfdbinary, monkeypatch):
    """The exit status and what was printed: run("tag", ..., stdin=...)."""

    def command(name, *arguments, stdin=""):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        status = main([name, *map(str, arguments), "--model", folders[name]])
        captured = capfdbinary.readouterr()
        return status, captured.out.decode(), captured.err.decode()

    return command


@pytest.mark.parametrize("source", ["arguments", "file", "stdin"])
def test_classify(run, folders, tmp_path, source, backend):
    lines = "".join(f"{text}\n" for text in TEXTS)
    (tmp_path / "texts").write_text(lines)
    where = {"arguments": TEXTS, "file": ["--file", tmp_path / "texts"], "stdin": []}[source]
    status, out, _ = run(
        "classify", *where, "--format", "jsonl", "--backend", backend, stdin=lines
    )
    found = reference.load(folders["classify"], backend=backend).classify(TEXTS)
    assert status == 0 and [json.loads(line) for line in out.splitlines()] == [
        {"text": text} | one.to_dict() | {"labels": list(one.labels)}
        for text, one in zip(TEXTS, found, strict=True)
    ]


def test_classify_prints_the_best_first(run, folders):
    status, out, _ = run("classify", "hello", "--top-k", 1)
    one = reference.load(folders["classify"]).classify("hello")
    assert status == 0
    assert out == f"hello\n   {one.probabilities[0]:.4f}  {one.labels[0]}\n"


def test_classify_pairs(run, folders, monkeypatch):
    monkeypatch.setattr(batching, "TEXTS_AT_ONCE", 2)
    model = reference.load(folders["classify"])
    _, out, _ = run("classify", *TEXTS, "--pair", "a river", "--format", "json")
    expected = model.classify(TEXTS, ["a river"] * 3)
    assert [record["pair"] for record in json.loads(out)] == ["a river"] * 3
    assert [record["labels"] for record in json.loads(out)] == [
        list(one.labels) for one in expected
    ]
    lines = "".join(f"{text}\t{text} beside\n" for text in TEXTS)
    _, out, _ = run("classify", "--tabs", "--format", "json", stdin=lines)
    assert [(record["text"], record["pair"]) for record in json.loads(out)] == [
        (text, f"{text} beside") for text in TEXTS
    ]
    expected = model.classify(TEXTS, [f"{text} beside" for text in TEXTS])
    assert [record["probabilities"] for record in json.loads(out)] == [
        pytest.approx(one.probabilities, abs=1e-6) for one in expected
    ]
    status, out, _ = run("classify", "--tabs", stdin=lines)
    assert status == 0 and out.splitlines()[0] == "the river stands\tthe river stands beside"


def test_labels_that_are_named(capfdbinary):
    """They are asked of a masked language model, as the pipeline asks it."""
    model = reference.load(SMALL_MODERNBERT, pipeline="zero-shot-classification")
    text, labels = "Open the file and read it.", ["array", "file", "number"]

    def ask(*options):
        status = main(["classify", text, *options, "--model", SMALL_MODERNBERT])
        return status, capfdbinary.readouterr().out.decode()

    expected = model.classify(text, labels)
    status, out = ask("--labels", *labels)
    lines = out.splitlines()
    assert status == 0 and lines[0] == f"{text}  (mass {expected.mass:.3g})" and len(lines) == 4
    assert lines[1].split() == [f"{expected.probabilities[0]:.4f}", expected.labels[0]]
    options = {"multi_label": True, "calibrate": True}
    expected = model.classify(text, labels, **options)
    switches = ("--multi-label", "--calibrate", "--top-k", "2", "--format", "jsonl")
    record = json.loads(ask("--labels", *labels, *switches)[1])
    assert record["labels"] == list(expected.labels[:2])
    assert record["probabilities"] == pytest.approx(expected.probabilities[:2], abs=1e-6)
    expected = model.classify(text, labels, letters=True)
    record = json.loads(ask("--labels", *labels, "--letters", "--format", "jsonl")[1])
    assert record["labels"] == list(expected.labels)
    assert ask("--labels", *labels, "--batch-size", "0")[0] == 2
    assert ask("--labels", *labels, "--top-k", "0")[0] == 2


@pytest.mark.parametrize("source", ["--to", "--to-file", "stdin"])
def test_rank(run, folders, tmp_path, source, backend):
    lines = "".join(f"{text}\n" for text in TEXTS)
    (tmp_path / "texts").write_text(lines)
    where = {"--to": ["--to", *TEXTS], "--to-file": ["--to-file", tmp_path / "texts"]}
    arguments = where.get(source, ())
    found = reference.load(folders["rank"], backend=backend).rank("a query", TEXTS)
    options = ("--top-k", 2, "--format", "json", "--backend", backend)
    status, out, _ = run("rank", "a query", *arguments, *options, stdin=lines)
    assert status == 0 and json.loads(out) == [one.to_dict() for one in found[:2]]
    status, out, _ = run("rank", "a query", *arguments, "--backend", backend, stdin=lines)
    assert out.splitlines() == [f" {one.score:.4f}  {one.text}" for one in found]


@pytest.mark.parametrize("options", [(), ("--aggregation", "first", "--viterbi")])
def test_tag(run, folders, options, backend):
    model = reference.load(folders["tag"], backend=backend)
    arguments = {"aggregation": "first", "viterbi": True} if options else {}
    found = model.tag(TEXTS, **arguments)
    texts = "".join(f"{text}\n" for text in TEXTS)
    where = (*options, "--backend", backend)
    status, out, _ = run("tag", *where, "--format", "json", stdin=texts)
    assert status == 0 and json.loads(out) == [
        {"text": text, "spans": [span.to_dict() for span in spans]}
        for text, spans in zip(TEXTS, found, strict=True)
    ]
    _, out, _ = run("tag", *TEXTS, *where)
    expected = []
    for text, spans in zip(TEXTS, found, strict=True):
        expected += [text]
        expected += [f"  {s.start}-{s.end}  {s.label}  {s.score:.4f}  {s.text}" for s in spans]
    assert out.splitlines() == expected and len(expected) > 3


def test_tag_reads_a_window_at_a_time(run, monkeypatch):
    monkeypatch.setattr(batching, "TEXTS_AT_ONCE", 1)
    lines = "".join(f"{text}\n" for text in TEXTS)
    _, out, _ = run("tag", "--format", "jsonl", "--overlap", 3, stdin=lines)
    assert [json.loads(line)["text"] for line in out.splitlines()] == TEXTS


def test_detect(run, folders, tmp_path, backend):
    model = reference.load(folders["detect"], backend=backend)
    marked = ["the [[river]] [[stands]]", "[[hello]]"]
    found = model.predict(marked)
    lines = "".join(f"{text}\n" for text in marked)
    status, out, _ = run("detect", "--format", "jsonl", "--backend", backend, stdin=lines)
    records = [json.loads(line) for line in out.splitlines()]
    assert status == 0 and records == json.loads(
        json.dumps(
            [
                {"text": text, "detections": [one.to_dict() for one in own]}
                for text, own in zip(marked, found, strict=True)
            ]
        )
    )
    spans = ("--span", "4:9", "--span", "10:16")
    status, out, _ = run("detect", "the river stands", *spans, "--backend", backend)
    (first, *shown), (one, two) = out.splitlines(), found[0]
    assert status == 0 and first == "the river stands"
    for line, detection in zip(shown, (one, two), strict=True):
        assert line.startswith(f"  {detection.start}-{detection.end}  {detection.text}  ")
        assert line.count(", ") >= 2 and f"{detection.labels[0]} " in line
    by_words = ("--span", "1:2", "--span", "2:3", "--by", "words")
    assert run("detect", "the river stands", *by_words, "--backend", backend)[1] == out
    status, out, _ = run("detect", marked[1], "--top-k", "1", "--backend", backend)
    assert out.count(found[1][0].labels[0]) >= 1 and found[1][0].labels[3] not in out


def test_detect_reads_a_window_at_a_time(run, monkeypatch):
    monkeypatch.setattr(batching, "TEXTS_AT_ONCE", 1)
    lines = "the [[river]]\n[[a]] stone\n"
    _, out, _ = run("detect", "--format", "jsonl", stdin=lines)
    assert len(out.splitlines()) == 2


def test_what_is_cut_is_told(run):
    status, _, err = run("classify", "stone " * 200)
    assert status == 0 and "warning: 1 of 1 texts were longer than 96 tokens" in err
    assert run("classify", "stone " * 200, "--truncation", "ignore")[2] == ""
    status, _, err = run("classify", "stone " * 200, "--truncation", "error")
    assert status == 2 and "error: texts[0] has 106 tokens more" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["classify"], "there are no texts: standard input is empty"),
        (["classify", "a", "--file", "b"], "not both"),
        (["classify", "a", "--tabs"], "text 1 has 0 tabs; with --tabs it has one"),
        (["classify", "a\tb\tc", "--tabs"], "text 1 has 2 tabs"),
        (["classify", "a", "--top-k", "0"], "top_k is 0"),
        (["classify", "a", "--pair", "b", "--labels", "c"], "for texts without a pair"),
        (["rank", "a query"], "there is nothing to rank: standard input is empty"),
        (["rank", "a query", "--to-file", "/dev/null"], "/dev/null is empty"),
        (["rank", "a query", "--to", "a", "--to-file", "b"], "not both"),
        (["tag", "a", "--overlap", "94"], "overlap is 94; this model reads 94 tokens"),
        (["tag", "a", "--batch-size", "0"], "batch_size is 0"),
        (["detect", "no marks"], "the text has no marks"),
        (["detect", "a [[b", "c"], "texts[0] has [[ without its other half"),
        (["detect", "a b", "--span", "0:9"], "does not lie in a text of 3 characters"),
        (["detect", "a b", "--span", "0-9"], "--span is '0-9'; it must be START:END"),
        (["detect", "a", "b", "--span", "0:1"], "--span is for one text; there are 2"),
        (["detect", "[[a]]", "--by", "words"], "--by goes with --span"),
        (["detect", "[[a]]", "--top-k", "0"], "--top-k is 0"),
        (["tag", "a", "--output", "."], "it is a folder"),
    ],
)
def test_bad_input_is_one_line_and_status_2(run, arguments, message):
    status, out, err = run(*arguments)
    assert status == 2 and out == "" and err.startswith("error: ")
    assert message in err and err.count("\n") == 1


@pytest.mark.parametrize("option", ["--multi-label", "--calibrate", "--template={text} {mask}"])
def test_labels_that_are_missing_are_told_in_options(option, capfd):
    assert main(["classify", "a text", option]) == 2
    said = capfd.readouterr().err
    assert "error: there are no labels to choose from: name some with --labels" in said


def test_labels_of_the_checkpoint_need_no_option(folders, tmp_path, capfd):
    model = locate(SMALL_MODERNBERT)
    folder = shutil.copytree(model, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"label_candidates": ["a", "b"]}))
    assert main(["classify", "a text", "--multi-label", "--model", str(folder)]) == 0
    assert "mass" in capfd.readouterr().out


def test_letters_are_for_labels_that_stand_together(capfd):
    with pytest.raises(SystemExit, match="2"):
        main(["classify", "a text", "--labels", "a", "b", "--letters", "--multi-label"])
    assert "--multi-label: not allowed with argument --letters" in capfd.readouterr().err


def test_another_kind_of_model_is_refused(run, folders, minilm):
    assert main(["tag", "a", "--model", str(minilm)]) == 2
    assert main(["rank", "a", "--to", "b", "--model", folders["classify"]]) == 2


def test_what_is_taken_where_no_model_is_named(capfd):
    """Trained labels, labels of one's own, spans; no cross-encoder is there to be taken."""
    graph = "Return the shortest path between two nodes."
    assert main(["classify", graph, "--top-k", "1"]) == 0
    assert "networkx" in capfd.readouterr().out
    assert main(["classify", graph, "--labels", "graph", "file"]) == 0
    assert "mass" in capfd.readouterr().out
    assert main(["tag", "Args: axis (int, optional): Along which."]) == 0
    assert "PARAMETER" in capfd.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(["rank", "a"])
    assert ended.value.code == 2 and "--model" in capfd.readouterr().err
