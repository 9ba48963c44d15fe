"""What a report says: the verdict, the tables, JSON, and where things first went wrong."""

import json
import math
from dataclasses import replace

import pytest

from reference.families import architecture_named
from reference.families.bert import BertConfig
from reference.parity import Divergence, Likeness, Report, Row
from reference.parity.divergence import first_divergence, strangers_divergence
from reference.parity.report import kind


def row(tensor: str, ratio: float = 1.0, backend: str = "torch") -> Row:
    return Row(backend, tensor, ratio * 1e-6, 1e-6, ratio, ratio <= 2)


LAYER = "encoder.layer.1"
PLACES = architecture_named("BertModel").places(BertConfig(num_hidden_layers=2))
PASSING = [row("hidden_states.0"), row("hidden_states.1", 1.5), row("logits", 0.5)]
FAILING = [
    row("hidden_states.0"),
    row("hidden_states.1", 9.0),
    row("hidden_states.2", math.inf),
]


def report(rows: list[Row]) -> Report:
    return Report(
        "folder",
        "float32",
        2.0,
        tuple(rows),
        {"torch": first_divergence(rows, PLACES)},
        ("a note",),
    )


def test_a_report_passes_when_every_row_does():
    assert report(PASSING).passed
    assert not report(FAILING).passed
    assert not report([]).passed, "a comparison of nothing proves nothing"


def test_the_summary_shows_the_worst_of_each_kind():
    text = report(PASSING).table()
    assert text == str(report(PASSING)) == repr(report(PASSING))
    assert [line.split()[:4] for line in text.splitlines()[4:6]] == [
        ["torch", "hidden", "states", "2"],
        ["torch", "logits", "1", "5.0e-07"],
    ]
    assert "torch: all 3 tensors pass" in text and "a note" in text


def test_every_tensor_is_listed_on_request():
    text = report(FAILING).table(layers=True)
    assert all(f"hidden_states.{number}" in text for number in range(3))
    assert "torch: 2 of 3 tensors fail; first divergence: layer 0 (hidden_states.1)" in text


def test_html_is_the_same_every_time_and_escaped():
    bad = Report("<script>", "float32", 2.0, tuple(PASSING), {"torch": None})
    assert bad._repr_html_() == bad._repr_html_()
    assert "<script>" not in bad._repr_html_()
    assert bad._repr_html_().count("<tr>") == 3


def test_html_folds_a_passed_report_and_shows_a_failed_one():
    passed, failed = report(PASSING)._repr_html_(), report(FAILING)._repr_html_()
    assert passed.startswith('<details class="parity-report">\n<summary>3 tensors × 1 port')
    assert failed.startswith('<details class="parity-report" open>')
    for html in (passed, failed):
        assert html.endswith("</details>") and html.count("<summary>") == 1


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        (PASSING, "3 tensors × 1 port, worst 1.5 of 2 allowed: passed"),
        (FAILING, "3 tensors × 1 port, worst inf of 2 allowed: 2 failed"),
        (
            [*PASSING, *(replace(row, backend="mlx") for row in PASSING)],
            "3 tensors × 2 ports, worst 1.5 of 2 allowed: passed",
        ),
        ([*PASSING, row("loss", 1.0, "mlx")], "4 tensors of 2 ports, worst 1.5 of 2 allowed"),
        ([row("loss", 1.234)], "1 tensor × 1 port, worst 1.23 of 2 allowed: passed"),
        ([], "nothing was compared: failed"),
    ],
)
def test_a_report_in_one_line(rows: list[Row], line: str):
    assert report(rows).summary().startswith(line)


def test_json_holds_no_nan():
    values = json.loads(report(FAILING).to_json(), parse_constant=pytest.fail)
    assert values["passed"] is False
    assert [item["ratio"] for item in values["rows"]] == [1.0, 9.0, None]
    assert values["first_divergence"]["torch"]["layer"] == 0
    assert values == report(FAILING).to_dict()


def test_a_report_is_read_back():
    alike = {"torch": Likeness("tanh_gelu", "a story", 1e-6)}
    for rows in (PASSING, FAILING):
        found = replace(report(rows), unchecked={"torch": ("loss", "packed")}, likeness=alike)
        assert Report.from_dict(json.loads(found.to_json())).table() == found.table()


