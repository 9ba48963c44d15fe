"""Several texts that answer one question: shapes, both poolings, either side of padding, and
what is refused."""

import numpy as np
import pytest
import torch
import transformers

import reference
from reference.backend import BACKENDS
from reference.errors import CheckpointError, ConfigError, InputError
from reference.families import ARCHITECTURES, architecture_for
from reference.families.bert import BertConfig
from reference.families.tasks import MULTIPLE_CHOICE
from reference.parity import gradients, random_checkpoint

backends = pytest.mark.parametrize("backend", BACKENDS)


NAMES = [name for name, kind in ARCHITECTURES.items() if kind.task is MULTIPLE_CHOICE]
VARIANTS = [(name, {}) for name in NAMES]
VARIANTS += [("ModernBertForMultipleChoice", {"classifier_pooling": "mean"})]


@pytest.fixture(params=VARIANTS, ids=lambda variant: "-".join([variant[0], *variant[1]]))
def folder(request, tmp_path):
    architecture, settings = request.param
    return random_checkpoint(tmp_path, architecture, **settings)


def transformers_own(folder):
    return transformers.AutoModelForMultipleChoice.from_pretrained(folder).eval()


def questions(side: str = "right") -> tuple[np.ndarray, np.ndarray]:
    """Two questions with three choices each, of two to seven tokens."""
    generator = np.random.default_rng(0)
    ids, mask = np.zeros((2, 3, 7), np.int64), np.zeros((2, 3, 7), np.int64)
    for place, length in zip(np.ndindex(2, 3), (2, 7, 4, 3, 5, 6), strict=True):
        real = slice(7 - length, 7) if side == "left" else slice(length)
        ids[place][real], mask[place][real] = generator.integers(3, 61, length), 1
    return ids, mask


@backends
@pytest.mark.parametrize("side", ["left", "right"])
def test_logits_are_those_of_transformers(folder, backend, side):
    ids, mask = questions(side)
    model = reference.load(folder, backend=backend)
    assert type(model).__name__ == "MultipleChoice"
    found = model.forward(ids, mask, output_hidden_states=True)
    theirs = transformers_own(folder)
    with torch.inference_mode():
        expected = theirs(
            torch.from_numpy(ids),
            attention_mask=torch.from_numpy(mask),
            output_hidden_states=True,
        )
    assert found["logits"].shape == (2, 3)
    np.testing.assert_allclose(found["logits"], expected.logits.numpy(), atol=2e-5)
    real = mask.reshape(6, 7) == 1
    for ours, right in zip(found["hidden_states"], expected.hidden_states, strict=True):
        np.testing.assert_allclose(ours[real], right.numpy()[real], atol=2e-5)


@backends
def test_the_texts_of_a_packed_row_are_the_choices_of_one_question(folder, backend):
    ids, mask = questions()
    model = reference.load(folder, backend=backend)
    padded = model.forward(ids, mask)["logits"]
    real = mask[0] == 1
    packed = model.forward_packed(ids[0][real], np.cumsum([0, *real.sum(axis=1)]))["logits"]
    assert packed.shape == (1, 3)
    np.testing.assert_allclose(packed, padded[:1], atol=1e-5)


@backends
def test_no_mask_means_that_all_is_real(folder, backend):
    ids, _ = questions()
    model = reference.load(folder, backend=backend)
    np.testing.assert_allclose(
        model.forward(ids)["logits"], model.forward(ids, np.ones_like(ids))["logits"], atol=1e-6
    )


@backends
def test_loss_and_gradients_are_those_of_transformers(folder, backend):
    ids, mask = questions()
    labels = np.array([2, 0])
    loss, found = gradients(folder, backend, ids, mask, labels)
    theirs = transformers_own(folder)
    expected = theirs(
        torch.from_numpy(ids),
        attention_mask=torch.from_numpy(mask),
        labels=torch.from_numpy(labels),
    ).loss
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    for name, parameter in theirs.named_parameters():
        right = parameter.grad.numpy()
        np.testing.assert_allclose(
            found[name], right, atol=1e-4 * max(1.0, np.abs(right).max()), err_msg=name
        )


@backends
def test_it_comes_back_from_its_own_folder(folder, backend, tmp_path):
    ids, mask = questions()
    model = reference.load(folder, backend=backend)
    model.save(tmp_path / "again")
    again = reference.load(tmp_path / "again", backend=backend)
    np.testing.assert_array_equal(
        again.forward(ids, mask)["logits"], model.forward(ids, mask)["logits"]
    )


@backends
def test_bad_input(folder, backend):
    ids, mask = questions()
    model = reference.load(folder, backend=backend)
    with pytest.raises(InputError, match=r"\[batch, choices, tokens\]"):
        model.forward(ids[0])
    with pytest.raises(InputError, match=r"attention_mask has shape \(2, 7\)"):
        model.forward(ids, mask[:, 0])
    with pytest.raises(InputError, match="hides every token of choice 1 of question 1"):
        hidden = mask.copy()
        hidden[1, 1] = 0
        model.forward(ids, hidden)
    with pytest.raises(InputError, match="0 to 2"):
        gradients(folder, backend, ids, mask, np.array([3, 0]))
    with pytest.raises(InputError, match=r"must have \(2,\)"):
        gradients(folder, backend, ids, mask, np.array([1, 0, 1]))


def test_other_models_do_not_choose(tmp_path):
    with pytest.raises(ConfigError, match="BertForMultipleChoice is not implemented"):
        architecture_for(BertConfig(), MULTIPLE_CHOICE)
    folder = random_checkpoint(tmp_path, "ModernBertForMaskedLM")
    with pytest.raises(CheckpointError, match="classifier"):
        reference.load(folder, pipeline="multiple-choice")
