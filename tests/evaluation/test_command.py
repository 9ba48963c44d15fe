"""python -m reference evaluate."""

import json
import shlex
import subprocess
import sys

import pytest

from reference.__main__ import main, parser
from reference.checkpoint import EMBEDDED_MODEL
from reference.evaluation import command
from reference.evaluation.docstrings import docstring_retrieval
from reference.parity import random_checkpoint

PAIRS = "is it fed\tThe cat eats.\nis it full\tThe moon is full.\nwho eats\tThe cat eats.\n"
SCORED = "a cat\ta kitten\t5\na cat\tthe moon\t1\nthe moon\ta star\t3\n"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate") / "small"
    random_checkpoint(folder, tokenizer=EMBEDDED_MODEL, pooling="mean", hidden_size=32)
    return str(folder)


@pytest.fixture
def pairs(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text(PAIRS)
    return str(path)


def test_a_table_of_retrieval(pairs, small, capfdbinary):
    assert main(["evaluate", small, "--tsv", pairs]) == 0
    lines = capfdbinary.readouterr().out.decode().splitlines()
    assert lines[:2] == ["pairs: 3", "queries: 3, documents: 2"]
    assert lines[2].split()[:6] == "recall@1 recall@5 recall@10 MRR@10 nDCG@10 MAP@100".split()
    names = [line.split("  ")[0].strip() for line in lines[3:]]
    assert names == ["BM25", f"{small}, random", small, EMBEDDED_MODEL]
    assert lines[3].split()[1:7] == ["0.6667"] * 6 and lines[6].split()[1:7] == ["1.0000"] * 6
    assert len({len(line) for line in lines[2:]}) == 1


def test_json_lines_of_scored_pairs(tmp_path, backend):
    path, out = tmp_path / "scored.tsv", tmp_path / "out.jsonl"
    path.write_text(SCORED)
    options = ["--tsv", str(path), "--backend", backend, "--output", str(out), "--seed", "3"]
    assert main(["evaluate", *options]) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["name"] for row in rows] == [
        "TF-IDF", f"{EMBEDDED_MODEL}, random", EMBEDDED_MODEL
    ]  # fmt: skip
    assert set(rows[0]) == {"name", "pearson", "spearman", "pairs", "notes"}
    assert rows[0]["pearson"] is None and rows[2]["spearman"] == 1 and rows[2]["pairs"] == 3


def test_what_stands_beside_is_chosen(pairs, small, capfdbinary):
    for beside, names in (
        (["none"], [small]),
        (["minilm"], [small, EMBEDDED_MODEL]),
        (["words,random"], ["BM25", f"{small}, random", small]),
    ):
        arguments = ["evaluate", small, "--tsv", pairs, "--format", "json", "--beside", *beside]
        assert main(arguments) == 0
        rows = json.loads(capfdbinary.readouterr().out)
        assert [row["name"] for row in rows] == names


def test_the_seed_is_that_of_random_weights(pairs, small, capfdbinary):
    made = []
    for seed in "001":
        arguments = ["evaluate", small, "--tsv", pairs, "--beside", "random", "--seed", seed]
        assert main([*arguments, "--format", "json"]) == 0
        made.append(json.loads(capfdbinary.readouterr().out)[0])
    assert made[0] == made[1]


def test_three_files(tmp_path, small, capfdbinary):
    files = {"--queries": "q\ta cat\n", "--documents": "d\ta cat\n", "--qrels": "q 0 d 1\n"}
    arguments = []
    for option, text in files.items():
        path = tmp_path / f"{option[2:]}.tsv"
        path.write_text(text)
        arguments += [option, str(path)]
    assert main(["evaluate", small, *arguments, "--beside", "words"]) == 0
    assert capfdbinary.readouterr().out.decode().splitlines()[0] == "queries: 1, documents: 1"


def test_docstrings_and_lee_are_asked_for(monkeypatch, small, capfdbinary):
    asked = []

    def fewer(documents, seed):
        asked.append((documents, seed))
        return docstring_retrieval(documents, seed, ["huggingface_hub"])

    monkeypatch.setattr(command, "docstring_retrieval", fewer)
    assert main(["evaluate", small, "--beside", "none"]) == 0
    arguments = ["evaluate", small, "--docstrings", "--at-most", "5", "--seed", "2"]
    assert main([*arguments, "--beside", "none"]) == 0
    assert asked == [(2000, 0), (5, 2)]
    assert b"bodies of held-out docstrings: " in capfdbinary.readouterr().out
    assert main(["evaluate", small, "--lee", "--beside", "words"]) == 0
    assert b"1225 pairs" in capfdbinary.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["./nowhere", "--lee"], "no folder './nowhere'"),
        (["--lee", "--tsv", "x"], "name one kind of data"),
        (["--docstrings", "--queries", "x"], "name one kind of data"),
        (["--queries", "x"], "go together; name all three"),
        (["--lee", "--at-most", "3"], "--at-most is for --docstrings"),
        (["--at-most", "0"], "documents is 0"),
        (["--lee", "--seed", "-1"], "--seed is -1"),
        (["--lee", "--beside", "glove"], "--beside 'glove' is unknown; it is one of words"),
        (["--tsv", "./none.tsv"], "./none.tsv cannot be read"),
        (["--tsv", ""], "--tsv is empty; name a file"),
        (["--lee", "--output", "./nowhere/x"], "cannot be written"),
        (["--lee", "--batch-size", "0", "--beside", "none"], "batch_size is 0"),
        (["--lee", "--dtype", "int3", "--beside", "none"], "dtype 'int3'"),
    ],
)
def test_bad_input_is_one_line_and_status_2(arguments, message, capfd):
    assert main(["evaluate", *arguments]) == 2
    captured = capfd.readouterr()
    assert message in captured.err and captured.err.count("\n") == 1 and captured.out == ""


def test_what_is_wrong_with_a_file_is_said_with_its_line(tmp_path, capfd):
    path = tmp_path / "pairs.tsv"
    path.write_text("a\tb\t1\nc\td\tnan\n")
    assert main(["evaluate", "--tsv", str(path)]) == 2
    assert f"error: {path}, line 2: the score is 'nan'" in capfd.readouterr().err


def test_the_examples_of_help_work(tmp_path, monkeypatch, capfd):
    """But for those that need a model or files of the reader's own."""
    with pytest.raises(SystemExit):
        parser().parse_args(["evaluate", "--help"])
    help_text = " ".join(capfd.readouterr().out.split())
    monkeypatch.chdir(tmp_path)
    begins = help_text.index("printf '")
    ends = help_text.index(" > pairs.tsv", begins)
    made = subprocess.check_output(shlex.split(help_text[begins:ends]), text=True)
    assert made.count("\t") == 2
    (tmp_path / "pairs.tsv").write_text(made)
    assert "python -m reference evaluate --tsv pairs.tsv" in help_text
    assert main(["evaluate", "--tsv", "pairs.tsv", "--beside", "words"]) == 0


def test_the_room_imports_no_framework():
    code = "import sys, reference.evaluation.command; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {"torch", "mlx", "mlx.core", "transformers", "gensim"} & set(done.stdout.split())
