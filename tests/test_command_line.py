"""python -m reference: every way in, every way out, and what bad input says."""

import io
import json
import os
import shlex
import subprocess
import sys
import threading
import tomllib
import warnings
from pathlib import Path

import numpy as np
import pytest

import reference
from reference.__main__ import COMMANDS, main, parser
from reference.files import read_lines

ROOT = Path(__file__).parents[1]
TEXTS = ["a first sentence", "a second one"]


@pytest.fixture(scope="module")
def vectors(minilm):
    return reference.load(minilm).encode(TEXTS)


@pytest.fixture
def texts_file(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(TEXTS) + "\n")
    return path


def run(*arguments, stdin: str | None = None, monkeypatch=None):
    if stdin is not None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
    return main([str(argument) for argument in arguments])


def test_embed_prints_text(vectors, capfdbinary):
    assert run("embed", *TEXTS) == 0
    rows = [line.split() for line in capfdbinary.readouterr().out.decode().splitlines()]
    np.testing.assert_allclose(np.array(rows, float), vectors, atol=1e-6)


@pytest.mark.parametrize("source", ["file", "stdin", "dash"])
def test_embed_reads_lines(vectors, texts_file, source, tmp_path, monkeypatch):
    out = tmp_path / "out.npy"
    where = {"file": ["--file", texts_file], "stdin": [], "dash": ["--file", "-"]}[source]
    stdin = None if source == "file" else texts_file.read_text()
    assert run("embed", *where, "--output", out, stdin=stdin, monkeypatch=monkeypatch) == 0
    np.testing.assert_allclose(np.load(out), vectors, atol=1e-6)


def test_embed_writes_json(vectors, capfdbinary, backend):
    assert run("embed", *TEXTS, "--backend", backend, "--format", "json") == 0
    records = json.loads(capfdbinary.readouterr().out)
    assert [record["text"] for record in records] == TEXTS
    np.testing.assert_allclose([record["embedding"] for record in records], vectors, atol=1e-6)


def test_embed_without_normalizing(tmp_path):
    assert (
        run(
            "embed",
            "a text",
            "--normalize",
            "no",
            "--batch-size",
            1,
            "--output",
            tmp_path / "x.npy",
        )
        == 0
    )
    assert np.linalg.norm(np.load(tmp_path / "x.npy")) > 1.5


def test_similar_ranks(capfdbinary):
    assert run("similar", "a cat", "--to", "the moon", "a kitten") == 0
    lines = capfdbinary.readouterr().out.decode().splitlines()
    assert (
        lines[0] == "a cat" and lines[1].endswith("a kitten") and lines[2].endswith("the moon")
    )


def test_similar_writes(texts_file, tmp_path):
    assert (
        run(
            "similar",
            "--file",
            texts_file,
            "--to-file",
            texts_file,
            "--output",
            tmp_path / "s.json",
        )
        == 0
    )
    records = json.loads((tmp_path / "s.json").read_text())
    assert records[0]["scores"][TEXTS[0]] == pytest.approx(1, abs=1e-6)
    assert run("similar", *TEXTS, "--to", "x", "x", "--output", tmp_path / "s.npy") == 0
    assert np.load(tmp_path / "s.npy").shape == (2, 2)


