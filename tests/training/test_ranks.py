"""Training in several processes, as torchrun starts them: what they make is what one makes."""

import json
import os
import signal
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

import reference
from reference import ranks
from reference.__main__ import main
from reference.backend import BACKENDS
from reference.errors import InputError
from reference.torch.ranks import own_device
from reference.training import fit
from reference.training.checkpoints import FOLDER
from reference.training.fitting import prepare
from reference.training.logs import read_numbers
from tests.training.in_ranks import RUNS, TEXTS, short, trajectory

ROOT = Path(__file__).parents[2]
SECONDS = 120  # in which all processes have ended, however busy the machine is
QUIET = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}


def in_two(what, folder):
    """Two processes that do it, as torchrun would start them: how each ended, and what it
    said."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    meeting = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    command = [sys.executable, "-m", "tests.training.in_ranks", what, str(folder)]
    processes = [
        subprocess.Popen(
            command,
            env=os.environ | QUIET | meeting | {"RANK": rank, "LOCAL_RANK": rank},
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for rank in "01"
    ]
    try:
        said = [process.communicate(timeout=SECONDS)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return [process.returncode for process in processes], said


@pytest.fixture(scope="module")
def there(tokenizers, tmp_path_factory):
    """A folder in which two processes have done all that ends well."""
    folder = tmp_path_factory.mktemp("ranks")
    for family, tokenizer in tokenizers.items():
        (folder / family).symlink_to(tokenizer)
    (folder / "text.txt").write_text("\n".join(TEXTS))
    codes, said = in_two("alike", folder)
    assert codes == [0, 0], said
    assert "held out: loss" in said[0] and "Warning" not in said[0]
    assert said[1] == "", "the first process speaks for all"
    return folder


@pytest.mark.parametrize("name", RUNS)
def test_two_processes_make_what_one_makes(name, there):
    """With unequal numbers of hidden words, dropout, an odd batch in the end, and a temperature
    that is learned."""
    alone = trajectory(name, there, **RUNS[name][-1])
    assert len(alone["losses"]) >= 4
    for rank in range(2):
        found = np.load(there / f"{name}-{rank}.npz")
        assert set(found) == set(alone)
        # Of all, for some parameters get no gradient but what rounding leaves: a key's bias.
        scale = max(np.abs(expected).max() for expected in alone.values())
        for key, expected in alone.items():
            np.testing.assert_allclose(found[key], expected, atol=1e-12 * scale, err_msg=key)


def test_the_first_process_writes_and_all_get_the_model(there):
    folder = there / "whole"
    assert not (there / "no").exists() and not (folder / FOLDER).exists()
    facts = json.loads((folder / "recipe.json").read_text())
    assert facts["processes"] == 2
    lines = read_numbers(folder / "logs/numbers.jsonl")
    assert [line["step"] for line in lines if "loss" in line] == [*range(1, 13)]
    assert [line["step"] for line in lines if "scores" in line] == [4, 8, 12]
    tensors = reference.load(folder)._model.state()
    for rank in range(2):
        found = np.load(there / f"whole-{rank}.npz")
        for key, tensor in tensors.items():
            np.testing.assert_array_equal(found[key], tensor)


def test_a_killed_process_ends_the_run_which_goes_on(there, monkeypatch):
    """Under torchrun and by the command line, to the same model bit for bit; not with another
    number of processes."""
    codes, said = in_two("killed", there)
    assert codes == [1, -signal.SIGKILL]
    assert "another process of this run has ended" in said[0], said
    (checkpoint,) = (there / "killed" / FOLDER).iterdir()
    assert len(list(checkpoint.iterdir())) == 3
    log = (there / "killed" / "logs/run.log").read_text()
    assert "another process of this run has ended" in log
    with pytest.raises(InputError, match="processes was 2 and is 1 now; go on as it was"):
        fit(**short(there), output=there / "killed", resume=True)
    given = short(there)
    sizes = [f"{key}={value}" for key, value in given.pop("model_config").items()]
    given |= {"data": None, "corpus": there / "text.txt", "output": there / "killed"}
    options = [
        part
        for key, value in given.items()
        if value is not None
        for part in (f"--{key.replace('_', '-')}", str(value))
    ]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = [*torchrun, "--nproc-per-node", "2", "-m", "reference", "train", "--resume"]
    ended = subprocess.run(
        [*command, *options, "--set", *sizes],
        env=os.environ | QUIET,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        cwd=ROOT,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("going on after step 2 of 12") == 1, ended.stderr
    found, whole = (reference.load(there / name)._model.state() for name in ("killed", "whole"))
    for key, tensor in whole.items():
        np.testing.assert_array_equal(found[key], tensor)
    for name in ("recipe.json", "logs/numbers.jsonl"):
        assert (there / "killed" / name).read_text() == (there / "whole" / name).read_text()


@pytest.fixture
def one_of_two(monkeypatch):
    """As torchrun would have started it; no other process is asked."""
    for name, value in (("WORLD_SIZE", "2"), ("RANK", "1")):
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("one_of_two")
def test_batches_are_dealt_out_and_those_of_pairs_grow(tokenizers, tmp_path):
    for family, tokenizer in tokenizers.items():
        (tmp_path / family).symlink_to(tokenizer)
    run = prepare(**short(tmp_path, gradient_accumulation_steps=2, validation_split=0))
    assert [len(step.batches) for step in run.epochs[0]] == [4, 4]
    lessons = run.plan[0].made()
    assert [lesson is None for lesson in lessons] == [True, False, True, False]
    data, family, own, _ = RUNS["contrastive"]
    given = {"family": family, "tokenizer": tmp_path / family, "batch_size": 6, **own}
    run = prepare(data, objective="contrastive", validation_split=0, **given)
    (step, *_) = run.epochs[0]
    (lesson,) = step.made()
    assert lesson.count == 12 and lesson.together
    assert sum(len(chunk.places) for chunk in lesson._chunks()) < 36


@pytest.mark.usefixtures("one_of_two")
def test_what_one_process_does(tokenizers, tmp_path, capsys):
    """Recipes, and the backends whose processes know nothing of each other."""
    assert main(["train", str(tmp_path / "recipe")]) == 2
    assert "a recipe is trained in one process, and torchrun has st" in capsys.readouterr().err
    assert set(BACKENDS) - {ranks.BACKEND} == {"mlx", "candle"}
    for backend in ("mlx", "candle"):
        ask = partial(fit, TEXTS, tmp_path / "model", backend=backend, model="nowhere")
        with pytest.raises(InputError, match=f"{backend} trains in one process, and torchrun"):
            ask()
    assert not (tmp_path / "model").exists()


def test_a_gpu_for_each():
    for device, own in ((None, None), ("cpu", "cpu"), ("cuda", "cuda:3"), ("cuda:3", "cuda:3")):
        assert own_device(device, 3) == own
    assert own_device("auto", 3) == ("cuda:3" if torch.cuda.is_available() else "cpu")
    for device in ("cuda:0", "mps"):
        with pytest.raises(
            InputError, match=f"device is '{device}', one for several processes"
        ):
            own_device(device, 3)


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE=two"),
        ({"WORLD_SIZE": "2"}, "WORLD_SIZE=2 and RANK=None; torchrun sets them to whole"),
        ({"WORLD_SIZE": "2", "RANK": "0"}, "cannot meet: .*MASTER_ADDR"),
    ],
)
def test_half_an_environment_is_refused(environment, says, monkeypatch):
    for name in ("WORLD_SIZE", "RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=says):
        ranks.gathered(ranks.rank())


def test_one_process_asks_nobody():
    code = (
        "import sys\n"
        "from reference import ranks\n"
        "ranks.wait(); ranks.check_same({'a': 1}); ranks.check_backend('mlx')\n"
        "assert ranks.gathered(3) == [3] and ranks.total(2.5) == 2.5 and ranks.is_first()\n"
        "assert ranks.own_device('cuda') == 'cuda' and ranks.from_first(dict) == {}\n"
        "assert 'torch' not in sys.modules\n"
    )
    free = {key: value for key, value in os.environ.items() if key != "WORLD_SIZE"}
    subprocess.run([sys.executable, "-c", code], env=free | QUIET, check=True, timeout=SECONDS)
