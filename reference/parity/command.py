"""`python -m reference parity`: a comparison from the command line."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reference.arguments import add_model
from reference.backend import BACKENDS
from reference.checks import check_names
from reference.errors import EncodersError, InputError
from reference.files import check_target, write_result
from reference.parity import compare


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Hold the ports against Transformers in float64 on one checkpoint: every hidden state, "
        "output, loss and gradient. The exit status is 1 where one of them is off by more than "
        "twice Transformers' own rounding."
    )
    add_model(parser)
    parser.add_argument(
        "--backends",
        nargs="+",
        metavar="NAME",
        help=f"one or more of {', '.join(BACKENDS)} (default all; none beside --port)",
    )
    parser.add_argument(
        "--dtype", default="float32", help="float32 (the default), float64, float16 or bfloat16"
    )
    parser.add_argument(
        "--layers", action="store_true", help="list every tensor, not the worst of each kind"
    )
    parser.add_argument(
        "--port",
        metavar="MODULE:CALLABLE",
        help="an implementation of your own: (input_ids, attention_mask, token_type_ids) -> "
        "dict of NumPy arrays",
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

    report = compare(options.model, backends, options.dtype, port=port)
    print(report.table(options.layers), flush=True)
    if target is not None:
        write_result(target, report.to_json().encode())
    return 0 if report.passed else 1


def find_port(name: str) -> Callable[..., Any]:
    """The callable that `module:callable` names; modules of the current folder are found
    too."""
    module_name, colon, path = name.partition(":")
    if not (module_name and colon and path):
        raise InputError(
            f"--port is {name!r}; it must be module:callable, as in my_port:forward"
        )
    sys.path.insert(0, str(Path.cwd()))
    try:
        found: Any = importlib.import_module(module_name)
    except EncodersError:
        raise
    except Exception as problem:
        raise InputError(
            f"--port: importing {module_name} raised {type(problem).__name__}: {problem}"
        ) from problem
    finally:
        sys.path.pop(0)
    for attribute in path.split("."):
        if not hasattr(found, attribute):
            raise InputError(f"--port: {module_name} has no {path}")
        found = getattr(found, attribute)
    if not callable(found):
        raise InputError(f"--port: {name} is a {type(found).__name__}; it must be callable")
    return found
