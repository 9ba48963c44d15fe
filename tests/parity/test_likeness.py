"""A port that departs is held against the known faults, and the likely one is named."""

from dataclasses import replace

import numpy as np
import pytest

import reference
from reference.backend import build
from reference.checkpoint import read_checkpoint
from reference.parity import Likeness, Report, random_checkpoint
from reference.parity.batch import random_batch
from reference.parity.faults import FAULTS
from reference.parity.faults.likeness import likeness
from reference.parity.subject import Subject

# One of each kind, seeded in another framework than the one in which they are tried: heads,
# packed rows, poolings, losses and gradients among them.
SEEDED = [
    ("tanh_gelu", "candle"),
    ("wrong_epsilon", "mlx"),
    ("epsilon_outside_the_root", "mlx"),
    ("mask_dropped", "candle"),
    ("packed_texts_leak", "mlx"),
    ("pads_inside_the_mean", "candle"),
    ("normalize_squared", "candle"),
    ("gradient_cut", "mlx"),
    ("mean_over_all_labels", "candle"),
    ("rope_interleaved", "mlx"),
    ("window_off_by_one", "candle"),
    ("modernbert_untied_decoder", "candle"),
]


def dressed_as_a_stranger(fault, backend, subject):
    def run(sample):
        with fault.seeded(backend, subject.checkpoint, subject.dtype) as model:
            return sample.run(model)

    return run


@pytest.mark.parametrize(("name", "backend"), SEEDED)
@pytest.mark.usefixtures("shapes_not_looked_at")  # those of models without a fault are
def test_a_known_fault_is_recognised(grounds, name, backend):
    fault = FAULTS[name]
    subject = grounds.subject(fault)
    found = likeness(dressed_as_a_stranger(fault, backend, subject), subject)
    assert (found.fault, found.story) == (name, fault.story)
    assert found.exact and found.difference < 2e-5


def test_another_fault_is_not_taken_for_a_known_one(grounds):
    subject = grounds.subject(FAULTS["tanh_gelu"])
    model = subject.build("torch")

    def run(sample):
        noise = np.random.default_rng(0)
        return {
            name: array + 1e-3 * noise.standard_normal(array.shape)
            for name, array in sample.run(model).items()
        }

    assert likeness(run, subject) is None


def test_a_fault_like_a_known_one_is_only_near_to_it(tmp_path):
    """Quick GELU is none of the known faults; where silu is meant, GELU is the nearest."""
    checkpoint = read_checkpoint(random_checkpoint(tmp_path, hidden_act="silu"))
    subject = Subject(checkpoint, [random_batch(checkpoint.config)])
    config = replace(checkpoint.config, hidden_act="quick_gelu")
    model = build("torch", config, checkpoint.architecture, checkpoint.tensors)
    found = likeness(lambda sample: sample.run_padded(model), subject)
    assert found.fault == "hard_coded_activation" and not found.exact
    assert "nearest to hard coded activation, and still" in str(found)


@pytest.mark.parametrize("name", ["mask_by_multiplying"])
def test_nan_looks_like_nothing(grounds, name):
    subject = grounds.subject(FAULTS[name])
    assert likeness(dressed_as_a_stranger(FAULTS[name], "torch", subject), subject) is None


def test_a_right_port_looks_like_no_fault(grounds):
    subject = grounds.subject(FAULTS["tanh_gelu"])
    model = subject.build("candle")
    assert likeness(lambda sample: sample.run(model), subject) is None


def test_bugs_of_the_encoder_are_tried_under_every_head(tmp_path):
    """Of the faults of a base model, in a masked LM of another family."""
    folder = random_checkpoint(tmp_path, "XLMRobertaForMaskedLM")
    fault = FAULTS["tanh_gelu"]

    def port(input_ids, attention_mask, token_type_ids):
        inputs = reference.inputs.Inputs(input_ids, attention_mask, token_type_ids)
        with fault.seeded("candle", subject.checkpoint, "float32") as model:
            return {"logits": model.forward(inputs)["logits"]}

    subject = Subject(read_checkpoint(folder), [])
    report = reference.parity.compare(folder, backends=(), port=port)
    found = report.likeness["port"]
    assert found.fault == "tanh_gelu"
    assert f"port: as with tanh gelu, to {found.difference:.0e}: the tanh" in report.table()
    assert report.to_dict()["likeness"]["port"]["fault"] == "tanh_gelu"
    assert str(report.first_divergence["port"]) == "logits; no hidden states were compared"


def test_it_is_said_in_words():
    alike = Likeness("tanh_gelu", "a story", 4.4e-7)
    report = Report("m", "float32", 2.0, (), {"port": None}, likeness={"port": alike})
    assert "port: as with tanh gelu, to 4e-07: a story" in report.table()
    assert "port: as with tanh gelu, to 4e-07: a story" in report._repr_html_()
