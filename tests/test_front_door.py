"""The names that a user needs, and what importing them costs."""

import subprocess
import sys

import numpy as np
import pytest

import reference
from reference.errors import CheckpointError, ConfigError, EncodersError, InputError

FRAMEWORKS = (
    "torch",
    "mlx",
    "transformers",
    "tokenizers",
    "matplotlib",
    "reference.candle._native",
)


def test_import_loads_no_framework():
    code = (
        f"import sys, reference; print([name for name in {FRAMEWORKS} if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_what_cannot_be_loaded_is_told_before_a_framework_is_imported():
    """Which takes seconds."""
    code = (
        "import sys, reference\n"
        "wrong = {'model': './nowhere', 'backend': 'jax', 'dtype': 'int4', 'device': 7}\n"
        "for name, value in wrong.items():\n"
        "    given = {'model': 'sentence-transformers/all-MiniLM-L6-v2'} | {name: value}\n"
        "    try: reference.load(**given)\n"
        "    except reference.EncodersError: print(name)\n"
        "print([name for name in ('torch', 'mlx.core', 'reference.candle._native') if name in "
        "sys.modules])"
    )
    said = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert said == ["model", "backend", "dtype", "device", "[]"]


def test_the_first_vector_waits_for_nothing_that_it_does_not_need():
    """Each takes from a twentieth to a tenth of a second to import."""
    code = (
        "import sys, reference\n"
        "reference.load('sentence-transformers/all-MiniLM-L6-v2', "
        "backend='candle').encode(['a text'])\n"
        "print([name for name in ('jaxtyping', 'asyncio', 'tqdm', 'loguru') if name in "
        "sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == ["[]"]


@pytest.mark.parametrize("backend", ["torch", "mlx", "candle"])
def test_a_backend_loads_no_other(backend):
    code = (
        "import sys, reference\n"
        "reference.load('sentence-transformers/all-MiniLM-L6-v2', "
        f"backend={backend!r}).encode(['a text'])\n"
        "print([name for name in ('torch', 'mlx.core', 'reference.candle._native') if name in "
        "sys.modules])"
    )
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).strip()
    assert loaded == str(
        [{"torch": "torch", "mlx": "mlx.core", "candle": "reference.candle._native"}[backend]]
    )


@pytest.mark.parametrize(
    "name",
    [
        *(f"{backend}.pooling.mean_pooling" for backend in ("torch", "mlx", "candle")),
        "torch.bert.BertModel",
        "parity.faults.measure",
        "bench.PEERS",
        "families.ARCHITECTURES",
        "errors.InputError",
    ],
)
def test_one_import_reaches_everything(name):
    subprocess.run([sys.executable, "-c", f"import reference; reference.{name}"], check=True)


def test_submodules_are_attributes():
    assert callable(reference.parity.compare)
    assert {"torch", "bench", "load"} <= set(dir(reference)) and "pooling" in dir(
        reference.torch
    )
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        reference.torch.nothing  # noqa: B018
    assert reference.torch.__name__ == "reference.torch"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        reference.nothing  # noqa: B018


def test_errors_are_value_errors():
    for error in (CheckpointError, ConfigError, InputError):
        assert issubclass(error, EncodersError) and issubclass(error, ValueError)


def test_load_refuses_unknown_names(minilm):
    with pytest.raises(
        InputError, match="backend 'jax' is unknown; it is one of torch, mlx, candle"
    ):
        reference.load(minilm, backend="jax")
    with pytest.raises(InputError, match="dtype 'int8' is not available"):
        reference.load(minilm, dtype="int8")
    with pytest.raises(InputError, match="pipeline 'chat' is not available"):
        reference.load(minilm, pipeline="chat")
    with pytest.raises(
        InputError, match="'question-answering' is not available; it is one of embeddings"
    ):
        reference.load(minilm, pipeline="question-answering")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backend": "jax"}, "backend 'jax'"),
        ({"backend": np.array(["torch", "mlx"])}, "backend array"),
        ({"dtype": "int8"}, "dtype 'int8'"),
        ({"dtype": np.array(["float32", "x"])}, "dtype array"),
        (
            {"backend": "candle", "dtype": "bfloat16"},
            "dtype 'bfloat16' is not available in candle",
        ),
        ({"pipeline": ["embeddings"]}, r"pipeline \['embeddings'\]"),
        ({"revision": 5}, "revision is 5"),
    ],
)
def test_names_are_checked_before_a_model_is_looked_for(arguments, message):
    with pytest.raises(InputError, match=message):
        reference.load("somebody/a-model-that-is-not-there", **arguments)


@pytest.mark.parametrize(
    ("architecture", "pipeline"),
    [
        ("BertModel", "Embeddings"),
        ("BertForMaskedLM", "MaskedLM"),
        ("BertForSequenceClassification", "TextClassification"),
        ("BertForTokenClassification", "TokenClassification"),
        ("XLMRobertaForMaskedLM", "MaskedLM"),
        ("RobertaForSequenceClassification", "TextClassification"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*modules.json")
def test_the_pipeline_is_inferred(tiny, architecture, pipeline, backend):
    model = reference.load(tiny(architecture), backend=backend)
    assert type(model).__name__ == pipeline
    output = model.forward(
        [[5, 6, 7], [8, 9, 1]], [[1, 1, 1], [1, 1, 0]], output_hidden_states=True
    )
    assert len(output["hidden_states"]) == model.config.num_hidden_layers + 1
    main = output["logits" if "For" in architecture else "last_hidden_state"]
    assert main.dtype == np.float32 and np.isfinite(main).all()


def test_labels_are_named(tiny):
    folder = tiny("BertForTokenClassification", id2label={0: "O", 1: "NAME", 2: "PLACE"})
    model = reference.load(folder)
    assert model.config.id2label == {0: "O", 1: "NAME", 2: "PLACE"}
    assert model.forward([[5, 6]])["logits"].shape == (1, 2, 3)


@pytest.mark.parametrize(
    "architecture", ["BertModel", "BertForMaskedLM", "XLMRobertaForSequenceClassification"]
)
@pytest.mark.filterwarnings("ignore:.*modules.json")
def test_what_is_saved_loads_in_transformers(tiny, tmp_path, architecture, backend):
    import torch
    import transformers

    folder = tiny(architecture)
    model = reference.load(folder, backend=backend)
    model.save(tmp_path / "saved")
    model_class = getattr(transformers, architecture)
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        ours, theirs = (
            model_class.from_pretrained(path).eval()(ids)[0]
            for path in (tmp_path / "saved", folder)
        )
    assert torch.equal(ours, theirs)


@pytest.mark.filterwarnings("ignore:.*modules.json")
def test_the_embeddings_of_a_masked_lm_are_saved_as_a_base_model(tiny, tmp_path):
    model = reference.load(tiny("BertForMaskedLM"), pipeline="embeddings")
    model.save(tmp_path / "saved")
    again = reference.load(tmp_path / "saved")
    assert again.config.architectures == ("BertModel",) and type(again).__name__ == "Embeddings"
    ids = [[5, 6, 7]]
    np.testing.assert_array_equal(
        again.forward(ids)["last_hidden_state"], model.forward(ids)["last_hidden_state"]
    )
