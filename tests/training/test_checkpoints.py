"""A run that is ended at any moment goes on as if it had not been."""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from reference.__main__ import main
from reference.errors import CheckpointError, InputError
from reference.training import checkpoints, loop
from reference.training.checkpoints import FOLDER, Checkpoints, fingerprint
from reference.training.masked_lm import train
from tests.training.test_loop import CONFIG, RECIPE, rows  # noqa: F401

EVERY = 3


class Ended(Exception):  # noqa: N818
    """As a kill does it."""


def run(rows, folder, backend="torch", seen=None):  # noqa: F811
    made = Checkpoints(folder, {"recipe": "tiny"}, EVERY)
    report = (lambda progress: None) if seen is None else seen.append
    return train(rows, CONFIG, 3, RECIPE, report, backend, checkpoints=made)


def test_an_ended_run_goes_on_bit_for_bit(rows, tmp_path, backend, monkeypatch):  # noqa: F811
    """Wherever it was ended: in a step, before a checkpoint, while one is written, after."""
    monkeypatch.setattr(loop, "SHOWN_EVERY", 4)
    whole_seen = []
    whole = run(rows, tmp_path / "whole", backend, whole_seen)
    for number, (owner, name, calls) in enumerate(
        [
            (loop, "accumulate", 2),
            (loop, "accumulate", 8),
            (checkpoints, "serialize", 1),
            (checkpoints, "serialize", 4),
            (checkpoints, "write_together", 2),
            (checkpoints.shutil, "rmtree", 1),
        ]
    ):
        folder, count = tmp_path / str(number), 0
        plain = getattr(owner, name)

        def stop(*arguments, plain=plain, calls=calls, **options):
            nonlocal count
            count += 1
            if count == calls:
                raise Ended
            return plain(*arguments, **options)

        with monkeypatch.context() as patch, pytest.raises(Ended):
            patch.setattr(owner, name, stop)
            run(rows, folder, backend)
        seen = []
        again = run(rows, folder, backend, seen)
        for key, tensor in whole.items():
            np.testing.assert_array_equal(again[key], tensor, err_msg=f"{name} {key}")
        assert [(p.step, p.loss) for p in seen] == [(p.step, p.loss) for p in whole_seen]
        assert len(list((folder / FOLDER).iterdir())) == 2


def test_a_killed_process_loses_no_file(rows, tmp_path):  # noqa: F811
    """Killed again and again at moments that chance decides, it gets to the same end."""
    whole = run(rows, tmp_path / "whole", "candle")
    code = (
        "from tests.training.test_checkpoints import run\n"
        "from pathlib import Path\n"
        "import numpy as np, sys\n"
        f"rows = {rows!r}\n"
        "print('ready', flush=True)\n"
        f"tensors = run(rows, Path({str(tmp_path / 'killed')!r}), 'candle')\n"
        f"np.savez({str(tmp_path / 'end.npz')!r}, **tensors)\n"
    )
    chance = random.Random(0)
    for attempt in range(12):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        process.stdout.readline()
        if attempt < 11:
            time.sleep(chance.uniform(0, 0.3))
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        for folder in (tmp_path / "killed" / FOLDER).glob("step-*"):
            assert len(list(folder.iterdir())) == 3, "a checkpoint is whole"
    found = np.load(tmp_path / "end.npz")
    for key, tensor in whole.items():
        np.testing.assert_array_equal(found[key], tensor)


def test_another_run_is_not_gone_on_with(rows, tmp_path, monkeypatch):  # noqa: F811
    run(rows, tmp_path)
    with pytest.raises(InputError, match="recipe was 'tiny' and is 'other' now; go on as it"):
        Checkpoints(tmp_path, {"recipe": "other"}).latest()
    for name, content in (("moments.safetensors", b"x"), ("state.json", b"{")):
        (newest,) = sorted((tmp_path / FOLDER).iterdir())[-1:]
        plain = (newest / name).read_bytes()
        (newest / name).write_bytes(content)
        with pytest.raises(CheckpointError):
            Checkpoints(tmp_path, {"recipe": "tiny"}).latest()
        (newest / name).write_bytes(plain)


def test_texts_are_told_apart():
    assert fingerprint(["a", "b"]) != fingerprint(["ab"]) != fingerprint(["a b"])
    assert fingerprint(iter(["a", "\ud800"])) == fingerprint(["a", "\ud800"])


def test_the_command_line(tmp_path, capsys, monkeypatch):
    text = tmp_path / "text.txt"
    generator = np.random.default_rng(0)
    letters = [chr(letter) for letter in generator.integers(97, 123, 400)]
    words = ["".join(letters[n : n + 5]) for n in range(0, 400, 5)]
    text.write_text("\n".join(" ".join(generator.choice(words, 9)) for _ in range(300)))
    folder = tmp_path / "model"
    sizes = "--epochs 1 --vocab-size 300 --hidden-size 24 --layers 1 --backend candle".split()
    command = ["train", str(folder), "--corpus", str(text), *sizes, "--checkpoint-steps", "1"]
    assert main([*command, "--resume"]) == 2
    assert "holds no unfinished run" in capsys.readouterr().err
    plain, count = loop.accumulate, 0

    def stop(*arguments):
        nonlocal count
        count += 1
        if count == 3:
            raise Ended
        return plain(*arguments)

    with monkeypatch.context() as patch, pytest.raises(Ended):
        patch.setattr(loop, "accumulate", stop)
        main(command)
    assert main(command) == 2
    assert "holds an unfinished run; --resume goes on with it" in capsys.readouterr().err
    assert main([*command, "--resume", "--seed", "7"]) == 2
    assert "is of another run: recipe was" in capsys.readouterr().err
    assert main([*command, "--resume"]) == 0
    assert "hidden words" in capsys.readouterr().out and not (folder / FOLDER).exists()
    assert (folder / "recipe.json").exists()


def test_bad_settings(tmp_path):
    for settings in ({"every": 0}, {"keep": 0}, {"every": 1.5}):
        with pytest.raises(InputError, match="must be a whole number of at least 1"):
            Checkpoints(tmp_path, {}, **settings)
