"""What save leaves in a folder: a whole checkpoint in the model's own dtype, whatever was there
and whenever it is interrupted."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

import reference
from reference import folders
from reference.checkpoint import read_checkpoint, write_checkpoint
from reference.parity import random_checkpoint

IDS = np.array([[5, 6, 7, 8]])
HALVES = {
    "torch": ("float16", "bfloat16"),
    "mlx": ("float16", "bfloat16"),
    "candle": ("float16",),
}


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def old(tmp_path):
    return random_checkpoint(tmp_path / "model", seed=1)


@pytest.mark.parametrize(
    ("backend", "dtype"),
    [(backend, dtype) for backend, dtypes in HALVES.items() for dtype in dtypes]
    + [(backend, "float64") for backend in HALVES],
)
def test_a_model_is_saved_in_its_own_dtype(old, tmp_path, backend, dtype):
    import transformers

    model = reference.load(old, backend=backend, dtype=dtype)
    model.save(tmp_path / "saved")
    stored = safetensors.torch.load_file(tmp_path / "saved/model.safetensors")
    assert {tensor.dtype for tensor in stored.values()} == {getattr(torch, dtype)}
    assert json.loads((tmp_path / "saved/config.json").read_text())["dtype"] == dtype

    again = reference.load(tmp_path / "saved", backend=backend, dtype=dtype)
    for key, value in model.model.state().items():
        np.testing.assert_array_equal(again.model.state()[key], value)
    theirs = transformers.AutoModel.from_pretrained(tmp_path / "saved")
    assert theirs.dtype == getattr(torch, dtype)


def test_the_shards_of_an_older_checkpoint_go(tmp_path):
    import transformers

    source = random_checkpoint(tmp_path / "source", seed=2)
    folder = tmp_path / "sharded"
    transformers.AutoModel.from_pretrained(source).save_pretrained(
        folder, max_shard_size="20KB"
    )
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    (folder / "notes.txt").write_text("mine")
    reference.load(source).save(folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json",
        "model.safetensors",
        "notes.txt",
    ]


def killed_at(step: int, run) -> bool:
    """Whether a child that runs it ended at that step of its work with files."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9

    left = step

    def count(event: str, _: object) -> None:
        nonlocal left
        if event == "open" or event.startswith(("os.", "shutil.", "tempfile.", "ctypes.")):
            left -= 1
            if left < 0:
                os._exit(9)  # as a kill would end it: nothing is cleaned up

    sys.addaudithook(count)
    try:
        run()
    finally:
        os._exit(0)


@pytest.mark.parametrize("exists", [True, False])
def test_whenever_it_is_killed_a_folder_is_whole(old, tmp_path, exists):
    new = read_checkpoint(random_checkpoint(tmp_path / "new", seed=2, hidden_size=24))
    beside = {"tokenizer.json": b"{}", "1_Pooling/config.json": b"{}"}
    write_checkpoint(tmp_path / "expected", new.config, new.tensors, beside)
    if exists:
        (old / "sub").mkdir()
        (old / "sub/mine.txt").write_text("mine")
    target = old if exists else tmp_path / "fresh"
    before = content(target)
    after = content(tmp_path / "expected") | ({"sub/mine.txt": b"mine"} if exists else {})
    assert before.get("model.safetensors") != after["model.safetensors"]

    seen = []
    while killed_at(
        len(seen), lambda: write_checkpoint(target, new.config, new.tensors, beside)
    ):
        seen.append(content(target))
        assert seen[-1] in (before, after)
        if seen[-1] == after:
            break
    assert len(seen) > 10 and content(target) == after


def test_in_the_folder_where_one_works_files_are_moved_one_by_one(old, monkeypatch):
    monkeypatch.chdir(old)
    inode = old.stat().st_ino
    new = read_checkpoint(old)
    write_checkpoint(".", new.config, new.tensors, {"tokenizer.json": b"{}"})
    assert old.stat().st_ino == inode
    assert sorted(content(old)) == ["config.json", "model.safetensors", "tokenizer.json"]


def test_where_folders_cannot_change_places_files_are_moved(old, monkeypatch):
    def fail(*_: object) -> None:
        raise OSError("not on this system")

    monkeypatch.setattr(folders, "_exchange", fail)
    new = read_checkpoint(old)
    write_checkpoint(old, new.config, new.tensors, {"tokenizer.json": b"{}"})
    assert sorted(content(old)) == ["config.json", "model.safetensors", "tokenizer.json"]
    assert not [path for path in old.parent.iterdir() if "saving" in path.name]


def test_a_link_stays_a_link(old, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(old)
    new = read_checkpoint(old)
    write_checkpoint(link, new.config, new.tensors, {"tokenizer.json": b"{}"})
    assert link.is_symlink() and "tokenizer.json" in content(old)
