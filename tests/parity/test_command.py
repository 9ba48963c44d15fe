"""python -m reference parity: the table, the exit status, the JSON file, a port of one's
own."""

import json
import sys

import pytest

from reference.__main__ import main

GOOD = """
import sys

import reference
from reference.parity.elsewhere import elsewhere

model = reference.load({folder!r})

def forward(input_ids, attention_mask, token_type_ids):
    return model.forward(input_ids, attention_mask, token_type_ids, output_hidden_states=True)

def shifted(*batch):
    outputs = forward(*batch)
    return outputs | {{"pooler_output": outputs["pooler_output"] + 1e-3}}

class Ports:
    forward = staticmethod(forward)

def leaving(*batch):
    raise SystemExit

def printing(*batch):
    print("a stranger's word")
    return forward(*batch)

def labelled(input_ids, attention_mask, token_type_ids, labels):
    print(f"{{input_ids.shape}} {{labels.sum():.6f}}")
    return forward(input_ids, attention_mask, token_type_ids)

ending = elsewhere([sys.executable, "-c", "import os; os._exit(3)"], takes=["labels"])
text = "not callable"
"""


@pytest.fixture
def folder(random_folder, tmp_path, monkeypatch):
    """The current folder holds modules of a user's own."""
    monkeypatch.delitem(sys.modules, "good_port", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good_port.py").write_text(GOOD.format(folder=str(random_folder)))
    (tmp_path / "broken_port.py").write_text("1 / 0")
    (tmp_path / "leaving_port.py").write_text("raise SystemExit")
    (tmp_path / "empty.txt").write_text("")
    return str(random_folder)


def run(*arguments: str) -> int:
    return main(["parity", *arguments])


def test_a_summary_and_success(folder, capsys):
    assert run(folder, "--backends", "torch,mlx") == 0
    printed = capsys.readouterr().out
    assert "torch: all" in printed and "mlx: all" in printed and "candle" not in printed
    assert "packed hidden states" in printed and "hidden_states.1" not in printed


def test_every_tensor_on_request(folder, capsys):
    assert run(folder, "--backends", "candle", "--layers", "--dtype", "float64") == 0
    printed = capsys.readouterr().out
    assert "hidden_states.1" in printed and "gradients.pooler.dense.bias" in printed


def test_json(folder, tmp_path, capsys):
    assert run(folder, "--backends", "torch", "--json", "report.json") == 0
    values = json.loads((tmp_path / "report.json").read_text())
    assert values["passed"] and values["first_divergence"] == {"torch": None}
    assert {"backend", "tensor", "error", "floor", "ratio", "passed"} == set(values["rows"][0])


def test_a_port_of_ones_own(folder, capsys):
    assert run(folder, "--port", "good_port:Ports.forward") == 0
    assert "port: all 6 tensors pass" in capsys.readouterr().out


def test_a_port_that_departs_gives_status_1_and_a_report(folder, tmp_path, capsys):
    assert run(folder, "--port", "good_port:shifted", "--json", "report.json") == 1
    assert "first divergence: pooler_output; the hidden states agree" in capsys.readouterr().out
    assert not json.loads((tmp_path / "report.json").read_text())["passed"]


def test_what_a_port_prints_is_no_part_of_the_report(folder, capsys):
    assert run(folder, "--port", "good_port:printing") == 0
    captured = capsys.readouterr()
    assert "a stranger's word" in captured.err and "stranger" not in captured.out


def test_texts_of_ones_own(folder, minilm, tmp_path, capsys):
    (tmp_path / "good_port.py").write_text(GOOD.format(folder=str(minilm)))
    (tmp_path / "texts.txt").write_text("one text\nand a second one, which is longer\n")
    assert run(str(minilm), "--port", "good_port:labelled", "--texts", "texts.txt") == 0
    assert capsys.readouterr().err.startswith("(2, 10)")


def test_the_seed_draws_the_sample(folder, capsys):
    seen = []
    for seed in ("0", "0", "1"):
        assert run(folder, "--port", "good_port:labelled", "--seed", seed) == 0
        seen.append(capsys.readouterr().err.splitlines())
    assert seen[0] == seen[1] and not set(seen[0]) & set(seen[2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "good_port"], "it must be module:callable"),
        (["--port", ":forward"], "it must be module:callable"),
        (["--port", "good_port:nothing"], "good_port has no nothing"),
        (["--port", "good_port:text"], "it must be callable"),
        (
            ["--port", "no_such_module:forward"],
            "importing no_such_module raised ModuleNotFoundError",
        ),
        (["--port", "broken_port:forward"], "importing broken_port raised ZeroDivisionError"),
        (["--port", "leaving_port:forward"], "importing leaving_port called sys.exit(None)"),
        (["--port", "good_port:leaving"], "the port called sys.exit(None)"),
        (["--port", "good_port:ending"], "ended with status 3"),
        (["--texts", "empty.txt"], "texts is empty"),
        (["--texts", "nowhere.txt"], "nowhere.txt cannot be read"),
        (["--seed", "-1"], "seed is -1; it must be a whole number of at least 0"),
        (["--backends", "tensorflow"], "tensorflow"),
        (["--dtype", "float8"], "float8"),
        (["--backends", "torch", "--json", "no/such/folder.json"], "no/such/folder.json"),
    ],
)
def test_bad_arguments_give_status_2_and_one_line(folder, capsys, arguments, message):
    assert run(folder, *arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err and captured.err.count("\n") == 1
    assert captured.out == ""
