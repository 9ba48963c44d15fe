"""Finding a checkpoint, reading it strictly, and writing it whole."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from safetensors.numpy import save

from reference.checkpoint import (
    EMBEDDED_MODEL,
    locate,
    read_checkpoint,
    read_tensors,
    write_checkpoint,
)
from reference.errors import CheckpointError, ConfigError, InputError
from reference.files import write_atomically
from reference.weights import is_finite, let_go


@pytest.fixture
def change(tiny):
    """Make a checkpoint, let a function change its tensors, return the folder."""

    def make(edit, architecture="BertModel", **config):
        folder = tiny(architecture, **config)
        tensors = safetensors.numpy.load_file(folder / "model.safetensors")
        edit(tensors)
        safetensors.numpy.save_file(tensors, folder / "model.safetensors")
        return folder

    return make


def test_a_folder_is_itself(tmp_path):
    assert locate(tmp_path) == tmp_path and locate(str(tmp_path)) == tmp_path


def test_the_embedded_model_is_found_without_a_network():
    checkpoint = read_checkpoint(locate(EMBEDDED_MODEL))
    assert checkpoint.architecture.name == "BertModel" and len(checkpoint.tensors) == 103


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("./nowhere", "no folder './nowhere'"),
        ("/nowhere/at/all", "no folder"),
        ("a/b/c", "no folder 'a/b/c', and it is not a hub id"),
        ("", "named by a folder or a hub id"),
        (None, "named by a folder or a hub id"),
        ("somebody/some-model", "could it be fetched"),
        ("a" * 5000, "cannot be looked up as a folder: File name too long"),
        ("~nosuchuser/x", "cannot be looked up as a folder"),
        (b"folder", "named by a folder or a hub id"),
    ],
)
def test_a_model_that_is_nowhere(model, message):
    with pytest.raises(CheckpointError, match=message):
        locate(model)


@pytest.mark.parametrize("revision", [5, "", ["main"]])
def test_a_revision_that_is_none(revision):
    with pytest.raises(InputError, match="revision is"):
        locate("somebody/some-model", revision)


def test_a_folder_has_no_revisions(tmp_path):
    with pytest.raises(InputError, match="is a folder, which has no revisions"):
        locate(tmp_path, "main")


def test_the_embedded_model_has_no_revisions():
    with pytest.raises(CheckpointError, match=r"at revision main .*leave revision out"):
        locate(EMBEDDED_MODEL, "main")


def test_the_hub_cache_is_used(minilm, tmp_path, monkeypatch):
    """A snapshot laid out as huggingface-hub does is found offline, at its branch and at its
    commit."""
    import huggingface_hub

    commit = "0123456789" * 4
    repository = tmp_path / "models--somebody--some-model"
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text(commit)
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (snapshot / name).symlink_to(minilm / name)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    original = huggingface_hub.snapshot_download
    monkeypatch.setattr(
        huggingface_hub,
        "snapshot_download",
        lambda *args, **kwargs: original(*args, cache_dir=tmp_path, **kwargs),
    )
    assert locate("somebody/some-model") == snapshot
    assert len(read_checkpoint(locate("somebody/some-model", revision=commit)).tensors) == 103
    with pytest.raises(CheckpointError, match="at revision other"):
        locate("somebody/some-model", revision="other")


def test_old_layer_norm_names_and_position_ids(change):
    def age(tensors):
        for key in [key for key in tensors if "LayerNorm" in key]:
            old = key.replace(".weight", ".gamma").replace(".bias", ".beta")
            tensors[old] = tensors.pop(key)
        tensors["embeddings.position_ids"] = np.arange(40)[None]

    new, old = read_checkpoint(change(lambda tensors: None)), read_checkpoint(change(age))
    assert new.tensors.keys() == old.tensors.keys()
    assert all(np.array_equal(new.tensors[key], old.tensors[key]) for key in new.tensors)


def test_a_base_without_pooler(change):
    folder = change(
        lambda tensors: [tensors.pop(f"pooler.dense.{name}") for name in ("weight", "bias")]
    )
    assert not any("pooler" in key for key in read_checkpoint(folder).tensors)


def test_the_base_of_a_masked_lm(tiny):
    folder = tiny("BertForMaskedLM")
    assert all(
        key.startswith(("embeddings.", "encoder."))
        for key in read_checkpoint(folder, "base").tensors
    )
    with pytest.raises(CheckpointError, match=r"lacks classifier\.weight"):
        read_checkpoint(folder, "token-classification")


@pytest.mark.parametrize("family", ["Bert", "Roberta", "DistilBert", "MPNet", "Electra"])
def test_the_base_of_a_model_that_answers_questions(tiny, family):
    special = {"pad_token_id": 1} if family in ("Roberta", "MPNet") else {}
    base = read_checkpoint(tiny(f"{family}ForQuestionAnswering", **special), "base")
    assert base.architecture.name == f"{family}Model"
    assert not any("qa_outputs" in key for key in base.tensors)


def test_a_head_that_is_not_there(tiny):
    with pytest.raises(
        CheckpointError,
        match="holds BertModel without the head of BertForMaskedLM: it lacks cls",
    ):
        read_checkpoint(tiny(), "masked-lm")


@pytest.mark.parametrize("name", ["T5Model", "RobertaModel"])
def test_a_foreign_architecture_names_the_file(tiny, name):
    folder = tiny()
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": [name]}))
    with pytest.raises(ConfigError, match=rf"config\.json: architecture {name}"):
        read_checkpoint(folder)


def test_an_unknown_task(tiny):
    with pytest.raises(
        InputError, match="task 'chat' is unknown; it is one of base, masked-lm"
    ):
        read_checkpoint(tiny(), "chat")


def test_leftovers_of_pretraining_are_dropped(tiny):
    folder = tiny("BertForPreTraining")
    keys = read_checkpoint(folder, "masked-lm").tensors.keys()
    assert "cls.predictions.bias" in keys and not any(
        "pooler" in key or "seq_relationship" in key for key in keys
    )


def test_a_repeated_tie_must_agree(change):
    def repeat(tensors):
        tensors["cls.predictions.decoder.weight"] = tensors[
            "bert.embeddings.word_embeddings.weight"
        ].copy()

    def differ(tensors):
        tensors["cls.predictions.decoder.weight"] = (
            tensors["bert.embeddings.word_embeddings.weight"] + 1
        )

    assert (
        "cls.predictions.decoder.weight"
        not in read_checkpoint(change(repeat, "BertForMaskedLM")).tensors
    )
    with pytest.raises(CheckpointError, match="but its config ties them"):
        read_checkpoint(change(differ, "BertForMaskedLM"))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            lambda t: t.pop("encoder.layer.1.output.dense.bias"),
            r"lacks encoder\.layer\.1\.output\.dense\.bias",
        ),
        (
            lambda t: t.update({"encoder.layer.2.extra": np.zeros(1, "f4")}),
            r"unused encoder\.layer\.2\.extra",
        ),
        (
            lambda t: t.update({"pooler.dense.bias": np.zeros(15, "f4")}),
            r"has shape \(15,\); its config asks for \(16,\)",
        ),
        (lambda t: t.update({"pooler.dense.bias": np.zeros(16, "i4")}), "is of type I32"),
        (lambda t: t.update({"pooler.dense.bias": np.full(16, np.nan, "f4")}), "NaN"),
        (
            lambda t: t.update({"embeddings.LayerNorm.gamma": np.zeros(16, "f4")}),
            "twice, under its old and its new name",
        ),
        (lambda t: t.clear(), "lacks embeddings.word_embeddings.weight"),
    ],
)
def test_wrong_tensors(change, edit, message):
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(change(edit))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_stored_dtypes(tiny, dtype):
    import torch
    import transformers

    folder = tiny()
    model = transformers.BertModel.from_pretrained(folder).to(getattr(torch, dtype))
    model.save_pretrained(folder / "cast")
    tensors = read_checkpoint(folder / "cast").tensors
    for key, parameter in model.named_parameters():
        np.testing.assert_array_equal(
            tensors[key].astype("f8"), parameter.detach().double().numpy()
        )


@pytest.mark.parametrize("ids", ["int32", "int64", "uint8"])
def test_position_ids_of_any_type_beside_bfloat16(tiny, ids):
    import torch
    from safetensors.torch import load_file, save_file

    folder = tiny()
    tensors = {
        key: value.bfloat16() for key, value in load_file(folder / "model.safetensors").items()
    }
    tensors["embeddings.position_ids"] = torch.arange(40)[None].to(getattr(torch, ids))
    save_file(tensors, folder / "model.safetensors")
    assert all(value.dtype == np.float32 for value in read_checkpoint(folder).tensors.values())


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_writing_keeps_permissions(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o640)
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new" and path.stat().st_mode & 0o777 == 0o640


def test_an_interrupted_save_changes_no_file(tiny, tmp_path, monkeypatch):
    """The second file cannot be written: the first has not been moved into place either."""
    folder = tiny()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    checkpoint = read_checkpoint(folder)
    calls = []

    def fail_second(path, content):
        calls.append(path)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        write_atomically(path, content)

    monkeypatch.setattr("reference.folders.write_atomically", fail_second)
    tensors = {key: value + 1 for key, value in checkpoint.tensors.items()}
    with pytest.raises(InputError, match="cannot be written to: No space left on device"):
        write_checkpoint(folder, checkpoint.config, tensors)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("folder", [None, "", 5, "a\0b", "a" * 5000])
def test_folders_that_cannot_be_written(tiny, folder):
    checkpoint = read_checkpoint(tiny())
    with pytest.raises(InputError, match="written to"):
        write_checkpoint(folder, checkpoint.config, checkpoint.tensors)


def test_a_checkpoint_is_not_written_below_a_file(tiny):
    folder = tiny()
    checkpoint = read_checkpoint(folder)
    with pytest.raises(InputError, match="Not a directory"):
        write_checkpoint(folder / "config.json" / "x", checkpoint.config, checkpoint.tensors)


def test_tensors_are_read_from_a_copied_folder(minilm, tmp_path):
    shutil.copy(minilm / "model.safetensors", tmp_path)
    tensors = read_tensors(tmp_path)
    assert tensors["embeddings.word_embeddings.weight"].shape == (30522, 384)
    assert "embeddings.position_ids" not in tensors  # counters, and no parameters


def test_tensors_are_where_the_file_is_mapped_and_in_step(tmp_path):
    """A header of any length may come before them; the processor wants numbers in step."""
    numbers = np.arange(6, dtype=np.float32).reshape(2, 3)
    content = save({"a": numbers, "b": numbers.astype(np.float16)})
    size = int.from_bytes(content[:8], "little")
    for spaces in range(4):
        header = content[8 : 8 + size] + b" " * spaces
        whole = len(header).to_bytes(8, "little") + header + content[8 + size :]
        (tmp_path / "model.safetensors").write_bytes(whole)
        tensors = read_tensors(tmp_path)
        for array in tensors.values():
            np.testing.assert_array_equal(array, numbers)
            assert array.flags.aligned
        assert tensors["a"].flags.owndata == (tensors["a"].base is None) == bool(spaces)
        tensors["a"][:] = 0  # nobody else sees it
        np.testing.assert_array_equal(read_tensors(tmp_path)["a"], numbers)


def test_what_was_copied_is_let_go_and_read_again(tmp_path):
    numbers = np.arange(3 << 20, dtype=np.float32)
    (tmp_path / "model.safetensors").write_bytes(save({"a": numbers, "b": numbers}))
    tensors = read_tensors(tmp_path)
    assert is_finite(tensors["a"]) and is_finite(tensors["b"])  # now they are in memory
    before = _of_files()
    let_go([*tensors.values(), np.zeros(3)])
    assert before is None or before - _of_files() > 0.9 * 2 * numbers.nbytes
    np.testing.assert_array_equal(tensors["b"], numbers)


def _of_files():
    """Bytes of mapped files that this process holds, where the system tells."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("RssFile:"))


def test_numbers_are_finite_though_their_sum_is_not():
    largest = np.finfo(np.float32).max
    assert is_finite(np.full(3, largest)) and is_finite(np.zeros(0, np.float32))
    for odd in (np.nan, np.inf, -np.inf):
        assert not is_finite(np.array([1, odd, -largest], np.float32))
    assert not is_finite(np.array([np.inf, -np.inf]))
