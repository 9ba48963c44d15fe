"""More texts than one machine takes. Ray reads them, gives each of its workers a model, and
writes what comes out; a worker that dies is started again, and does again what it held.

It takes few lines, and knowing some things:

- what reads and writes must not wait for a processor that the models hold, without end: it
  asks for none;
- Ray's own reader of text cuts at form feeds and at U+2028: here read_lines reads it;
- the order is kept only on request.
"""

from __future__ import annotations

import logging
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

import reference
from reference.checkpoint import EMBEDDED_MODEL
from reference.checks import check_switch, check_whole
from reference.errors import EncodersError, InputError, shown, told
from reference.files import read_lines
from reference.pipelines.batching import TEXTS_AT_ONCE, windows

VECTORS = "embedding"  # the column that is added
# Texts are handed around in blocks of about so many bytes: a file, or a row group of one, may
# be larger than a worker wants at a time, and as large as all that is read.
BLOCK_BYTES = 2**20
OBJECT_STORE = 200 * 2**20  # bytes of shared memory, of a cluster that is started here


def embed_files(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    model: str | os.PathLike[str] = EMBEDDED_MODEL,
    backend: str = "torch",
    dtype: str = "float32",
    device: str | None = None,
    revision: str | None = None,
    column: str = "text",
    workers: int = 2,
    cpus: float = 1,
    gpus: float | None = None,
    texts_at_once: int = TEXTS_AT_ONCE,
    show_progress: bool = False,
    **options: Any,
) -> int:
    """Embed a file, or all files of a folder in the order of their names, with Ray; how many
    texts there were.

    source: Parquet, of which `column` is embedded and every other is kept; or text, one a line.
    target: a folder that does not exist yet or is empty. It is there once it is whole: Parquet
        files with the column "embedding", and in the order of their names the texts have the
        order of the source.
    model, backend, dtype, device, revision: as `reference.load` takes them; in each worker.
    workers: so many models at once, each with so many `cpus` and `gpus`; by itself with one
        GPU where device is "cuda".
    texts_at_once: a worker is given about so many; so much is done again if it dies.
    options: what else `encode` takes. What workers warn of, that texts were cut for one, comes
        with their names on standard error.

    A Ray that is connected already (ray.init) is used, or the one that RAY_ADDRESS names; its
    machines need this package, and see source and target under the same names. Else one is
    started on this machine, and stopped in the end.
    """
    ray = _ray()
    workers = check_whole("workers", workers, least=1)
    texts_at_once = check_whole("texts_at_once", texts_at_once, least=1)
    show_progress = check_switch("show_progress", show_progress)
    source, target = Path(source), Path(target)
    files = _source_files(source, column)
    if gpus is None:
        gpus = int(str(device).startswith("cuda"))
    loading = {
        "model": str(Path(model).absolute()) if Path(model).is_dir() else os.fspath(model),
        "backend": backend,
        "dtype": dtype,
        "device": device,
        "revision": revision,
    }
    with _stage_for(target) as stage, _connected(ray, workers * cpus):
        with _settings(ray, show_progress), _errors_of_workers(ray):
            embedded = _read(ray, files).map_batches(
                Embed,
                fn_constructor_args=(loading, column, options),
                batch_size=texts_at_once,
                batch_format="pyarrow",
                compute=ray.data.ActorPoolStrategy(size=workers),
                num_cpus=cpus,
                num_gpus=gpus,
            )
            embedded.write_parquet(
                str(stage), min_rows_per_file=texts_at_once, ray_remote_args={"num_cpus": 0}
            )
        return _count(stage, source)


class Embed:
    """A model in a worker: takes a table, and adds the column of vectors."""

    def __init__(self, loading: dict[str, Any], column: str, options: dict[str, Any]) -> None:
        self.loading, self.column, self.options = loading, column, options

    @cached_property
    def model(self) -> Any:
        """Loaded by the first call: of an error in a constructor Ray tells no more than its
        text, in the middle of its own."""
        return reference.load(**self.loading, pipeline="embeddings")

    def __call__(self, table: Any) -> Any:
        check_columns(table.schema, self.column)
        texts = table[self.column]
        if texts.null_count:
            raise InputError(f"column {self.column!r} holds null, which is no text")
        texts = texts.to_pylist()
        try:
            parts = [part for _, part in self.model.encode_parts(texts, **self.options)]
        except InputError as problem:  # of one of the texts, whose number is one of these only
            counted = f" (counted from {shown(texts[0], 40)} on)"
            raise InputError(
                f"{problem}{counted * str(problem).startswith('texts[')}"
            ) from None
        return table.append_column(VECTORS, _column(parts))


def _column(parts: list[np.ndarray]) -> Any:
    import pyarrow

    return pyarrow.chunked_array(
        [
            pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(part.ravel()), part.shape[1])
            for part in parts
        ]
    )