def test_info(capfd, tiny):
    assert run("info") == 0
    assert "22,713,216" in capfd.readouterr().out
    folder = tiny("BertForSequenceClassification", id2label={0: "no", 1: "yes"})
    capfd.readouterr()
    assert run("info", folder, "--format", "json") == 0
    facts = json.loads(capfd.readouterr().out)
    assert facts["labels"] == ["no", "yes"] and facts["pipeline"] == "text-classification"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["embed", "a", "--model", "./nowhere"], "no folder './nowhere'"),
        (["embed", "a", "--file", "b"], "not both"),
        (
            ["embed", "--file", "./nowhere"],
            "./nowhere cannot be read: No such file or directory",
        ),
        (["embed", "a", "--batch-size", "0"], "batch_size is 0"),
        (["embed", "a", "--dtype", "int8"], "dtype 'int8'"),
        (["embed", "a", "--output", "./nowhere/x.npy"], "cannot be written"),
        (["similar", "a"], "nothing to compare with"),
        (["search", "a"], "name a file with --corpus or --vectors"),
        (["search", "--corpus", "-"], "cannot both come from standard input"),
        (["search", "a", "--corpus", "./nowhere"], "./nowhere cannot be read"),
        (["search", "a", "--vectors", "./nowhere"], "there is no such file"),
        (["search", "a", "--vectors", "README.md"], "README.md is not a .npy file"),
        (["similar", "a", "--to", "b", "--late", "--metric", "dot"], "leave metric out"),
        (["embed", "a", "--resume"], "--resume is for a .npy file"),
        (["embed", "a", "--resume", "--precision", "int8"], "so that int8 needs --ranges FILE"),
        (
            ["embed", "a", "--ray", "a", "b", "--precision", "uint8"],
            "uint8 needs --ranges FILE",
        ),
        (["embed", "a", "--prompt-name", "none"], "prompt_name is 'none'"),
        (["bench", "--backends", "jax"], "backend 'jax' is unknown"),
        (["bench", "--peers", "none", "--backends", "none"], "at least one contestant"),
        (["bench", "--rounds", "0"], "at least 1"),
        (["bench", "--texts", "./nowhere"], "cannot be read"),
        (["bench", "--json", "./nowhere/x.json"], "there is no folder"),
        (["embed", "a", "--output", ""], "--output is empty; name a file"),
        (["embed", "a", "--output", "."], "it is a folder"),
        (["embed", "a", "--output", "x" * 300], "File name too long"),
        (["embed", "--file", ""], "--file is empty; name a file, or - for standard input"),
        (["embed", "a", "--file", ""], "not both"),
        (["embed", "--file", "/dev/null"], "there are no texts: /dev/null is empty"),
        (["similar", "a", "--to-file", ""], "--to-file is empty"),
        (["similar", "--to-file", "-"], "cannot both come from standard input"),
        (["similar", "--file", "-", "--to-file", "-"], "cannot both come from standard input"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, message, capfd):
    assert main(arguments) == 2
    captured = capfd.readouterr()
    assert (
        captured.err.startswith("error: ")
        and message in captured.err
        and captured.err.count("\n") == 1
    )
    assert captured.out == ""


@pytest.mark.parametrize("arguments", [["embed"], ["similar", "--to", "b", "c", "a"]])
def test_no_texts_is_an_error(arguments, monkeypatch, capfd):
    assert run(*arguments, stdin="", monkeypatch=monkeypatch) == 2
    assert "there are no texts: standard input is empty" in capfd.readouterr().err


def test_references_from_standard_input(monkeypatch, capfdbinary):
    assert (
        run(
            "similar",
            "a cat",
            "--to-file",
            "-",
            stdin="the moon\na kitten\n",
            monkeypatch=monkeypatch,
        )
        == 0
    )
    assert len(capfdbinary.readouterr().out.splitlines()) == 3
    assert not sys.stdin.closed


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("\n", [""]),
        ("a\n\nb\n", ["a", "", "b"]),
        ("a\r\nb\rc", ["a", "b", "c"]),
        (
            "one\x0ctext\x0b\u2028\u2029\x85\x1c\x1d\x1e\nanother",
            ["one\x0ctext\x0b\u2028\u2029\x85\x1c\x1d\x1e", "another"],
        ),
        ("\ufeffa\n", ["a"]),
    ],
)
def test_lines_end_at_newlines_only(text, lines, tmp_path, monkeypatch):
    path = tmp_path / "texts.txt"
    path.write_bytes(text.encode())
    assert list(read_lines(str(path), "--file")) == lines
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert list(read_lines("-", "--file")) == lines


def test_input_that_is_no_text(tmp_path, capfd):
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    assert run("embed", "--file", tmp_path / "bytes") == 2
    assert "not UTF-8" in capfd.readouterr().err


def test_a_link_stays_a_link_to_the_file_behind_it(tmp_path):
    (tmp_path / "folder").mkdir()
    real, link = tmp_path / "folder" / "real.json", tmp_path / "link.json"
    real.write_text("old")
    link.symlink_to(real)
    assert run("embed", "a", "--output", link) == 0
    assert link.is_symlink() and json.loads(real.read_text())[0]["text"] == "a"


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    assert run("embed", "a", "--format", "json", "--output", pipe) == 0
    reader.join(timeout=10)
    assert pipe.is_fifo() and json.loads(read[0])[0]["text"] == "a"


def test_a_warning_handler_of_the_caller_is_left_alone(tiny, capfd):
    before = warnings.showwarning
    assert run("embed", "a", "--model", tiny()) == 2
    assert warnings.showwarning is before


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("info > /dev/full", "error: output: No space left on device"),
        ("embed a --backend candle > /dev/full", "error: output: No space left on device"),
        ("info >&-", "error: standard output is closed; send it to a file or to /dev/null"),
        ("embed <&-", "error: standard input is closed, so no texts can be read from it"),
    ],
)
def test_streams_that_cannot_be_used(command, message):
    done = shell(f"{sys.executable} -m reference {command}")
    assert done.returncode == 2 and done.stderr == f"{message}\n"


