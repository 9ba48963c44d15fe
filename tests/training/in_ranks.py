"""What each process does in a test: python -m tests.training.in_ranks WHAT FOLDER."""

import os
import signal
import sys
from functools import partial
from pathlib import Path

import numpy as np

from reference import ranks
from reference.backend import learner
from reference.errors import InputError
from reference.training import loop
from reference.training.fitting import fit, prepare
from reference.training.origin import origin
from tests.training.conftest import COLOURS, NAMES, SMALL, sentences

# Of many lengths, so that batches have unequal numbers of hidden words.
TEXTS = [" ".join(sentences(1 + n % 3, n)) for n in range(46)]
PAIRS = [
    (f"Where is the {colour} {name}?", f"The {name} that is {colour} is here.", f"No {name}.")
    for name in NAMES
    for colour in COLOURS
]
DROPPING = {
    "bert": {"hidden_dropout_prob": 0.2, "attention_probs_dropout_prob": 0.1},
    "rope_encoder": {"dropout": 0.0, "context_window": 40, "use_temperature": True},
}
SIZES = {family: SMALL[family] | changes for family, changes in DROPPING.items()}
# By name: the data, and how one process learns from it as two do.
RUNS = {
    "masked-lm": (TEXTS, "bert", {"mask_prob": 0.2}, {"gradient_accumulation_steps": 2}),
    "contrastive": (PAIRS, "rope_encoder", {}, {"batch_size": 12}),
}


def settings(name, folder):
    data, family, own, _ = RUNS[name]
    usual = {"epochs": 2, "batch_size": 6, "learning_rate": 1e-2, "validation_split": 0}
    beginning = {"family": family, "tokenizer": folder / family, "model_config": SIZES[family]}
    return data, usual | beginning | own | {"objective": name}


class Noted(loop.Listener):
    def __init__(self):
        self.losses = []

    def taken(self, taken):
        self.losses.append([taken.loss, taken.gradient_norm])


def trajectory(name, folder, **changes):
    """The losses of a run in float64, the lengths of its gradients, and its tensors."""
    data, given = settings(name, folder)
    run, noted = prepare(data, **given | changes), Noted()
    first = run.start.first(run.config, run.architecture, run.settings.seed)
    subject = learner(
        "torch", run.config, run.architecture, first, run.settings.adamw, "float64"
    )
    rates, clip = run.settings.rates, run.settings.clip
    outcome = loop.fit(subject, run.plan, rates, clip, listener=noted, seed=1)
    return outcome.tensors | {"losses": np.array(noted.losses)}


def short(folder, **changes):
    """The arguments of a run that is written to a folder."""
    data, given = settings("masked-lm", folder)
    more = {"validation_split": 0.1, "checkpoint_steps": 2, "epochs": 3}
    return {"data": data, **given, **more, **changes}


def refused(message, action):
    try:
        action()
    except InputError as error:
        assert message in str(error), error
    else:
        raise AssertionError(f"not refused: {message}")


def alike(folder):
    """Everything that two processes do that end well."""
    for name in RUNS:
        np.savez(folder / f"{name}-{ranks.rank()}.npz", **trajectory(name, folder))
    model = fit(**short(folder), output=folder / "whole", show_progress=True)
    np.savez(folder / f"whole-{ranks.rank()}.npz", **model._model.state())
    other = short(folder) | {"data": TEXTS[ranks.rank() :]}
    refused("must be given the same, but texts is", lambda: fit(**other, output=folder / "no"))
    for backend in ("mlx", "candle"):
        wanted = short(folder, backend=backend)
        refused(f"{backend} trains in one process, and torchrun", lambda w=wanted: prepare(**w))
    refused("'cuda' gives each a GPU", lambda: prepare(**short(folder, device="cuda:7")))
    refused("It begins in batch 2 of the step's 2, with", lambda: come_apart(folder))


def come_apart(folder):
    """A place that only the second process's text reaches has no vector."""
    run = prepare(**short(folder, batch_size=1))
    first = run.start.first(run.config, run.architecture, 0)
    lengths = [[len(make().inputs.input_ids) for make in step.batches] for step in run.plan]
    number = next(number for number, (one, other) in enumerate(lengths) if one < other)
    first["bert.embeddings.position_embeddings.weight"][lengths[number][0]] = np.nan
    subject = learner("torch", run.config, run.architecture, first, run.settings.adamw)
    where = partial(origin, subject.model, run.architecture, run.config)
    loop.fit(subject, [run.plan[number]], run.settings.rates, None, origin=where)


def killed(folder):
    """The second process is killed in a step."""
    plain, calls = loop.accumulate, 0

    def accumulate(*arguments):
        nonlocal calls
        calls += 1
        if calls == 4 and ranks.rank() == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return plain(*arguments)

    loop.accumulate = accumulate
    fit(**short(folder), output=folder / "killed")


if __name__ == "__main__":
    {"alike": alike, "killed": killed}[sys.argv[1]](Path(sys.argv[2]))