@pytest.mark.parametrize(
    ("tensor", "its_kind"),
    [
        ("packed.hidden_states.3", "packed hidden states"),
        ("gradients.encoder.layer.0.output.dense.weight", "gradients"),
        ("sentence_embedding", "sentence embedding"),
    ],
)
def test_kinds(tensor, its_kind):
    assert kind(tensor) == its_kind


HIDDEN = [f"hidden_states.{number}" for number in range(3)]
UP = f"gradients.{LAYER}.output.dense.bias"


@pytest.mark.parametrize(
    ("passing", "failing", "layer", "message"),
    [
        (
            HIDDEN[:2],
            ["hidden_states.2", "logits", "packed.hidden_states.1"],
            1,
            "layer 1 (hidden_states.2)",
        ),
        ([], ["hidden_states.0", "loss"], None, "the embeddings (hidden_states.0)"),
        (HIDDEN, ["logits", "loss", UP], None, "logits; the hidden states agree"),
        (["last_hidden_state"], ["logits"], None, "logits; the last hidden state agrees"),
        ([], ["logits"], None, "logits; no hidden states were compared"),
        (
            HIDDEN,
            ["packed.hidden_states.2"],
            1,
            "layer 1 of the packed row; the padded batch agrees",
        ),
        (
            ["pooler_output"],
            ["packed.hidden_states.2"],
            1,
            "layer 1 of the packed row; no hidden states were compared",
        ),
        (HIDDEN, ["packed.logits"], None, "packed.logits; the hidden states agree"),
        (HIDDEN, ["sentence_embedding"], None, "sentence_embedding; the hidden states agree"),
        (
            [],
            ["sentence_embedding"],
            None,
            "sentence_embedding; no hidden states were compared",
        ),
        (
            [*HIDDEN, "loss"],
            ["gradients.embeddings.LayerNorm.bias", UP],
            1,
            f"layer 1, the gradient of {LAYER}.output.dense.bias; the forward pass and the "
            "loss agree",
        ),
        (
            ["loss"],
            [UP],
            1,
            f"layer 1, the gradient of {LAYER}.output.dense.bias; the loss agrees",
        ),
        (
            [],
            [UP],
            1,
            f"layer 1, the gradient of {LAYER}.output.dense.bias; neither the forward pass "
            "nor the loss was compared",
        ),
    ],
)
def test_the_first_divergence_follows_the_order_of_computation(
    passing, failing, layer, message
):
    """And nothing is said to agree that was not compared."""
    rows = [row(tensor) for tensor in passing] + [row(tensor, 3.0) for tensor in failing]
    divergence = first_divergence(rows, PLACES)
    assert (divergence.layer, str(divergence)) == (layer, message)


@pytest.mark.parametrize(
    ("passing", "failing", "operation"),
    [
        (HIDDEN[:2], [HIDDEN[2], f"trace.{LAYER}.output"], f"{LAYER}.output"),
        (
            [],
            ["last_hidden_state", f"trace.{LAYER}.attention.self", "trace.pooler"],
            f"{LAYER}.attention.self",
        ),
        (HIDDEN, [f"trace.{LAYER}.intermediate"], f"{LAYER}.intermediate"),
        (HIDDEN[:2], [HIDDEN[2]], None),
    ],
)
def test_a_strangers_trace_names_the_operation(passing, failing, operation):
    rows = [row(tensor) for tensor in passing] + [row(tensor, 3.0) for tensor in failing]
    assert strangers_divergence(rows, PLACES).operation == operation


def test_a_strangers_trace_without_a_fault():
    assert strangers_divergence([row("trace.embeddings"), *PASSING], PLACES) is None


def test_operations_name_the_place_inside_a_layer():
    def operations() -> list[Row]:
        names = (
            "encoder.layer.0.output",
            f"{LAYER}.attention.self",
            f"{LAYER}.intermediate",
            f"{LAYER}.output",
        )
        return [
            row(name, ratio) for name, ratio in zip(names, (5.0, 1.0, 4.0, 9.0), strict=True)
        ]

    divergence = first_divergence([row("hidden_states.2", 3.0)], PLACES, operations)
    assert divergence == Divergence(
        1, f"{LAYER}.intermediate", f"layer 1, {LAYER}.intermediate (the activation)"
    )


def test_no_divergence_where_all_passes():
    assert first_divergence(PASSING, PLACES) is None
