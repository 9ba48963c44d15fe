"""A case is a JSON object: what to do, to which seed. It is all that is kept of a finding.

{"seed": "BertModel", "edits": [...], "pipeline": null}            damage to a folder (edits.py)
{"seed": "BertModel", "call": "forward", "arguments": {...}}       arguments (calls.py)
{"seed": "BertModel", "command": ["info", "{folder}"], "stdin": ""}      a command line
"""

import hashlib
import json
import random
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from reference.families import ARCHITECTURES
from tests.fuzz.calls import draw_call, judge_call
from tests.fuzz.command_lines import draw_command, judge_command
from tests.fuzz.draw_edits import draw_edits
from tests.fuzz.judge import judge_folder
from tests.fuzz.seeds import LAYOUTS, make_seed

Case = dict[str, Any]
SEEDS = (
    *(name for name in ARCHITECTURES if name != "CamembertForMultipleChoice"),
    *(f"{prefix}Model {layout}" for prefix in ("Bert", "DistilBert") for layout in LAYOUTS[1:]),
)
BASES = tuple(name for name in SEEDS if name.partition(" ")[0].endswith("Model"))


def draw_case(rng: random.Random) -> Case:
    """Mostly damage, to folders that embed mostly: they have the most files."""
    seed = rng.choice(BASES if rng.random() < 0.7 else SEEDS)
    kind = rng.random()
    if kind < 0.6:
        pipeline = rng.choice([None] * 8 + ["embeddings", "masked-lm"])
        edits = draw_edits(rng, seed_folder(seed))
        return {"seed": seed, "pipeline": pipeline, "edits": edits}
    return {"seed": seed} | (draw_call(rng, seed) if kind < 0.9 else draw_command(rng))


def judge(case: Case) -> list[str]:
    """What is wrong with what comes of the case; nothing, if all is well."""
    if "call" in case:
        return judge_call(seed_folder(case["seed"]), case["call"], case["arguments"])
    with tempfile.TemporaryDirectory(prefix="fuzz.") as place:
        folder = Path(place) / "model"
        shutil.copytree(seed_folder(case["seed"]), folder)
        if "command" in case:
            return judge_command(folder, case["command"], case.get("stdin", ""))
        return judge_folder(folder, case["edits"], case.get("pipeline"))


@cache
def seed_folder(name: str) -> Path:
    return make_seed(name, Path(_seeds().name) / name.replace(" ", "-"))


@cache
def _seeds() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="fuzz.seeds.")  # gone with the process


def name_of(case: Case) -> str:
    content = json.dumps(case, sort_keys=True)
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:10]