def test_a_reader_that_leaves_early_is_no_error(tmp_path):
    """More than a pipe holds, so that the writer is still at it when head has seen enough."""
    texts = tmp_path / "texts.txt"
    texts.write_text("a\n" * 200)  # almost a megabyte of numbers
    command = f"{sys.executable} -m reference embed --backend candle --file {texts}"
    done = shell(f"{command} | head -1; exit ${{PIPESTATUS[0]}}")
    assert done.returncode == 0 and done.stderr == "" and done.stdout.count("\n") == 1


# What it runs takes the port that is there at once: importing PyTorch takes seconds.
def shell(command: str) -> subprocess.CompletedProcess:
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)


def test_the_version_needs_no_framework():
    frameworks = ("torch", "mlx", "transformers", "reference.candle")
    code = (
        "import runpy, sys; sys.argv[1:] = ['--version']\n"
        "try: runpy.run_module('reference', run_name='__main__', alter_sys=True)\n"
        f"finally: print([name for name in {frameworks} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"encoders-three-ways {reference.__version__}\n[]\n"


def test_the_installed_script_is_the_same_command(tmp_path):
    """What an installer writes for pyproject's entry, under the name that it gives there."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    ((name, entry),) = scripts.items()
    module, function = entry.split(":")
    script = tmp_path / name
    script.write_text(f"import sys\nfrom {module} import {function}\nsys.exit({function}())\n")
    for arguments, status, said in (
        ("--version", 0, f"{name} {reference.__version__}\n"),
        (
            "embed a --model ./nowhere --backend candle",
            2,
            "error: there is no folder './nowhere'",
        ),
        ("embed --help", 0, f"usage: {name} embed "),
    ):
        done = shell(f"{sys.executable} {script} {arguments} 2>&1")
        assert done.returncode == status and done.stdout.startswith(said)
    assert shell(f"{sys.executable} -m reference embed --help").stdout.startswith(
        "usage: python -m reference embed "
    )


def test_texts_are_read_as_they_are_needed(tmp_path, monkeypatch, capfd):
    """The third window holds a bad byte: what comes before it has been printed by then."""
    monkeypatch.setattr("reference.pipelines.batching.TEXTS_AT_ONCE", 2)
    texts = tmp_path / "texts.txt"
    texts.write_bytes(b"a\nb\nc\nd\n\xff\n")
    assert run("embed", "--file", texts) == 2
    captured = capfd.readouterr()
    assert len(captured.out.splitlines()) == 4
    assert "texts.txt is not UTF-8 text: line 5 holds the byte 0xff" in captured.err
    target = tmp_path / "vectors.npy"
    assert run("embed", "--file", texts, "--output", target) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["texts.txt"]


@pytest.mark.parametrize("command", [["embed"], ["similar", "--to", "b", "c"]])
def test_windows_are_one_result_in_every_format(command, tmp_path, monkeypatch):
    lines = [f"text number {number}" for number in range(5)]
    texts = tmp_path / "texts.txt"
    texts.write_text("\n".join(lines))
    made = {}
    for size in (100, 2):
        monkeypatch.setattr("reference.pipelines.batching.TEXTS_AT_ONCE", size)
        for ending in ("json", "jsonl", "npy"):
            target = tmp_path / f"{size}.{ending}"
            assert run(*command, "--file", texts, "--output", target) == 0
            made[size, ending] = target
    for size in (100, 2):
        array = np.load(made[size, "npy"])
        records = json.loads(made[size, "json"].read_text())
        assert records == [json.loads(line) for line in made[size, "jsonl"].open()]
        assert [record["text"] for record in records] == lines
        assert array.dtype == np.float32 and len(array) == 5
        np.testing.assert_allclose(array, np.load(made[100, "npy"]), atol=1e-6)


def test_an_array_goes_through_a_pipe(tmp_path):
    target = tmp_path / "piped.npy"
    command = f"{sys.executable} -m reference embed a b --backend candle --format npy"
    done = shell(f"{command} | cat > {target}")
    assert done.returncode == 0 and np.load(target).shape == (2, 384)


def test_search_in_texts_and_in_their_vectors(tmp_path, capfd):
    corpus, vectors = tmp_path / "corpus.txt", tmp_path / "corpus.npy"
    lines = ["a kitten sleeps", "the moon", "an automobile", "a cat is fed at noon"]
    corpus.write_text("\n".join(lines))
    query = ["search", "how are cats fed", "--top-k", "2", "--format", "jsonl"]
    assert run("embed", "--file", corpus, "--output", vectors, "--resume") == 0
    assert run(*query, "--corpus", corpus) == 0
    found = json.loads(capfd.readouterr().out)
    assert [hit["text"] for hit in found["hits"]] == [lines[3], lines[0]]
    for options in (["--vectors", vectors], ["--vectors", vectors, "--corpus", corpus]):
        assert run(*query, *options) == 0
        again = json.loads(capfd.readouterr().out)
        assert [hit["index"] for hit in again["hits"]] == [3, 0]
        texts = [hit["text"] for hit in again["hits"]]
        assert texts == ([lines[3], lines[0]] if "--corpus" in options else [None, None])
    cut = ["--truncate-dim", "64"]
    assert run("embed", "--file", corpus, "--output", vectors, *cut) == 0
    assert run(*query, "--vectors", vectors, *cut) == 0
    assert json.loads(capfd.readouterr().out)["hits"][0]["index"] == 3
    assert run(*query, "--vectors", vectors) == 2
    assert "truncate_dim says to how many numbers" in capfd.readouterr().err
    corpus.write_text("another one")
    assert run(*query, "--vectors", vectors, *cut, "--corpus", corpus) == 2
    assert "has 1 lines and there are 4 vectors" in capfd.readouterr().err


def test_a_reference_that_is_given_twice_changes_no_shape(capfd):
    compare = ["similar", "a cat", "--format", "jsonl", "--to"]
    assert run(*compare, "moon", "a kitten") == 0
    once = json.loads(capfd.readouterr().out)["scores"]
    assert run(*compare, "moon", "moon", "a kitten") == 0
    twice = json.loads(capfd.readouterr().out)["scores"]
    assert twice == pytest.approx(once, abs=1e-6)
    assert run("similar", "a", "--to", "b", "--to-file", "x") == 2
    assert "give texts with --to or with --to-file, not both" in capfd.readouterr().err


def test_embed_hands_on_what_is_wanted(minilm, tmp_path, capfd):
    out = tmp_path / "x.npy"
    model = reference.load(minilm)
    options = ["--prompt", "query: ", "--truncate-dim", "16", "--precision", "uint8"]
    assert run("embed", *TEXTS, *options, "--output", out) == 0
    expected = model.encode(TEXTS, prompt="query: ", truncate_dim=16, precision="uint8")
    np.testing.assert_array_equal(np.load(out), expected)
    assert run("embed", *TEXTS, *options) == 0
    assert capfd.readouterr().out.split()[:16] == list(map(str, expected[0]))
    assert run("embed", "word " * 400, "--truncation", "error") == 2
    assert "146 tokens more than the 256" in capfd.readouterr().err
    assert run("embed", "word " * 400) == 0
    assert "warning: 1 of 1 texts were longer than 256" in capfd.readouterr().err


@pytest.fixture
def ranges_file(minilm, tmp_path):
    vectors = reference.load(minilm).encode([*TEXTS, "a third text", "and a fourth"])
    np.save(tmp_path / "ranges.npy", np.stack([vectors.min(axis=0), vectors.max(axis=0)]))
    return tmp_path / "ranges.npy"


@pytest.mark.parametrize("resume", [False, True])
def test_embed_within_given_ranges(minilm, ranges_file, tmp_path, monkeypatch, resume):
    """Which make vectors comparable that come in parts."""
    monkeypatch.setattr("reference.pipelines.batching.TEXTS_AT_ONCE", 1)
    out, options = tmp_path / "x.npy", ["--precision", "int8", "--ranges", ranges_file]
    assert run("embed", *TEXTS, *options, "--output", out, *["--resume"] * resume) == 0
    expected = reference.load(minilm).encode(
        TEXTS, precision="int8", ranges=np.load(ranges_file)
    )
    assert np.abs(np.load(out).astype(int) - expected).max() <= 1  # at an edge of a step
    assert np.load(out).dtype == np.int8


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (None, [], "ranges.npy cannot be read: there is no such file"),
        (b"", [], "ranges.npy is not a .npy file, which --ranges names"),
        (b"PK\x03\x04", [], "ranges.npy is not a .npy file, which --ranges names"),
        (np.zeros((2, 5)), [], "ranges has shape (2, 5); it must hold finite numbers"),
        (np.full((2, 384), np.nan), [], "it must hold finite numbers"),
        (np.full((2, 384), 1e300), [], "it must hold finite numbers"),
        (np.stack([np.ones(384), np.zeros(384)]), [], "least numbers in its first row"),
        (np.full((2, 384), "1"), [], "ranges must be an array of numbers"),
        (np.zeros((2, 384), complex), [], "ranges must be an array of numbers"),
        (np.zeros((2, 384)), ["--precision", "binary"], "ranges are for int8 and uint8"),
    ],
)
def test_ranges_that_are_none(content, options, message, tmp_path, capfd):
    file = tmp_path / "ranges.npy"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        np.save(file, content)
    assert run("embed", *TEXTS, "--precision", "int8", "--ranges", file, *options) == 2
    said = capfd.readouterr().err
    assert message in said and said.startswith("error: ") and said.count("\n") == 1


@pytest.mark.parametrize("late", [[], ["--late"]])
def test_similar_tells_once_what_is_cut(late, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr("reference.pipelines.batching.TEXTS_AT_ONCE", 1)
    long = "word " * 400
    compare = ["similar", "a", long, "b", long, "--to", "c", long, *late]
    assert run(*compare) == 0
    said = capfd.readouterr().err
    assert "warning: 3 of 6 texts were longer than 256 tokens" in said and said.count("\n") == 1
    assert run(*compare, "--truncation", "ignore") == 0 and not capfd.readouterr().err
    assert run(*compare, "--truncation", "error") == 2
    assert "error: references[1] has 146 tokens more" in capfd.readouterr().err
    assert run("similar", "a", long, "--to", "c", *late, "--truncation", "error") == 2
    assert "error: texts[1] has 146 tokens more" in capfd.readouterr().err


def test_search_tells_once_what_is_cut(tmp_path, capfd):
    long = "word " * 400
    (tmp_path / "corpus").write_text(f"a\n{long}\n{long}\n")
    search = ["search", "b", long, "--corpus", tmp_path / "corpus"]
    assert run(*search) == 0
    said = capfd.readouterr().err
    assert "warning: 3 of 5 texts were longer than 256 tokens" in said and said.count("\n") == 1
    assert run(*search, "--truncation", "ignore") == 0 and not capfd.readouterr().err
    assert run(*search, "--truncation", "error") == 2
    assert "error: queries[1] has 146 tokens more" in capfd.readouterr().err
    assert run("search", "b", *search[3:], "--truncation", "error") == 2
    assert "error: corpus[1] has 146 tokens more" in capfd.readouterr().err


def test_the_folder_of_here_has_a_name(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    for command in (
        ["embed", "a", "--model", "."],
        ["info", "."],
        ["fill", "a", "--model", "./"],
    ):
        assert run(*command) == 2
        assert f"{tmp_path}/config.json is missing" in capfd.readouterr().err


def test_similar_by_other_measures(minilm, capfd):
    model = reference.load(minilm)
    compare = ["similar", *TEXTS, "--to", "a text", "--format", "jsonl"]
    for option, how in (
        ("--metric=dot", {"metric": "dot"}),
        ("--truncate-dim=32", {"truncate_dim": 32}),
        ("--late", {"late_interaction": True}),
    ):
        assert run(*compare, option) == 0
        rows = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
        expected = model.similarity(TEXTS, ["a text"], **how).scores
        found = [[row["scores"]["a text"]] for row in rows]
        np.testing.assert_allclose(found, expected, atol=1e-5)


def examples_of(command, capfd):
    """The lines below "examples:" of its --help."""
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    _, shown = capfd.readouterr().out.split("\nexamples:\n")
    return [line.strip() for line in shown.splitlines()]


# Or about files that their reader has.
SLOW = ("bench", "evaluate", "parity", "train", "train-tokenizer")


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_of_help(command, capfd, tmp_path, monkeypatch):
    """They are command lines. Those that need no network, no cluster and no hour are run, in
    their order: what one writes the next reads."""
    lines = examples_of(command, capfd)
    assert any(line.startswith(f"python -m reference {command}") for line in lines)
    monkeypatch.chdir(tmp_path)
    for line in lines:
        if line.startswith("printf "):
            subprocess.run(["bash", "-c", line], check=True)
            continue
        words = shlex.split(line)
        in_processes = words[0] == "torchrun"
        words = words[words.index("-m") - 1 :]
        assert in_processes or words[0] == "python"
        assert words[1:3] == ["-m", "reference"]
        options = parser().parse_args(words[3:])
        slow = command in SLOW or "--ray" in words or in_processes
        if not slow and not str(options.model).startswith("cross-encoder/"):
            assert main(words[3:]) == 0, capfd.readouterr().err
