"""A stranger's port: good ones are measured, odd ones are explained."""

import numpy as np
import pytest
import torch

import reference
from reference.checkpoint import read_checkpoint
from reference.errors import InputError
from reference.inputs import Inputs
from reference.parity import random_checkpoint
from reference.parity.faults import FAULTS


@pytest.fixture(scope="module")
def good(random_folder):
    """A port that is right, and gives all that it has."""
    pipeline = reference.load(random_folder)

    def port(input_ids, attention_mask, token_type_ids):
        return pipeline.forward(
            input_ids, attention_mask, token_type_ids, output_hidden_states=True
        )

    return port


def compare(folder, port):
    return reference.parity.compare(folder, backends=(), port=port)


class Whole:
    """A port that hands in all there is, of one of our own models."""

    def __init__(self, model, operations):
        self.model, self.operations = model, operations

    def __call__(self, input_ids, attention_mask, token_type_ids, labels=None, cu_seqlens=None):
        inputs = Inputs(input_ids, attention_mask, token_type_ids, cu_seqlens)
        outputs = self.model.forward(inputs, True)
        if cu_seqlens is not None:
            assert attention_mask is None and labels is None and input_ids.ndim == 1
            return outputs | {"sentence_embedding": self.model.embed(inputs, ("mean",), True)}
        loss, gradients = self.model.gradients(inputs, labels)
        hidden, mask = outputs["last_hidden_state"], attention_mask[..., None]
        vectors = (hidden * mask).sum(axis=1) / mask.sum(axis=1)
        vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
        return outputs | {
            "sentence_embedding": vectors,
            "loss": loss,
            "gradients": gradients,
            "trace": self.model.trace(inputs, self.operations),
        }

    def without(self, **changed):
        """The same port with other results."""

        def port(input_ids, attention_mask, token_type_ids, labels=None, cu_seqlens=None):
            found = self(input_ids, attention_mask, token_type_ids, labels, cu_seqlens)
            return found | {
                name: change(found) for name, change in changed.items() if name in found
            }

        return port


@pytest.fixture(scope="module")
def whole(random_folder):
    checkpoint = read_checkpoint(random_folder)
    operations = checkpoint.architecture.places(checkpoint.config)
    return Whole(reference.load(random_folder).model, operations)


def test_everything_can_be_handed_in(random_folder, whole):
    report = compare(random_folder, whole)
    assert report.passed, report.table()
    own = reference.parity.compare(random_folder, "torch")
    tensors = {row.tensor for row in report.rows}
    assert {row.tensor for row in own.rows} < tensors
    assert {"packed.sentence_embedding", "trace.encoder.layer.0.intermediate"} < tensors
    assert report.unchecked == {"port": ()}
    assert "not checked" not in report.table()


def test_what_was_not_checked_is_said(random_folder, good, whole):
    report = compare(random_folder, good)
    expected = ("sentence embedding", "loss", "gradients", "packed")
    assert report.unchecked == {"port": expected}
    assert "port: not checked: sentence embedding, loss, gradients, packed" in report.table()
    assert report.to_dict()["unchecked"] == {"port": list(expected)}

    few = whole.without(
        gradients=lambda found: {"pooler.dense.bias": found["gradients"]["pooler.dense.bias"]},
        pooler_output=lambda found: None,
    )
    count = len(read_checkpoint(random_folder).tensors)
    assert compare(random_folder, few).unchecked["port"] == (
        "pooler output",
        "packed pooler output",
        f"{count - 1} of {count} gradients",
    )


def test_a_loss_is_compared_only_with_our_labels(random_folder, good):
    report = compare(random_folder, lambda *batch: good(*batch) | {"loss": 1.0})
    assert report.passed and "loss" in report.unchecked["port"]
    assert report.notes == (
        "port: loss not compared; it was given no labels, as its signature names none",
    )


def test_a_list_of_what_has_no_counterpart_ends(random_folder, good):
    gradients = {f"model.{number}": np.zeros(1) for number in range(100)}
    (note,) = compare(
        random_folder,
        lambda ids, mask, types, labels: good(ids, mask, types) | {"gradients": gradients},
    ).notes
    assert "gradients.model.5 and 94 more not compared" in note and len(note) < 300


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("loss", lambda found: found["loss"] * 1.001),
        (
            "gradients",
            lambda found: {key: array * 1.01 for key, array in found["gradients"].items()},
        ),
        ("sentence_embedding", lambda found: found["sentence_embedding"] * 1.001),
    ],
)
def test_each_is_gated(random_folder, whole, name, change):
    report = compare(random_folder, whole.without(**{name: change}))
    failed = {row.tensor.split(".")[0] for row in report.rows if not row.passed}
    assert failed - {"packed"} == {name}
    assert "agree" in str(report.first_divergence["port"])


