"""`python -m reference parity`: a comparison from the command line."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any

from reference.arguments import add_model, explain
from reference.backend import BACKENDS
from reference.checkpoint import SMALL_MODERNBERT
from reference.checks import check_names, check_whole
from reference.errors import EncodersError, InputError, told
from reference.files import check_target, read_lines, write_result
from reference.parity import Report, compare, compare_training


def add_arguments(parser: argparse.ArgumentParser) -> None:
    explain(
        parser,
        "Hold the ports against Transformers in float64 on one checkpoint: every hidden state, "
        "output, loss and gradient. The exit status is 1 where one of them is off by more than "
        "twice Transformers' own rounding.",
        "python -m reference parity --backends torch candle",
        f"python -m reference parity {SMALL_MODERNBERT} --layers --json report.json",
        f"python -m reference parity {SMALL_MODERNBERT} --training 10",
    )
    add_model(parser)
    parser.add_argument(
        "--backends",
        nargs="+",
        metavar="NAME",
        help=f"one or more of {', '.join(BACKENDS)} (default all; none beside --port)",
    )
    parser.add_argument(
        "--dtype",
        default="float32",
        help="float32 (the default), float64, float16, bfloat16 or int8",
    )
    parser.add_argument(
        "--layers", action="store_true", help="list every tensor, not the worst of each kind"
    )
    parser.add_argument(
        "--port",
        metavar="MODULE:CALLABLE",
        help="an implementation of your own: (input_ids, attention_mask, token_type_ids) -> "
        "dict of NumPy arrays; what it prints goes to standard error. It runs in this process, "
        "and can end it: one that may crash goes through reference.parity.elsewhere",
    )
    parser.add_argument(
        "--texts", metavar="FILE", help="what to run: texts, one a line (- is standard input)"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="of the random labels, and of the random ids where the folder has no tokenizer",
    )
    parser.add_argument(
        "--training",
        type=int,
        metavar="STEPS",
        help="train the model's head for so many steps instead, on random batches, and compare "
        "the loss of each",
    )
    parser.add_argument(
        "--dropout",
        type=int,
        metavar="SEED",
        help="train with dropout, at the rates of the model's configuration and by draws of "
        "this seed",
    )
    parser.add_argument("--json", metavar="FILE", help="write every number to FILE as well")


def main(options: argparse.Namespace) -> int:
    """Print the report; 0 where all passed, 1 where something did not."""
    port = None if options.port is None else find_port(options.port)
    chosen = (
        options.backends if options.backends is not None else BACKENDS if port is None else ()
    )
    backends = check_names(chosen, BACKENDS, "backend")
    target = None if options.json is None else check_target(options.json, "--json")

    if options.training is not None:
        report = _of_training(options, backends)
    else:
        if options.dropout is not None:
            raise InputError("--dropout goes with --training only")
        texts = None if options.texts is None else list(read_lines(options.texts, "--texts"))
        report = compare(
            options.model, backends, options.dtype, texts=texts, port=port, seed=options.seed
        )
    print(report.table(options.layers), flush=True)
    if target is not None:
        write_result(target, report.to_json().encode())
    return 0 if report.passed else 1


def _of_training(options: argparse.Namespace, backends: Sequence[str]) -> Report:
    for name in ("port", "texts"):
        if getattr(options, name) is not None:
            raise InputError(f"--{name} does not go with --training")
    steps = check_whole("--training", options.training, 1)
    return compare_training(
        options.model,
        backends,
        options.dtype,
        steps=steps,
        seed=options.seed,
        dropout=options.dropout,
    )


def find_port(name: str) -> Callable[..., Any]:
    """The callable that `module:callable` names; modules of the current folder are found
    too."""
    module_name, colon, path = name.partition(":")
    if not (module_name and colon and path):
        raise InputError(
            f"--port is {name!r:.80}; it must be module:callable, as in my_port:forward"
        )
    found: Any = _imported(module_name)
    for attribute in path.split("."):
        if not hasattr(found, attribute):
            raise InputError(f"--port: {module_name} has no {path}")
        found = getattr(found, attribute)
    if not callable(found):
        raise InputError(f"--port: {name} is a {type(found).__name__}; it must be callable")
    return _printing_elsewhere(found)


def _imported(name: str) -> ModuleType:
    sys.path.insert(0, str(Path.cwd()))
    try:
        return _printing_elsewhere(importlib.import_module)(name)
    except (EncodersError, KeyboardInterrupt):
        raise
    except BaseException as problem:  # sys.exit is no Exception
        raise InputError(f"--port: importing {name:.80} {told(problem)}") from problem
    finally:
        sys.path.pop(0)


def _printing_elsewhere(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, whose prints do not get between the lines of the report."""

    @wraps(function)
    def quiet(*arguments: Any, **options: Any) -> Any:
        with contextlib.redirect_stdout(sys.stderr):
            return function(*arguments, **options)

    return quiet
