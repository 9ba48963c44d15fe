"""A stranger's port: good ones are measured, odd ones are explained."""

import numpy as np
import pytest

import reference
from reference.errors import InputError


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


@pytest.mark.parametrize(
    ("port", "message"),
    [
        (lambda *batch: 1 / 0, "the port raised ZeroDivisionError: division by zero"),
        (lambda ids: {}, "the port raised TypeError"),
        (lambda *batch: [1], "the port returned a list; it must return a dict"),
        (
            lambda *batch: {},
            "the port returned nothing; for this checkpoint it can return last_hidden_state",
        ),
        (
            lambda *batch: {"logits": np.zeros(1)},
            "the port returned logits; for this checkpoint it can return",
        ),
        (
            lambda *batch: {"last_hidden_state": np.zeros((2, 2))},
            r"last_hidden_state has shape \(2, 2\); it must have",
        ),
        (lambda *batch: {"last_hidden_state": "text"}, "last_hidden_state holds <U4"),
        (
            lambda *batch: {"last_hidden_state": [[1], [1, 2]]},
            "last_hidden_state is no NumPy array",
        ),
        (
            lambda *batch: {"hidden_states": [np.zeros(1)] * 3},
            "returned 3 hidden states; there are 4 of them",
        ),
        (lambda *batch: {"hidden_states": 7}, "hidden_states is a int; it must be a list"),
        ("not callable", "port is a str; it must be a callable"),
    ],
)
def test_odd_ports_are_explained(random_folder, port, message):
    with pytest.raises(InputError, match=message):
        compare(random_folder, port)
