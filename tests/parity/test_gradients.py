"""The public gradients: held against Transformers called by hand, and strict about labels."""

import numpy as np
import pytest
import torch
import transformers

import reference
from reference.backend import BACKENDS
from reference.errors import InputError
from reference.parity import random_checkpoint

IDS = np.array([[2, 7, 8, 3], [2, 9, 3, 0]])
MASK = np.array([[1, 1, 1, 1], [1, 1, 1, 0]])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("architecture", "labels"),
    [
        ("BertForSequenceClassification", [0, 2]),
        ("BertForTokenClassification", [[0, -100, 2, 1], [1, 1, -100, -100]]),
        ("BertForMaskedLM", [[-100, 5, -100, 60], [-100, -100, 0, -100]]),
    ],
)
def test_gradients_are_transformers_own(tmp_path, backend, architecture, labels):
    folder = random_checkpoint(tmp_path, architecture, num_labels=3)
    loss, gradients = reference.parity.gradients(folder, backend, IDS, MASK, labels)

    model = (
        getattr(transformers, architecture).from_pretrained(folder, dtype=torch.float64).eval()
    )
    expected = model(torch.tensor(IDS), torch.tensor(MASK), labels=torch.tensor(labels)).loss
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    parameters = dict(model.named_parameters())
    assert set(gradients) == set(parameters)
    for key, gradient in gradients.items():
        np.testing.assert_allclose(
            gradient, parameters[key].grad.numpy(), atol=1e-5, err_msg=key
        )


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_base_model_is_drawn_to_a_target_at_real_tokens(random_folder, backend):
    target = np.random.default_rng(0).standard_normal((*IDS.shape, 32))
    target[MASK == 0] = 1e6  # padded: not looked at
    loss, gradients = reference.parity.gradients(random_folder, backend, IDS, MASK, target)

    model = transformers.BertModel.from_pretrained(random_folder).eval()
    hidden = model(torch.tensor(IDS), torch.tensor(MASK)).last_hidden_state[
        torch.tensor(MASK).bool()
    ]
    assert loss == pytest.approx(
        ((hidden.detach().numpy() - target[MASK == 1]) ** 2).mean(), rel=1e-5
    )
    assert not gradients["pooler.dense.weight"].any(), "the loss does not reach the pooler"


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_float64_gradient_on_request(random_folder, backend):
    target = np.zeros((*IDS.shape, 32))
    _, gradients = reference.parity.gradients(
        random_folder, backend, IDS, MASK, target, dtype="float64"
    )
    assert {array.dtype for array in gradients.values()} == {np.dtype("float64")}


@pytest.mark.parametrize(
    ("architecture", "settings", "labels", "message"),
    [
        (
            "BertForSequenceClassification",
            {},
            [0],
            r"labels have shape \(1,\); they must have \(2,\)",
        ),
        ("BertForSequenceClassification", {}, [0, 2], "labels hold 2; a label is -100"),
        ("BertForSequenceClassification", {}, [0, -1], "labels hold -1"),
        ("BertForSequenceClassification", {}, [0.0, 1.0], r"they must have \(2, 2\)"),
        ("BertForSequenceClassification", {"num_labels": 1}, [np.nan, 1.0], "NaN"),
        ("BertForSequenceClassification", {}, [[0], [1, 2]], "labels are ragged"),
        ("BertForSequenceClassification", {}, ["a", "b"], "labels hold <U1"),
        (
            "BertForMaskedLM",
            {},
            [[0, 1, 2, 61]] * 2,
            "labels hold 61; a label is -100 .* or 0 to 60",
        ),
        (
            "BertForTokenClassification",
            {},
            [[0.5] * 4] * 2,
            "labels hold float64; classes are whole numbers",
        ),
        ("BertModel", {}, [[0] * 4] * 2, r"they must have \(2, 4, 32\)"),
    ],
)
def test_bad_labels_are_explained(tmp_path, architecture, settings, labels, message):
    folder = random_checkpoint(tmp_path, architecture, **settings)
    with pytest.raises(InputError, match=message):
        reference.parity.gradients(folder, "torch", IDS, MASK, labels)


def test_bad_ids_are_explained(random_folder):
    with pytest.raises(InputError, match="vocab_size is 61"):
        reference.parity.gradients(random_folder, "torch", IDS + 60, MASK, np.zeros((2, 4, 32)))
