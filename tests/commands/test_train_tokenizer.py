"""python -m reference train-tokenizer."""

import io
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from reference.__main__ import main
from reference.text import read_tokenizer
from tests.training.tokenizer.text import SENTENCES, SIZES, write

ROOT = Path(__file__).parents[2]


def run(*arguments):
    return main(["train-tokenizer", *map(str, arguments)])


def test_from_a_file_to_a_folder(tmp_path, capsys):
    text = write(tmp_path / "text.txt")
    for kind, size in SIZES.items():
        folder = tmp_path / "some" / kind
        options = ("--vocab-size", size, "--kind", kind, "--max-length", 9)
        assert run("--input", text, "--output", folder, *options) == 0
        printed = capsys.readouterr()
        assert printed.out == f"{folder}: {size} pieces of the kind {kind}\n"
        assert not printed.err  # no bar where nobody looks
        tokenizer = read_tokenizer(folder)
        assert tokenizer.vocab_size == size and tokenizer.max_length == 9
        files = {path.name for path in folder.iterdir()}
        mine = {"tokenizer.model", "tokenizer.vocab"} if "-" not in kind else set()
        assert files - mine <= {"tokenizer.json", "tokenizer_config.json"}


def test_from_several_files_and_from_standard_input(tmp_path, monkeypatch):
    one = write(tmp_path / "one.txt", SENTENCES[::2])
    other = write(tmp_path / "other.txt", SENTENCES[1::2])
    options = ("--vocab-size", 90, "--kind", "bpe")
    assert run("--input", one, other, "--output", tmp_path / "files", *options) == 0
    monkeypatch.setattr(
        "sys.stdin", io.TextIOWrapper(io.BytesIO("\n".join(SENTENCES).encode()))
    )
    assert run("--input", "-", "--output", tmp_path / "stdin", *options) == 0
    for name in ("tokenizer.model", "tokenizer.vocab", "tokenizer_config.json"):
        files = [tmp_path / folder / name for folder in ("files", "stdin")]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_bad_input(tmp_path, capsys):
    text = write(tmp_path / "text.txt")
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "blank.txt").write_text("\n \n")
    (tmp_path / "bad.txt").write_bytes(b"one\ntwo\n\xfe\n")
    new = tmp_path / "new"
    for arguments, words in [
        (("--input", tmp_path / "none.txt", "--output", new), "none.txt cannot be read"),
        (("--input", tmp_path, "--output", new), "Is a directory"),
        (("--input", "", "--output", new), "--input is empty"),
        (("--input", "-", "-", "--output", new), "standard input twice"),
        (("--input", tmp_path / "empty.txt", "--output", new), "no texts to learn from"),
        (("--input", tmp_path / "blank.txt", "--output", new), "no texts to learn from"),
        (("--input", tmp_path / "bad.txt", "--output", new), "line 3 holds the byte 0xfe"),
        (("--input", text, "--output", new), "vocab_size is 20000, but these texts have"),
        (("--input", text, "--output", new, "--coverage", "0"), "coverage is 0.0"),
        (("--input", text, "--output", text), "is no folder to write a tokenizer to"),
        (("--input", text, "--output", tmp_path), "is not empty"),
    ]:
        assert run(*arguments) == 2
        assert words in capsys.readouterr().err
    for arguments in (["--kind", "words"], ["--vocab-size", "many"]):
        with pytest.raises(SystemExit):
            run("--input", text, "--output", new, *arguments)
    assert not new.exists()


def test_help_says_what_is_left_out(capsys):
    with pytest.raises(SystemExit):
        run("--help")
    printed = " ".join(capsys.readouterr().out.split())
    assert "python -m reference train-tokenizer --input sentences.txt" in printed
    assert "the rarest words beyond it are left out" in printed


@pytest.mark.parametrize("moment", ["reading", "training"])
def test_ctrl_c_leaves_nothing(tmp_path, moment):
    """While it reads, from a pipe that does not end, and in the middle of the library's
    work."""
    slow = (
        "import sys, time; import reference.training.tokenizer as tokenizer;"
        "texts = tokenizer.training_texts;"
        "tokenizer.training_texts = lambda *_: (print('reading', flush=True), texts(*_))[1];"
        "tokenizer.sentence_piece.train = lambda *_: (print('training', flush=True), "
        "time.sleep(60));"
        "from reference.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", slow, *"train-tokenizer --input - --output new".split()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        # What a shell starts in the background ignores Ctrl-C, and so would this.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    process.stdin.write("\n".join(SENTENCES).encode())
    process.stdin.flush()
    assert process.stdout.readline() == b"reading\n"
    if moment == "training":
        process.stdin.close()
        assert process.stdout.readline() == b"training\n"
    process.send_signal(signal.SIGINT)
    process.stdin = None
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130 and b"interrupted" in error
    assert not list(tmp_path.iterdir())
