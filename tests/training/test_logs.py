"""What a run leaves to read, and what it says where its loss is no number."""

import re
import sys
import types

import numpy as np
import pytest
from loguru import logger

from reference.backend import BACKENDS
from reference.errors import InputError
from reference.training import fit, logs
from reference.training.logs import Logs, own_logger, read_numbers
from reference.training.loop import Taken
from reference.training.start import Start
from tests.training.test_fit import TEXTS, begin


def test_the_logs_of_a_run(tokenizers, tmp_path, capfd):
    """Lines with the time, numbers, a picture; on standard error only what was asked for."""
    start = begin("rope_encoder", tokenizers, epochs=2)
    fit(TEXTS, tmp_path / "model", **start, show_progress=True)
    shown = capfd.readouterr()
    assert not shown.out and "held out: loss" in shown.err and "it/s" not in shown.err
    folder = tmp_path / "model" / "logs"
    lines = (folder / "run.log").read_text().splitlines()
    time = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} INFO    "
    assert len(lines) == 4 and all(re.match(time, line) for line in lines)
    assert "masked-lm from a new rope_encoder, with torch: 54 samples in" in lines[0]
    assert "perplexity" in lines[1] and "(best)" in lines[1] and "written to" in lines[3]
    numbers = read_numbers(folder / "numbers.jsonl")
    steps = [line for line in numbers if "loss" in line]
    assert [line["step"] for line in steps] == list(range(1, len(steps) + 1))
    assert set(steps[0]) == {"step", "loss", "learning_rate", "gradient_norm", "tokens"}
    assert steps[0]["gradient_norm"] > 0 and steps[-1]["learning_rate"] < 1e-2
    looks = [line for line in numbers if "scores" in line]
    assert len(looks) == 2 and set(looks[0]["scores"]) == {"loss", "perplexity", "accuracy"}
    assert (folder / "loss.png").read_bytes().startswith(b"\x89PNG")


def test_a_bar_where_it_can_be_drawn(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(logs, "redraws", lambda: True)
    with Logs(tmp_path, 10, show_progress=True) as found:
        for step in range(1, 11):
            found.taken(Taken(step, 2.0, 1e-3, 1.0, 100))
    shown = capfd.readouterr().err
    assert "10/10" in shown and "loss 2.000" in shown and "tokens/s" in shown


def test_how_a_run_ended_is_logged(tmp_path):
    with pytest.raises(InputError), Logs(tmp_path, 10):
        raise InputError("the loss is gone")
    assert "ERROR   InputError: the loss is gone" in (tmp_path / "logs/run.log").read_text()


def test_a_line_that_was_cut_short_is_none(tmp_path):
    (tmp_path / "numbers.jsonl").write_text('{"step": 1}\n{"ste')
    assert read_numbers(tmp_path / "numbers.jsonl") == [{"step": 1}]


def test_the_program_s_own_log_is_left_alone(tmp_path):
    seen = []
    sink = logger.add(seen.append, format="{message}")
    before = dict(logger._core.handlers)
    with Logs(tmp_path, 1) as found:
        found.say("a line of ours")
    assert logger._core.handlers == before and not seen
    logger.remove(sink)
    assert own_logger()._core is not logger._core


def test_tensorboard(tmp_path, monkeypatch):
    """What is written is what TensorBoard reads; without it there is no file of it."""
    events = []
    writer = types.SimpleNamespace(add_event=events.append, close=lambda: None)
    build = lambda **values: types.SimpleNamespace(**values)
    summary = type(
        "Summary", (), {"Value": staticmethod(build), "__new__": lambda _, value: value}
    )
    session = type("SessionLog", (), {"START": 1, "__init__": lambda self, status: None})
    fake = {
        "tensorboard.summary.writer.event_file_writer": {
            "EventFileWriter": lambda path: writer
        },
        "tensorboard.compat.proto.event_pb2": {"Event": build, "SessionLog": session},
        "tensorboard.compat.proto.summary_pb2": {"Summary": summary},
    }
    for name, values in fake.items():
        module = types.ModuleType(name)
        vars(module).update(values)
        monkeypatch.setitem(sys.modules, name, module)
    with Logs(tmp_path / "with", 10) as found:
        found.taken(Taken(1, 2.0, 1e-3, 1.5, 100))
        found.judged(1, {"loss": 3.0}, True)
        found.resumed(1)
    *scalars, start = events
    values = {event.summary[0].tag: event.summary[0].simple_value for event in scalars}
    assert values == {
        "loss": 2.0,
        "learning_rate": 1e-3,
        "gradient_norm": 1.5,
        "tokens": 100.0,
        "held out loss": 3.0,
    }
    assert start.step == 2 and isinstance(start.session_log, session)
    monkeypatch.setitem(sys.modules, "tensorboard.summary.writer.event_file_writer", None)
    with Logs(tmp_path / "without", 10) as found:
        found.taken(Taken(1, 2.0, 1e-3, 1.5, 100))
    assert not (tmp_path / "without" / "logs" / "tensorboard").exists()


def test_tensorboard_reads_it(tmp_path):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with Logs(tmp_path, 10) as found:
        found.taken(Taken(1, 2.0, 1e-3, 1.5, 100))
    board = reader.EventAccumulator(str(tmp_path / "logs" / "tensorboard"))
    board.Reload()
    assert board.Scalars("loss")[0].value == 2.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_where_a_loss_that_is_no_number_begins(backend, tokenizers, tmp_path, monkeypatch):
    """One weight is made infinite: the operation that uses it is named, with its step."""
    plain, start = Start.first, begin("rope_encoder", tokenizers, backend=backend)

    def broken(self, *arguments):
        tensors = plain(self, *arguments)
        tensors["model.layers.0.attention.output.weight"][0, 0] = np.inf
        return tensors

    with monkeypatch.context() as patch, pytest.raises(InputError) as found:
        patch.setattr(Start, "first", broken)
        fit(TEXTS, tmp_path / "model", **start)
    message = str(found.value)
    assert re.match(r"the loss of step 1 is (nan|-?inf): the run has come apart\. ", message)
    assert "in batch 1 of the step's 1, with model.layers.0.attention.output (the " in message
    assert "of layer 0), whose result is not finite" in message
    assert "of the weights model.layers.0.attention.output.weight held NaN or" in message
    assert message.split(".")[0] in (tmp_path / "model/logs/run.log").read_text()
    # The folder holds nothing but logs, so the next run may use it.
    fit(TEXTS, tmp_path / "model", **start | {"epochs": 1})


def test_a_gradient_that_is_no_number(tokenizers, tmp_path):
    """Weights so large that the loss is still one, but nothing comes back."""
    wild = begin("bert", tokenizers, learning_rate=1e30, clip=None, warmup=0.0)
    with pytest.raises(InputError, match=r"the loss of step \d+ is .*A smaller learning rate"):
        fit(TEXTS, tmp_path / "model", **wild)
