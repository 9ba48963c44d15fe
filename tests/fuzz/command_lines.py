"""Command lines: every option with sound and odd values, in an order of any kind. {folder} is a
model's folder, {here} the one around it."""

import contextlib
import io
import random
import sys
from pathlib import Path
from unittest import mock

from reference.__main__ import main
from tests.fuzz.judge import LONGEST_MESSAGE, attempt

ODD = (
    "", " ", "-", "--", "-1", "0", "1", "2", "1e9", "99999999999999999999", "nan", "x", "é",
    "\udc80", "x" * 3000, "{folder}", "{here}", "{here}/new.json", "{here}/new.npy",
    "{here}/no/such.txt", "{folder}/config.json", "{folder}/model.safetensors", "/dev/null",
    "/dev/full", "/proc/self/mem", "~nobody", "a/b", "a/b/c", "../..", "torch", "mlx", "candle",
    "jax", "float64", "float16", "int8", "none", "embeddings", "os:getcwd", "json", "npy",
    "text",
)  # fmt: skip
SHARED = (
    "--file --model --revision --backend --device --dtype --batch-size --progress --format "
    "--output"
).split()
OPTIONS = {
    "embed": [*SHARED, "--normalize"],
    "similar": [*SHARED, "--to", "--to-file"],
    "detect": [*SHARED, "--span", "--by", "--top-k"],
    "info": "--revision --families --json --format".split(),
    "parity": "--backends --dtype --texts --port --json --format --output --revision".split(),
}
TEXTS = [
    "the cat",
    "a",
    "",
    "the [[cat]]",
    "]][[",
    "Über",
    "-x",
    "x" * 3000,
    "\udc80",
    "the\ncat",
]
INPUTS = ["", "the cat\n", "\n\n", "a\r\nb", "\udc80\n", "\ufeffthe\n", "the " * 500]


def draw_command(rng: random.Random) -> dict[str, object]:
    name = rng.choice(
        ["embed", "embed", "similar", "similar", "info", rng.choice([*OPTIONS, "", "x"])]
    )
    words = [name]
    if name in ("embed", "similar", "detect"):
        words += [rng.choice(TEXTS) for _ in range(rng.choice([0, 1, 2]))]
        words += ["--model", "{folder}"]
    if name in ("info", "parity"):
        words.append("{folder}")
    if name == "similar" and rng.random() < 0.8:
        words += ["--to", rng.choice(TEXTS)]
    for _ in range(rng.choice([0, 1, 1, 2, 3])):
        words.append(rng.choice(OPTIONS.get(name, ["--x"])))
        if rng.random() < 0.9:
            words.append(rng.choice(ODD))
    if rng.random() < 0.2:
        words.insert(rng.randrange(len(words) + 1), rng.choice(ODD))
    return {"command": words, "stdin": rng.choice(INPUTS)}


def judge_command(folder: Path, command: list[str], stdin: str) -> list[str]:
    """It ends with 0, 1 or 2, and says what was wrong in a few lines."""
    complaints: list[str] = []
    places = {"{folder}": str(folder), "{here}": str(folder.parent)}
    words = [place_in(word, places) for word in command]
    given = io.TextIOWrapper(io.BytesIO(stdin.encode("utf-8", "surrogateescape")))
    err = io.StringIO()
    with (
        (folder.parent / "stdout").open("w", encoding="utf-8") as out,
        mock.patch.object(sys, "stdin", given),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        status = attempt(complaints, lambda: _status(words))
    said = err.getvalue()
    if status not in (0, 1, 2, None):
        complaints.append(f"the exit status is {status!r:.80}")
    if "Traceback" in said:
        complaints.append(f"a traceback: {said[-300:]}")
    longest = max((line for line in said.splitlines()), key=len, default="")
    if status == 2 and len(longest) > LONGEST_MESSAGE + max(map(len, words)):
        complaints.append(f"a message of {len(longest)} characters: {longest:.200}")
    return complaints


def place_in(word: str, places: dict[str, str]) -> str:
    for name, path in places.items():
        word = word.replace(name, path)
    return word


def _status(words: list[str]) -> int | str | None:
    try:
        return main(words)
    except SystemExit as end:  # argparse's
        return end.code
