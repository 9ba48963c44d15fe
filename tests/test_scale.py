"""Ray and what is run with it: the numbers and the order of encode, and nothing lost with a
worker."""

import logging
import os
import pickle
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pyarrow
import pyarrow.parquet
import pytest

import reference
from reference import scale
from reference.__main__ import main
from reference.checkpoint import embedded_folder
from reference.errors import InputError
from reference.scale import embed_files

# Lengths that differ, so that neighbours are in different batches.
TEXTS = [f"text {number}: {'word ' * (number * 7 % 23)}" for number in range(240)]
# With the port that is there at once: each worker would import PyTorch.
ONE_WORKER = {"workers": 1, "backend": "candle"}


@pytest.fixture(scope="module")
def vectors(minilm):
    return reference.load(minilm, backend="candle").encode(TEXTS)


@pytest.fixture(scope="module")
def cluster():
    """One machine with two processors."""
    import ray

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")  # beside other tests workers would starve
        patch.delenv("RAY_ADDRESS", raising=False)
        ray.init(
            "local",
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=100 * 2**20,
            logging_level=logging.ERROR,
        )
        yield ray
        ray.shutdown()


@pytest.fixture
def parquet(tmp_path):
    """Four files, the order of whose names is that of the texts."""
    folder = tmp_path / "source"
    folder.mkdir()
    for file, first in enumerate(range(0, len(TEXTS), 60)):
        some = TEXTS[first : first + 60]
        table = {"number": range(first, first + 60), "content": some}
        pyarrow.parquet.write_table(pyarrow.table(table), folder / f"{file}.parquet")
    return folder


def read(folder: Path) -> pyarrow.Table:
    """All there is, in the order of the names."""
    assert not list(folder.parent.glob(".*"))  # where it was made
    files = sorted(folder.iterdir())
    assert len(files) > 1
    return pyarrow.concat_tables([pyarrow.parquet.read_table(file) for file in files])


def numbers(table: pyarrow.Table) -> np.ndarray:
    return np.array(table["embedding"].to_pylist(), dtype=np.float32)


def test_the_command_has_a_cluster_of_its_own(tmp_path, parquet):
    """And has ended it when it ends. It comes first: with the other cluster beside it, the
    two take more memory than the rest."""
    (tmp_path / "lines.txt").write_text("a\nb\n")
    (tmp_path / "model").symlink_to(embedded_folder())
    environment = {key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"} | {
        "PYTHONPATH": str(Path(reference.__file__).parents[1]),
        "STARTED_BY": str(tmp_path),
        "RAY_worker_niceness": "0",
    }
    command = (
        "-m reference embed --backend candle --workers 1 --model model --ray lines.txt target"
    )
    done = subprocess.run(
        [sys.executable, *command.split()],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "Traceback" not in done.stderr and "warning:" not in done.stderr
    (file,) = (tmp_path / "target").iterdir()
    assert pyarrow.parquet.read_table(file)["text"].to_pylist() == ["a", "b"]
    assert (tmp_path / "target").stat().st_mode & 0o777 == parquet.stat().st_mode & 0o777
    _, left = psutil.wait_procs(started_by(str(tmp_path)), timeout=60)
    assert not left


def started_by(mark: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # another user's, or none any more
            if process.environ().get("STARTED_BY") == mark:
                found.append(process)
    return found


def kill_a_worker_at_work(killed: list[int]) -> None:
    """As the system does it where memory runs out: a worker's process, while it embeds."""
    until = time.monotonic() + 300
    while not killed and time.monotonic() < until:
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):  # it has ended meanwhile
                if "MapWorker(MapBatches(Embed)).submit" in " ".join(process.cmdline()):
                    process.kill()
                    killed.append(process.pid)
                    return
        time.sleep(0.01)


def test_a_killed_worker_loses_nothing(cluster, parquet, vectors, tmp_path):
    """Other columns stay, the order too, and a vector is what encode makes, though other
    texts were beside it."""
    killed: list[int] = []
    killer = threading.Thread(target=kill_a_worker_at_work, args=[killed], daemon=True)
    killer.start()
    target = tmp_path / "target"
    target.mkdir()
    count = embed_files(parquet, target, backend="candle", column="content", texts_at_once=25)
    killer.join()
    assert killed and count == len(TEXTS)
    table = read(target)
    assert table.column_names == ["number", "content", "embedding"]
    assert table["number"].to_pylist() == list(range(len(TEXTS)))
    assert table["content"].to_pylist() == TEXTS
    assert table.schema.field("embedding").type == pyarrow.list_(pyarrow.float32(), 384)
    np.testing.assert_allclose(numbers(table), vectors, atol=1e-6)
    assert cluster.is_initialized()  # whose it is not


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"truncation": "error", "prompt": "a " * 300}, InputError, r"^texts\[0\] has .*on\)$"),
        ({"precision": "int8"}, InputError, "^int8 needs ranges where vectors come in parts$"),
        ({"model": "/nowhere"}, reference.CheckpointError, "^there is no folder '/nowhere'"),
    ],
)
def test_what_a_worker_refuses(cluster, parquet, tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        embed_files(parquet, tmp_path / "target", column="content", **ONE_WORKER | options)
    assert sorted(tmp_path.iterdir()) == [parquet]


def test_bytes_span_the_ranges_of_a_file(tmp_path, minilm, monkeypatch):
    """The command hands them to the workers, each of which makes the same bytes."""
    handed = {}
    monkeypatch.setattr(
        "reference.commands.embed.embed_files", lambda *files, **options: handed.update(options)
    )
    np.save(tmp_path / "ranges.npy", np.stack([np.full(384, -0.2), np.full(384, 0.2)]))
    ray = ["--ray", "lines.txt", "target", "--precision", "int8"]
    assert main(["embed", *ray, "--ranges", str(tmp_path / "ranges.npy")]) == 0
    named = ("batch_size", "precision", "ranges")
    options = {name: handed[name] for name in named}
    worker = pickle.loads(pickle.dumps(scale.Embed({"model": minilm}, "text", options)))
    table = worker(pyarrow.table({"text": TEXTS[:3]}))
    assert table.schema.field("embedding").type == pyarrow.list_(pyarrow.int8(), 384)
    expected = reference.load(minilm).encode(
        TEXTS[:3], precision="int8", ranges=[[-0.2] * 384, [0.2] * 384]
    )
    assert np.abs(numbers(table) - expected).max() <= 1  # at an edge of a step


def test_null_is_no_text(cluster, tmp_path):
    table = pyarrow.table({"text": ["a", None]})
    pyarrow.parquet.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(InputError, match="column 'text' holds null, which is no text"):
        embed_files(tmp_path / "x.parquet", tmp_path / "target", **ONE_WORKER)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "there are no texts"),
        (b"a\n\xff\n", "not UTF-8 text: line 2 holds the byte 0xff$"),
    ],
)
def test_lines_that_are_no_texts(cluster, tmp_path, content, message):
    (tmp_path / "lines.txt").write_bytes(content)
    with pytest.raises(InputError, match=message):
        embed_files(tmp_path / "lines.txt", tmp_path / "target", **ONE_WORKER)
    assert sorted(tmp_path.iterdir()) == [tmp_path / "lines.txt"]


