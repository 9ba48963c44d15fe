"""python -m reference train: a model of one's own, or one of the package's by its recipe."""

from __future__ import annotations

import argparse
import tomllib
import warnings
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from reference import ranks
from reference.arguments import explain
from reference.commands.options import add_place
from reference.errors import InputError, shortened
from reference.files import is_file
from reference.training import command as recipes
from reference.training.objectives import OBJECTIVES
from reference.training.settings import Settings, check_known

# What `fit` is told besides settings, by the name of its argument; "corpus" is its data.
PLACES = ("output", "objective", "corpus", "validation", "model", "family", "tokenizer")
TABLES = ("model_config", "columns")  # of a TOML file; on the line, options of key=value
ELSEWHERE = ("backend", "device")
# Of a recipe, and of these only.
OF_RECIPES = ("task", "texts", "vocab_size", "hidden_size", "layers")
SHARED = ("corpus", "epochs", "seed", "checkpoint_steps", "resume", "backend", "device")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    explain(
        parser,
        "Train a model. With --objective it learns from a corpus of yours, from a checkpoint "
        "on (--model) or anew (--family and --tokenizer), and is written to --output with its "
        "settings, scores and logs. All options may stand in a TOML file as well, under their "
        "names with _ for -; those on the line win. Without an objective, FOLDER and --task "
        "run a recipe of the package: from the documentation of installed packages it makes "
        "the small ModernBERT, in about an hour on two cores, one of the heads on it, in about "
        "ten minutes, or of it a model for search, in about an hour. Under torchrun several "
        "processes train one model of your own with PyTorch, with --device cuda on a GPU each: "
        "a step has --gradient-accumulation-steps batches from each of them, and a batch of "
        "pairs is so many times as large.",
        "python -m reference train --objective masked-lm --corpus sentences.txt "
        "--family rope_encoder --tokenizer my-tokenizer --output my-model",
        "python -m reference train --objective masked-lm --corpus sentences.txt "
        "--model my-model --output my-second --epochs 1 --dry-run",
        "python -m reference train --config run.toml --learning-rate 1e-4",
        "torchrun --nproc-per-node 2 -m reference train --config run.toml --backend torch",
        "python -m reference train my-modernbert --epochs 1 --layers 2 --hidden-size 48",
        "python -m reference train my-classifier --task packages --texts 20 --epochs 1",
    )
    recipes.add_arguments(parser.add_argument_group("recipes"))
    own = parser.add_argument_group("a model of your own")
    own.add_argument(
        "--objective",
        choices=OBJECTIVES,
        help="what is learned",
    )
    for option, metavar, what in (
        ("--output", "FOLDER", "a new folder, where the model goes"),
        (
            "--corpus",
            "FILE",
            "what is learned from: text, one sentence a line, or what the objective takes; the "
            "folder of a Hugging Face dataset; a recipe reads installed docstrings by default",
        ),
        ("--validation", "FILE", "what the model is scored on, instead of a share of it"),
        ("--model", "MODEL", "a folder or a hub id, to go on from"),
        ("--family", "NAME", "begin anew with a model of this family"),
        ("--tokenizer", "FOLDER", "of the new model; train-tokenizer makes one"),
        ("--config", "FILE", "a TOML file with options"),
    ):
        own.add_argument(option, metavar=metavar, help=what)
    for option, what in (
        ("--set", "a key of the new model's config.json, such as num_layers=2"),
        ("--columns", "which column of a dataset is what, such as text=sentence"),
    ):
        own.add_argument(option, nargs="+", metavar="KEY=VALUE", help=what)
    own.add_argument(
        "--dry-run",
        action="store_true",
        help="say what would be trained and how long it would take, and write nothing",
    )
    place = parser.add_argument_group("where")
    add_place(place)
    parser.set_defaults(backend=None)  # which a TOML file may name
    epochs = {recipes.MASKED_LM: recipes.Recipe.epochs} | {
        task: recipe.epochs for task, recipe in recipes.RECIPES.items()
    }
    how = parser.add_argument_group(
        "how",
        "A recipe takes --epochs, --seed, --checkpoint-steps and --resume of these. Its own "
        f"epochs are {', '.join(f'{number} for {task}' for task, number in epochs.items())}.",
    )
    how.add_argument(
        "--resume",
        action="store_true",
        help="go on with a run that was ended, with the options that it was begun with",
    )
    _add_settings(how, Settings, set())
    known = {item.name for item in fields(Settings)}
    for name, kind in OBJECTIVES.items():
        if any(item.name not in known for item in fields(kind)):
            _add_settings(parser.add_argument_group(f"--objective {name}"), kind, known)


def _add_settings(group: Any, kind: type, known: set[str]) -> None:
    """An option for each field of a dataclass that there is none for yet."""
    for item in fields(kind):
        if item.name in known:
            continue
        known.add(item.name)
        what = item.metadata.get("help", "")
        if item.default not in (None, MISSING):
            what = f"{what}{'; ' if what else ''}default {item.default}".replace("%", "%%")
        group.add_argument(_option(item.name), type=value_of, metavar="X", help=what)