def test_a_packed_row_is_gated(tmp_path):
    folder = random_checkpoint(tmp_path, pooling="mean", max_position_embeddings=512)
    model = reference.load(folder).model

    def port(input_ids, attention_mask, token_type_ids, cu_seqlens=None):
        """Every token of a row attends to the whole row."""
        row = None if cu_seqlens is None else cu_seqlens[[0, -1]]
        inputs = Inputs(input_ids, attention_mask, token_type_ids, row)
        return {"hidden_states": model.forward(inputs, True)["hidden_states"]}

    divergence = compare(folder, port).first_divergence["port"]
    assert str(divergence).endswith("of the packed row; the padded batch agrees")


def test_a_trace_names_the_operation(random_folder, whole):
    checkpoint = read_checkpoint(random_folder)
    fault = FAULTS["tanh_gelu"]
    with fault.seeded("torch", checkpoint, "float32") as model:
        port = Whole(model, whole.operations)
    report = compare(random_folder, port)
    assert str(report.first_divergence["port"]).startswith(
        "layer 0, encoder.layer.0.intermediate (the activation)"
    )


def test_no_agreement_is_claimed_of_what_was_not_returned(random_folder, good):
    report = compare(
        random_folder, lambda *batch: {"pooler_output": good(*batch)["pooler_output"] + 0.01}
    )
    assert str(report.first_divergence["port"]) == (
        "pooler_output; no hidden states were compared"
    )


def test_every_batch_must_give_the_same(random_folder, good):
    calls = []

    def port(*batch):
        calls.append(1)
        names = ["last_hidden_state", "pooler_output"][: 3 - min(len(calls), 2)]
        return {name: good(*batch)[name] for name in names}

    with pytest.raises(InputError, match="returned pooler_output for one batch and not for"):
        compare(random_folder, port)


def test_a_port_that_switches_gradients_off_leaves_the_oracle_alone(random_folder, good):
    def port(*batch):
        torch.set_grad_enabled(False)
        return good(*batch)

    try:
        assert compare(random_folder, port).passed
    finally:
        torch.set_grad_enabled(True)


def test_a_good_port_passes(random_folder, good):
    report = compare(random_folder, good)
    assert report.passed, report.table()
    assert report.first_divergence == {"port": None}
    assert {row.backend for row in report.rows} == {"port"}


def test_a_port_stands_beside_the_backends(random_folder, good):
    report = reference.parity.compare(random_folder, backends="torch", port=good)
    assert report.backends == ("torch", "port")


def test_a_part_of_the_outputs_is_enough(random_folder, good):
    report = compare(
        random_folder, lambda *batch: {"last_hidden_state": good(*batch)["last_hidden_state"]}
    )
    assert report.passed
    assert [row.tensor for row in report.rows] == ["last_hidden_state"]


def test_lists_and_float16_and_tuples_are_arrays_too(random_folder, good):
    def port(*batch):
        outputs = good(*batch)
        return {
            "hidden_states": tuple(outputs["hidden_states"]),
            "pooler_output": outputs["pooler_output"].tolist(),
            "last_hidden_state": None,
        }

    assert compare(random_folder, port).passed


def test_the_layer_that_departs_is_named(random_folder, good):
    def port(*batch):
        states = good(*batch)["hidden_states"]
        return {"hidden_states": [states[0], states[1], states[2] + 1e-4, states[3]]}

    report = compare(random_folder, port)
    assert not report.passed
    assert report.first_divergence["port"].layer == 1
    assert "layer 1" in str(report.first_divergence["port"])


def test_padded_positions_are_its_own_business(random_folder, good):
    def port(input_ids, attention_mask, token_type_ids):
        hidden = good(input_ids, attention_mask, token_type_ids)["last_hidden_state"]
        return {"last_hidden_state": np.where(attention_mask[..., None] == 1, hidden, np.nan)}

    report = compare(random_folder, port)
    assert report.passed
    assert not report.notes


def test_nan_at_a_real_token_fails_and_is_said(random_folder, good):
    def port(*batch):
        hidden = good(*batch)["last_hidden_state"].copy()
        hidden[-1, -1, 0] = np.nan  # a real token: this row is padded on the left
        return {"last_hidden_state": hidden}

    report = compare(random_folder, port)
    assert not report.passed
    assert report.notes == ("port: last_hidden_state holds NaN or infinity",)
    assert "null" in report.to_json()


def test_what_has_no_counterpart_is_said(random_folder, good):
    report = compare(
        random_folder, lambda *batch: good(*batch) | {"logits": np.zeros(3), "attentions": ()}
    )
    assert report.passed
    assert report.notes == (
        "port: logits, attentions not compared; Transformers returns no such output here",
    )


def test_it_cannot_change_the_batch(random_folder, good):
    def port(input_ids, attention_mask, token_type_ids):
        outputs = good(input_ids, attention_mask, token_type_ids)
        input_ids[:] = attention_mask[:] = token_type_ids[:] = 0
        return outputs

    assert compare(random_folder, port).passed