def test_lines_are_those_of_the_command_line(cluster, tmp_path, minilm, monkeypatch):
    """A file is larger than a block; its lines end where the project's other lines end."""
    monkeypatch.setattr(scale, "BLOCK_BYTES", 2**10)
    lines = ["", "a\x0cform feed", "a line\u2028in two", *TEXTS[:60]]
    (tmp_path / "lines.txt").write_text("\ufeff" + "\r\n".join(lines) + "\n")
    options = {"prompt": "so: ", "truncate_dim": 8, "normalize": True}
    target = tmp_path / "target"
    cut = {"texts_at_once": 16} | options
    count = embed_files(tmp_path / "lines.txt", target, **ONE_WORKER, **cut)
    assert count == len(lines)
    table = read(target)
    assert table["text"].to_pylist() == lines
    expected = reference.load(minilm, backend="candle").encode(lines, **options)
    np.testing.assert_allclose(numbers(table), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--ray", "nowhere", "out"], "there is no file or folder 'nowhere'"),
        (["--ray", "source", "out"], "there is no column 'text'; there are number, content"),
        (["--ray", "lines.txt", "source"], "source is there and not empty; name a folder that"),
        (["--ray", "numbers.parquet", "out"], "column 'text' holds int64; texts are strings"),
        (["--ray", "again.parquet", "out"], "there is a column 'embedding' already"),
        (["--ray", "broken.parquet", "out"], "broken.parquet cannot be read as Parquet"),
        (["--ray", ".", "out"], "holds Parquet and other files"),
        (["--ray", "empty", "out"], "empty holds no files"),
        (["--ray", "lines.txt", "lines.txt"], "lines.txt is there and not empty"),
        (["--ray", "lines.txt", "nowhere/out"], "there is no folder nowhere"),
        (["a text", "--ray", "lines.txt", "out"], "leave TEXT out"),
        (["--ray", "lines.txt", "out", "--file", "x", "--output", "y"], "--file, --output out"),
        (["--ray", "lines.txt", "out", "--workers", "0"], "workers is 0"),
        (["a text", "--workers", "2"], "--workers is for --ray INPUT OUTPUT"),
    ],
)
def test_bad_input_starts_nothing(tmp_path, parquet, arguments, message, monkeypatch, capfd):
    import ray

    monkeypatch.setattr(ray, "init", lambda *_, **__: pytest.fail("Ray was started"))
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.chdir(tmp_path)
    for name, columns in (
        ("numbers", {"text": [1]}),
        ("again", {"text": ["a"], "embedding": [1]}),
    ):
        pyarrow.parquet.write_table(pyarrow.table(columns), f"{name}.parquet")
    Path("lines.txt").write_text("a\n")
    Path("broken.parquet").write_text("a\n")
    Path("empty").mkdir()
    before = sorted(tmp_path.iterdir())
    assert main(["embed", *arguments]) == 2
    said = capfd.readouterr().err
    assert said.startswith("error: ") and message in said and said.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_without_ray(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"pip install 'encoders-three-ways\[scale\]'"):
        embed_files("lines.txt", tmp_path / "target")


def test_ray_is_imported_when_it_is_asked_for():
    code = (
        "import sys, reference.scale, reference.__main__\n"
        "reference.__main__.parser()\n"
        "print([name for name in ('ray', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