def main(options: argparse.Namespace) -> int:
    """Run a recipe, or train what the options and the TOML file say."""
    given = {name: value for name, value in vars(options).items() if _is_given(value)}
    if options.folder is not None or set(given) & set(OF_RECIPES):
        return _recipe(options, given)
    if not ranks.is_first():
        warnings.simplefilter("ignore")  # the first process says it
    arguments = _arguments(options, given)
    output, corpus = arguments.pop("output", None), arguments.pop("corpus", None)
    for name, value, what in (
        ("objective", arguments.get("objective"), f"one of {', '.join(OBJECTIVES)}"),
        ("corpus", corpus, "what is learned from"),
        ("output", output, "a folder for the model"),
    ):
        if value is None and not (name == "output" and options.dry_run):
            raise InputError(
                f"--{name} is missing, {what}; or name a FOLDER alone, for the recipe of the "
                "small ModernBERT"
            )
    from reference.training.fitting import prepare
    from reference.training.run import check_output

    if output is not None:
        check_output(output, options.resume)
    if "validation" in arguments:
        arguments["validation"] = data_of(arguments["validation"])
    run = prepare(data_of(corpus), **arguments)
    if options.dry_run:
        estimate = run.estimate()
        if ranks.is_first():
            print(f"{run.objective.name} from {run.start.name}: {estimate}")
        return 0
    run.train(output, options.resume, show_progress=True)
    return 0


def _is_given(value: Any) -> bool:
    return value is not None and value is not False


def _recipe(options: argparse.Namespace, given: Mapping[str, Any]) -> int:
    odd = [n for n in given if n not in (*OF_RECIPES, *SHARED, "folder", "run")]
    if odd or options.folder is None:
        first = next(name for name in (*OF_RECIPES, "folder") if name in given)
        other = _option(odd[0]) if odd else "a FOLDER in front"
        of_recipe = "FOLDER" if first == "folder" else _option(first)
        raise InputError(
            f"{of_recipe} belongs to a recipe, which "
            + (f"has no {other}" if odd else f"needs {other}")
            + "; a model of your own has --objective, --corpus and --output"
        )
    options.task = options.task or recipes.MASKED_LM
    options.backend = options.backend or "torch"
    if options.checkpoint_steps is None:
        options.checkpoint_steps = Settings.checkpoint_steps
    return recipes.main(options)


def _arguments(options: argparse.Namespace, given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `fit`: those of the TOML file, and over them those on the line."""
    arguments = {} if options.config is None else read_toml(options.config)
    # A model on the line takes the place of a new one in the file, and the other way round.
    instead = {"model": ("family", "tokenizer", "model_config"), "family": ("model",)}
    for named, others in instead.items():
        if named in given:
            arguments = {n: value for n, value in arguments.items() if n not in others}
    for name in (*PLACES, *ELSEWHERE, *_settings()):
        if name in given:
            arguments[name] = None if given[name] is NONE else given[name]
    for name, pairs in (("model_config", options.set), ("columns", options.columns)):
        if pairs is not None:
            arguments[name] = {**arguments.get(name, {}), **_pairs(pairs)}
    return arguments


def read_toml(file: str) -> dict[str, Any]:
    """The options of a TOML file; a key that is none is refused."""
    path = Path(file)
    if not is_file(path):
        raise InputError(f"{file} cannot be read: there is no such file")
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise InputError(f"{file} is not a TOML file: {shortened(problem)}") from None
    check_known(found, [*PLACES, *ELSEWHERE, *TABLES, *_settings()], file)
    for name, value in found.items():
        if name in TABLES and not isinstance(value, dict):
            raise InputError(f"{file}: {name} must be a table")
    for name in (*PLACES, *ELSEWHERE):
        if name in found and not isinstance(found[name], str):
            raise InputError(f"{file}: {name} is {found[name]!r:.80}; it must be a string")
    return {name: None if value == "none" else value for name, value in found.items()}


def _settings() -> list[str]:
    kinds = (Settings, *OBJECTIVES.values())
    return list(dict.fromkeys(item.name for kind in kinds for item in fields(kind)))


class _None:
    """ "none" on the line, which is not the same as an option that was not given."""

    def __repr__(self) -> str:
        return "none"


NONE = _None()


def value_of(text: str) -> Any:
    """A value as TOML would have it, a word without its quotes."""
    if text == "none":
        return NONE
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, KeyError):
        return text


def _pairs(pairs: list[str]) -> dict[str, Any]:
    found = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise InputError(f"{pair!r:.80} is no KEY=VALUE")
        value = value_of(value)
        found[key] = None if value is NONE else value
    return found


def data_of(corpus: str) -> Any:
    """A file by its name, or the dataset that `datasets` has saved in a folder."""
    if not Path(corpus).is_dir():
        return corpus
    try:
        import datasets
    except ImportError:
        raise InputError(
            f"{corpus} is a folder; to read a Hugging Face dataset from it, install datasets"
        ) from None
    try:
        found = datasets.load_from_disk(corpus)
    except (OSError, ValueError) as problem:
        raise InputError(
            f"{corpus} is a folder, but no dataset that was saved with save_to_disk: "
            f"{shortened(problem)}"
        ) from None
    return found["train"] if isinstance(found, dict) and "train" in found else found


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
