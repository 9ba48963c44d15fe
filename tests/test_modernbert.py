"""ModernBERT through the front door, alike in every port."""

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

import reference
from reference.backend import BACKENDS
from reference.errors import CheckpointError, InputError
from reference.inputs import Inputs
from reference.parity import random_checkpoint

IDS = np.array([[1, 7, 8, 9, 2], [1, 5, 2, 0, 0]])
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
HEADS = ("ForMaskedLM", "ForSequenceClassification", "ForTokenClassification")

backends = pytest.mark.parametrize("backend", BACKENDS)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("modernbert")
    return {
        kind: random_checkpoint(root / kind, f"ModernBert{kind}", seed=3)
        for kind in ("Model", *HEADS)
    }


@backends
@pytest.mark.parametrize("kind", ["Model", *HEADS])
def test_what_is_saved_loads_in_transformers_and_here(backend, kind, folders, tmp_path):
    model = reference.load(folders[kind], backend=backend)
    expected = model.forward(IDS, MASK)
    model.save(tmp_path / "saved")
    again = reference.load(tmp_path / "saved", backend=backend).forward(IDS, MASK)
    theirs = getattr(transformers, f"ModernBert{kind}").from_pretrained(tmp_path / "saved")
    with torch.inference_mode():
        outputs = theirs.eval()(torch.from_numpy(IDS), attention_mask=torch.from_numpy(MASK))
    for name, array in expected.items():
        assert (again[name] == array).all()
        right = outputs[name].numpy()
        real = MASK.astype(bool) if array.ndim == 3 else slice(None)
        np.testing.assert_allclose(array[real], right[real], atol=2e-5)


@backends
def test_hidden_states_end_with_the_final_norm(backend, folders):
    found = reference.load(folders["Model"], backend=backend).forward(
        IDS, MASK, output_hidden_states=True
    )
    assert len(found["hidden_states"]) == 4
    assert (found["hidden_states"][-1] == found["last_hidden_state"]).all()
    assert "pooler_output" not in found


@backends
def test_an_encoder_is_taken_from_under_a_head(backend, folders):
    bare = reference.load(folders["ForMaskedLM"], backend=backend, pipeline="embeddings")
    under = reference.load(folders["ForMaskedLM"], backend=backend).forward(
        IDS, MASK, output_hidden_states=True
    )
    np.testing.assert_allclose(
        bare.forward(IDS, MASK)["last_hidden_state"][0],
        under["hidden_states"][-1][0],
        atol=1e-6,
    )
    with pytest.raises(CheckpointError, match="without the head"):
        reference.load(folders["Model"], backend=backend, pipeline="masked-lm")


@backends
def test_there_are_no_token_types(backend, folders):
    model = reference.load(folders["Model"], backend=backend)
    plain = model.forward(IDS, MASK)["last_hidden_state"]
    assert (model.forward(IDS, MASK, np.zeros_like(IDS))["last_hidden_state"] == plain).all()
    with pytest.raises(InputError, match="token_type_ids"):
        model.forward(IDS, MASK, MASK)


@backends
def test_texts_beyond_the_trained_length_run(backend, folders):
    """Rotary positions have no end: Transformers runs them too. Packed and padded agree."""
    model = reference.load(folders["Model"], backend=backend)
    ids = np.random.default_rng(0).integers(3, 60, size=(1, 200))  # the checkpoint says 96
    padded = model.forward(ids)["last_hidden_state"][0]
    packed = model.forward_packed(ids[0], [0, 200])["last_hidden_state"]
    np.testing.assert_allclose(packed, padded, atol=2e-5)
    theirs = transformers.ModernBertModel.from_pretrained(folders["Model"]).eval()
    with torch.inference_mode():
        right = theirs(torch.from_numpy(ids)).last_hidden_state[0].numpy()
    np.testing.assert_allclose(padded, right, atol=2e-5)


@pytest.mark.parametrize("backend", ["torch", "mlx"])
def test_sparse_prediction_scores_what_is_labelled(backend, tmp_path):
    import mlx.core as mx

    import reference.mlx.port
    import reference.torch.port
    from reference.checkpoint import read_checkpoint

    folder = random_checkpoint(tmp_path, "ModernBertForMaskedLM", sparse_prediction=True)
    checkpoint = read_checkpoint(folder)
    port = getattr(reference, backend).port
    network = port.build(
        checkpoint.config, checkpoint.architecture, checkpoint.tensors, "float32"
    ).network
    array = torch.from_numpy if backend == "torch" else mx.array
    labels = np.full_like(IDS, -100)
    labels[0, 2], labels[1, 1] = 5, 6
    found = network(Inputs(array(IDS), array(MASK)), labels=array(labels))
    theirs = transformers.ModernBertForMaskedLM.from_pretrained(folder).eval()
    expected = theirs(
        torch.from_numpy(IDS),
        attention_mask=torch.from_numpy(MASK),
        labels=torch.from_numpy(labels),
    )
    assert list(found.logits.shape) == list(expected.logits.shape) == [2, 61]
    assert found.loss.item() == pytest.approx(expected.loss.item(), abs=1e-5)
    assert list(network(Inputs(array(IDS), array(MASK))).logits.shape) == [2, 5, 61]


def test_info_describes_it(folders, capsys):
    from reference.__main__ import main

    assert main(["info", str(folders["ForMaskedLM"])]) == 0
    printed = capsys.readouterr().out
    assert (
        "ModernBertForMaskedLM" in printed
        and "full, sliding, sliding" in printed
        and "local_attention" in printed
    )