def _ray() -> Any:
    try:
        import ray.data
    except ImportError:
        raise InputError(
            "Ray is not installed; it comes with the extra `scale`: pip install "
            "'encoders-three-ways[scale]'"
        ) from None
    return ray


def _source_files(source: Path, column: str) -> list[Path]:
    """All files of the source, checked as far as that is quick."""
    if not source.exists():
        raise InputError(f"there is no file or folder {str(source)!r}")
    files = _visible(source) if source.is_dir() else [source]
    if not files:
        raise InputError(f"{source} holds no files")
    parquet = [path.suffix == ".parquet" for path in files]
    if any(parquet) != all(parquet):
        raise InputError(f"{source} holds Parquet and other files; it must be one or the other")
    if parquet[0]:
        check_columns(_schema(files[0]), column)
    elif column != "text":
        raise InputError(f"{source} is read as lines of text, so there is no column {column!r}")
    return [path.absolute() for path in files]


def _visible(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not path.relative_to(folder).as_posix().startswith((".", "_"))
    )


def _schema(path: Path) -> Any:
    import pyarrow.parquet

    try:
        return pyarrow.parquet.read_schema(path)
    except (OSError, pyarrow.ArrowException) as problem:
        raise InputError(f"{path} cannot be read as Parquet: {told(problem)}") from None


def check_columns(schema: Any, column: str) -> None:
    import pyarrow

    if column not in schema.names:
        raise InputError(
            f"there is no column {shown(column)}; there are {', '.join(schema.names)}"
        )
    kind = schema.field(column).type
    if not (pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind)):
        raise InputError(f"column {column!r} holds {kind}; texts are strings")
    if VECTORS in schema.names:
        raise InputError(f"there is a column {VECTORS!r} already; rename it or leave it out")


def _read(ray: Any, files: list[Path]) -> Any:
    """A dataset of what the files hold, read as it is needed."""
    names = [str(path) for path in files]
    if files[0].suffix == ".parquet":
        return ray.data.read_parquet(names, partitioning=None, num_cpus=0)
    listed = ray.data.from_items(names, override_num_blocks=len(names))
    return listed.map_batches(_lines, batch_size=1, num_cpus=0)


def _lines(files: dict[str, np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
    for file in files["item"]:
        for _, window in windows(read_lines(str(file), "source")):
            yield {"text": np.array(window, dtype=object)}


@contextmanager
def _stage_for(target: Path) -> Iterator[Path]:
    """A folder beside the target, which takes its place if all goes well, and goes if not."""
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise InputError(f"{target} is there and not empty; name a folder that is new")
    if not target.absolute().parent.is_dir():
        raise InputError(f"{target} cannot be written: there is no folder {target.parent}")
    target = target.resolve()
    stage = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        yield stage
        umask = os.umask(0)
        os.umask(umask)
        stage.chmod(0o777 & ~umask)
        stage.replace(target)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


@contextmanager
def _connected(ray: Any, cpus: float) -> Iterator[None]:
    """A connection that there is stays; one that is made here ends here."""
    if ray.is_initialized():
        yield
        return
    if os.environ.get("RAY_ADDRESS"):
        ray.init(logging_level=logging.ERROR)
    else:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to its maker
        ray.init(
            "local",
            num_cpus=math.ceil(cpus),
            include_dashboard=False,
            object_store_memory=OBJECT_STORE,
            logging_level=logging.ERROR,
        )
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _settings(ray: Any, show_progress: bool) -> Iterator[None]:
    """What Ray is told for this work, and only for it."""
    context = ray.data.DataContext.get_current().copy()
    context.execution_options.preserve_order = True
    context.target_max_block_size = BLOCK_BYTES
    context.use_datasource_v2 = False  # it lists files in a task that waits for a processor
    context.raise_original_map_exception = True
    context.enable_progress_bars = show_progress
    log = logging.getLogger("ray.data")
    level = log.level
    log.setLevel(logging.CRITICAL)  # an error is raised as well
    try:
        with ray.data.DataContext.current(context):
            yield
    finally:
        log.setLevel(level)


@contextmanager
def _errors_of_workers(ray: Any) -> Iterator[None]:
    """An error of the package in a worker is the same here, without what Ray adds to it."""
    try:
        yield
    except ray.exceptions.RayTaskError as problem:
        if isinstance(problem.cause, EncodersError):
            message, *_ = str(problem.cause).splitlines()
            raise type(problem.cause)(message) from None
        raise


def _count(stage: Path, source: Any) -> int:
    import pyarrow.dataset

    count = pyarrow.dataset.dataset(stage, format="parquet").count_rows()
    if not count:
        raise InputError(f"there are no texts: {source} holds none")
    return count
