"""Models among threads, processes and interrupts: the same bits, or an error, and never a
hang."""

import copy
import operator
import os
import pickle
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

import reference
from reference.checkpoint import EMBEDDED_MODEL
from reference.parity import random_checkpoint

THREADS = 8
TEXTS = ["a cat", "a rather longer text about a cat that sleeps", "", "cats and dogs"]
IDS = np.array([[5, 6, 7, 8], [9, 10, 11, 12]])


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A small embedding model that takes texts."""
    folder = tmp_path_factory.mktemp("processes") / "model"
    return random_checkpoint(folder, tokenizer=EMBEDDED_MODEL, pooling="mean", normalize=True)


def test_threads_do_not_disturb_one_another(small, backend):
    model = reference.load(small, backend=backend)
    long, short = [text * 9 for text in TEXTS], TEXTS[::-1]
    jobs = [
        lambda: model.encode(long, batch_size=2),
        lambda: model.encode(short),
        lambda: np.concatenate(model.tokenizer(long, max_length=5)),
        lambda: model.forward(IDS)["last_hidden_state"],
        lambda: reference.load(small, backend=backend).encode(short),
    ]
    alone = [job() for job in jobs]
    with ThreadPoolExecutor(THREADS) as pool:
        chosen = [number % len(jobs) for number in range(5 * THREADS)]
        found = list(pool.map(lambda number: jobs[number](), chosen))
    for number, result in zip(chosen, found, strict=True):
        np.testing.assert_array_equal(result, alone[number])


@pytest.mark.parametrize("copied", [copy.deepcopy, copy.copy, "pickle"])
def test_a_copy_is_loaded_again(small, backend, copied):
    model = reference.load(small, backend=backend, dtype="float64", device="cpu")
    again = pickle.loads(pickle.dumps(model)) if copied == "pickle" else copied(model)
    assert type(again) is type(model) and again.model is not model.model
    assert (again.backend, again.dtype, again.device) == (backend, "float64", "cpu")
    np.testing.assert_array_equal(again.encode(TEXTS), model.encode(TEXTS))


def test_a_copy_finds_its_folder_from_elsewhere(small, monkeypatch, tmp_path):
    monkeypatch.chdir(small.parent)
    sent = pickle.dumps(reference.load("model", pipeline="embeddings"))
    monkeypatch.chdir(tmp_path)
    assert pickle.loads(sent).checkpoint.folder == small


def test_a_model_may_be_sent_to_new_processes(small):
    models = [reference.load(small, backend=backend) for backend in reference.backend.BACKENDS]
    with get_context("spawn").Pool(1) as pool:
        found = pool.map(operator.methodcaller("encode", TEXTS), models)
    for model, vectors in zip(models, found, strict=True):
        np.testing.assert_array_equal(vectors, model.encode(TEXTS))


FORKED = """
import os, signal, sys
import reference

folder, backend = sys.argv[1:]
model = reference.load(folder, backend=backend)
model.encode(["a text"] * 50)
child = os.fork()
if child == 0:
    signal.alarm(100)  # a hang ends here
    errors = 0
    for use in (lambda: model.encode(["a text"]), lambda: model.forward([[5, 6]]),
                lambda: reference.load(folder, backend=backend)):
        try:
            use()
        except reference.InputError as error:
            errors += "fork of process" in str(error)
    os._exit(errors)
_, status = os.waitpid(child, 0)
model.encode(["a text"])
sys.exit(os.waitstatus_to_exitcode(status))
"""


def test_a_fork_that_would_hang_is_told_so(small, backend):
    ended = subprocess.run([sys.executable, "-c", FORKED, str(small), backend], check=False)
    assert ended.returncode == 3  # errors, one for each use


SHARED = """
import os, sys, numpy, reference
model = reference.load(sys.argv[1], backend=sys.argv[2])
reading, writing = os.pipe()
again, going = os.pipe()
for _ in range(2):
    if not os.fork():
        os.close(going)
        model.forward(numpy.arange(20)[None])
        lines = open("/proc/self/smaps_rollup").read().splitlines()[1:]
        kilobytes = {line.split(":")[0]: int(line.split()[1]) for line in lines}
        own = kilobytes["Private_Clean"] + kilobytes["Private_Dirty"]
        os.write(writing, f"{own // 1024} ".encode())
        os.read(again, 1)  # neither ends before the other has looked
        os._exit(0)
found = b""
while found.count(b" ") < 2:
    found += os.read(reading, 9)
print(found.decode())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the system tells on Linux only")
@pytest.mark.parametrize("backend", ["torch", "candle"])
def test_forks_share_the_weights(tmp_path, backend):
    """Of a model of 100 MB, nearly all of it a table of words, two forks that computed hold
    little of their own."""
    sizes = {"vocab_size": 200_000, "hidden_size": 128, "num_attention_heads": 4}
    folder = random_checkpoint(tmp_path / "model", "BertModel", pooling="mean", **sizes)
    program = [sys.executable, "-c", SHARED, str(folder), backend]
    done = subprocess.run(program, stdout=subprocess.PIPE, text=True, check=True)
    first, second = map(int, done.stdout.split())
    assert max(first, second) < 50


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_leaves_the_model_usable(small, backend):
    model = reference.load(small, backend=backend)
    texts = TEXTS * 5
    expected = model.encode(texts)

    wanted = False

    def interrupt(*_: object) -> None:
        if wanted:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    interrupted = 0
    try:
        for delay in np.random.default_rng(0).uniform(1e-4, 2e-2, size=20):
            try:
                wanted = True
                # Again and again: where an object is taken down, Python throws errors away.
                signal.setitimer(signal.ITIMER_REAL, delay, 1)
                while True:
                    model.encode(texts, batch_size=4)
            except KeyboardInterrupt:
                wanted = False
                interrupted += 1
            np.testing.assert_array_equal(model.encode(texts), expected)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert interrupted == 20


GROWTH = """
import sys
import reference

folder, backend, loads, texts = *sys.argv[1:3], *map(int, sys.argv[3:])


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def work(loads, texts):
    for _ in range(loads):
        reference.load(folder, backend=backend)
    for _ in range(texts):
        model.encode(["a text"])


model = reference.load(folder, backend=backend)
work(30, 300)  # what is set up once, and the allocators' reserve
before = resident()
work(loads, texts)
print(resident() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_nothing_grows_with_use(tmp_path, backend):
    """A model has a megabyte of words here. One that stays behind after a load, or three
    kilobytes after each text, would be seen. With TIMES=10 it is a thousand loads and ten
    thousand texts."""
    folder = random_checkpoint(
        tmp_path / "model", tokenizer=EMBEDDED_MODEL, pooling="mean", hidden_size=8
    )
    times = int(os.environ.get("TIMES", "1"))
    work = [str(times * 100), str(times * 1000)]
    grown = subprocess.check_output([sys.executable, "-c", GROWTH, folder, backend, *work])
    assert int(grown) < 3 * 2**20
