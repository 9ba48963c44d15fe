"""Where a model computes: named, looked for before anything is read, and kept to."""

import importlib
import sys

import numpy as np
import pytest
import torch

import reference
from reference.errors import InputError
from reference.families import ARCHITECTURES
from reference.families.config import EncoderConfig
from reference.inputs import Inputs
from reference.parity import random_checkpoint

TEXTS = ["a cat", "a rather longer text about a cat", "cats"]
ACCELERATORS = {"torch": ("cuda", "mps"), "mlx": ("gpu",), "candle": ("cuda", "metal")}


def available(backend: str) -> list[str]:
    found = []
    for name in ACCELERATORS[backend]:
        try:
            reference.backend.check_place(backend, "float32", name)
        except InputError:
            continue
        found.append(name)
    return found


def test_the_cpu_is_everywhere(minilm, backend):
    usual = reference.load(minilm, backend=backend)
    on_cpu = reference.load(minilm, backend=backend, device="cpu")
    np.testing.assert_allclose(on_cpu.encode(TEXTS), usual.encode(TEXTS), atol=1e-6)
    assert (usual.device, on_cpu.device) == (None, "cpu")
    assert "cpu" in repr(on_cpu)


def test_auto_finds_one(minilm):
    model = reference.load(minilm, device="auto")
    assert np.isfinite(model.encode(TEXTS)).all()


@pytest.mark.parametrize("device", ["tpu", "cuda:99", "", "CPU"])
def test_an_unknown_device_is_refused_before_anything_is_read(tmp_path, backend, device):
    with pytest.raises(InputError, match=f"device ['\"]{device}['\"] is not available"):
        reference.load(tmp_path / "not there", backend=backend, device=device)


@pytest.mark.parametrize("device", [0, True, torch.device("cpu"), ["cpu"]])
def test_a_device_is_a_name(tmp_path, backend, device):
    with pytest.raises(InputError, match=r"device is .*; it must be a name"):
        reference.load(tmp_path / "not there", backend=backend, device=device)


def test_an_accelerator_that_is_missing_is_refused_by_name(tmp_path, backend):
    missing = [name for name in ACCELERATORS[backend] if name not in available(backend)]
    for name in missing:
        with pytest.raises(InputError, match=f"device ['\"]{name}['\"] is not available"):
            reference.load(tmp_path / "not there", backend=backend, device=name)


def test_an_accelerator_gives_what_the_cpu_gives(minilm, backend):
    names = available(backend)
    if not names:
        pytest.skip(f"{backend} finds no accelerator here")
    expected = reference.load(minilm, backend=backend, device="cpu").encode(TEXTS)
    for name in names:
        found = reference.load(minilm, backend=backend, device=name).encode(TEXTS)
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_command_line_has_it_too(capsys):
    from reference.__main__ import main

    assert main(["embed", "a text", "--device", "tpu"]) == 2
    assert "device 'tpu' is not available" in capsys.readouterr().err
    assert main(["embed", "a text", "--device", "cpu"]) == 0


def of_random_checkpoint(name: str, folder) -> EncoderConfig:
    from reference.families.reading import read_config

    return read_config(random_checkpoint(folder, name))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_torch_makes_nothing_on_another_device(name, tmp_path):
    """On PyTorch's meta device, which computes shapes only and mixes with no other."""
    with pytest.raises(RuntimeError):
        torch.ones(2, device="meta") + torch.ones(2)
    architecture = ARCHITECTURES[name]
    room = importlib.import_module(f"reference.torch.{architecture.family.room}")
    config = of_random_checkpoint(name, tmp_path)
    with torch.device("meta"):
        network = getattr(room, architecture.port_class)(config)
    shape = (2, 3, 5) if architecture.task.row == "choice" else (2, 5)
    ids = torch.zeros(shape, dtype=torch.long, device="meta")
    mask = torch.ones_like(ids)
    if architecture.family.room == "char_encoder":
        mask = None  # of a mask it asks where texts end, and here it has no numbers
    outputs = network(Inputs(ids, mask), output_hidden_states=True)
    assert outputs.hidden_states[-1].device.type == "meta"


@pytest.mark.skipif(sys.platform == "darwin", reason="MLX has a GPU there")
def test_float64_of_mlx_is_the_cpus(monkeypatch):
    import mlx.core as mx

    from reference.mlx import port

    monkeypatch.setattr(mx, "is_available", lambda device: True)
    with pytest.raises(InputError, match="float64"):
        port.find_device("gpu", "float64")
    assert port.find_device("gpu", "float32") == mx.gpu
    assert port.find_device(None, "float64") == mx.cpu


def test_auto_does_not_choose_what_cannot_compute_it(monkeypatch):
    from reference.torch import port

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert port.find_device("auto", "float32").type == "mps"
    assert port.find_device("auto", "float64").type == "cpu"
    with pytest.raises(InputError, match="float64"):
        port.find_device("mps", "float64")


@pytest.mark.parametrize("name", ["metal", "metal:0"])
def test_float64_of_candle_is_not_metals(monkeypatch, name):
    from reference.candle import port

    monkeypatch.setattr(port, "check_device", lambda name: None)  # as if it were there
    with pytest.raises(InputError, match="float64"):
        port.find_device(name, "float64")
    assert port.find_device(name, "float32") == name
    assert port.find_device("cuda", "float64") == "cuda"
    assert port.find_device(None, "float64") == "cpu"
