"""What the tests share: shape checks while the ports are imported, the embedded model, tiny
checkpoints."""

import importlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

import tests.shapes  # the hook below finds it by its name
from tests.memory import give_back_memory, give_back_what_has_grown, keep_what_stays

os.environ["HF_HUB_OFFLINE"] = "1"
# OpenMP's idle threads sleep: spinning, they take the processor from those that work, and a
# tiny model's matrix products in MLX then cost fifty times as much. It is read once, when
# PyTorch's library is loaded, which reference.mlx does.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# The named axes in the ports' signatures are checked at every call of the test run.
install_import_hook(["reference.torch", "reference.mlx"], "tests.shapes.looked_at_once")
# Before any test imports mlx.core, so that MLX finds the fast BLAS.
importlib.import_module("reference.mlx")

settings.register_profile("project", deadline=None, derandomize=True, max_examples=25)
settings.load_profile("project")

BACKENDS = ("torch", "mlx", "candle")
TINY = {
    "vocab_size": 40,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 24,
    "max_position_embeddings": 40,
}


def pytest_collection_finish() -> None:
    keep_what_stays()


@pytest.fixture(autouse=True)
def tests_leave_little_memory() -> Iterator[None]:
    yield
    give_back_what_has_grown()


@pytest.fixture(scope="module", autouse=True)
def modules_leave_no_memory() -> Iterator[None]:
    yield
    keep_what_stays()
    give_back_memory()


@pytest.fixture
def shapes_not_looked_at() -> Iterator[None]:
    with tests.shapes.shapes_not_looked_at():
        yield


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The folder of the embedded all-MiniLM-L6-v2."""
    from reference.checkpoint import embedded_folder

    return embedded_folder()


@pytest.fixture
def tiny(tmp_path: Path) -> Callable[..., Path]:
    """Make a small checkpoint with seeded random weights, saved by Transformers:
    tiny("BertForMaskedLM", ...)."""

    def make(architecture: str = "BertModel", **changes: object) -> Path:
        import torch
        import transformers

        torch.manual_seed(0)
        model_class = getattr(transformers, architecture)
        model = model_class(model_class.config_class(**TINY | changes))
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
        folder = tmp_path / architecture
        model.save_pretrained(folder)
        return folder

    return make


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """Each of the three ports."""
    return request.param
