"""Calls of the three frameworks in listings lead to their rows of the dictionary.

Here they are found and marked, the rows are written into a script that the pages load, and in
the dictionary each row becomes a target; book/_static/calls.js shows a row beside its call.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from built_pages import write_data
from docutils import nodes
from sphinx.application import Sphinx

PAGE = Path(__file__).parents[1] / "dictionary.md"
NAME = "book/dictionary"
SCRIPT = "dictionary_rows.js"
ROW = re.compile(r"^\| `(.+?)` \| `(.+?)` \| `(.+?)` \|$", re.MULTILINE)
FRAMEWORKS = ("torch", "mlx", "candle")
# By the beginning of a listing's path. What the ports share calls no framework.
PATHS = {"reference/torch/": 0, "reference/mlx/": 1, "rust_ports/": 2}
MOST = 3  # rows for one call; the first are those about it

# A method, `.where_cond(`, or a function of a framework's module, with what it is called on.
CALL = re.compile(
    r"(?P<module>(?:\b(?:torch|mx|nn|F|np|optimizers|candle_nn|Tensor|VarBuilder|AdamW)"
    r"(?:(?:\.|::)\w+)*?)?)(?P<dot>\.|::)(?P<name>[A-Za-z_]\w*)(?P<open>(?:::<[^()]*>)?\()"
)
# The same word means something else elsewhere: a layer's forward, a dictionary's items.
ELSEWHERE = {"forward", "get", "unwrap", "lock", "data", "items", "parameters", "i", "max"}
TOKEN = re.compile(r"<[^>]+>|&[^;]+;|[^<&]+")
SILENT = re.compile(r'class="(?:c\d?|cm|s\w*|l\w*)"')  # comments and strings


@dataclass(frozen=True)
class Call:
    """A call in a text: where its name begins, the name, and under what name it is known."""

    at: int
    name: str
    known: str


def calls(code: str, framework: int) -> Iterator[Call]:
    for found in CALL.finditer(code):
        name, module = found["name"], found["module"]
        if name in ELSEWHERE or (found["dot"] == "::" and not module):
            continue
        # In Rust a number has methods of the same names, which cannot fail.
        if framework == 2 and "_" not in name and not module and not _may_fail(code, found):
            continue
        module = module.replace("torch.nn", "nn").replace("nn.functional", "F")
        yield Call(found.start("name"), name, f"{module}{found['dot']}{name}")


def _may_fail(code: str, call: re.Match[str]) -> bool:
    depth = 1
    for at in range(call.end(), len(code)):
        depth += {"(": 1, ")": -1}.get(code[at], 0)
        if not depth:
            return code[at + 1 : at + 2] == "?"
    return False


@cache
def rows() -> tuple[tuple[str, str, str], ...]:
    return tuple(ROW.findall(PAGE.read_text(encoding="utf-8")))


@cache
def known() -> tuple[dict[str, list[int]], ...]:
    """For each framework, the rows in which a call occurs: first those that are about it, where
    it is done last of all, then those in which it only helps."""
    found: tuple[dict[str, list[tuple[int, int]]], ...] = ({}, {}, {})
    for number, row in enumerate(rows()):
        for framework, cell in enumerate(row):
            inside = list(calls(cell, framework))
            for call in inside:
                helps = int(call is not _last(inside, cell))
                found[framework].setdefault(call.known, []).append((helps, number))
    return tuple(
        {
            call: [number for _, number in sorted(set(places))][:MOST]
            for call, places in of_one.items()
        }
        for of_one in found
    )


def _last(inside: list[Call], cell: str) -> Call | None:
    """The call that is done last: the last one outside of all brackets."""
    outside = [call for call in inside if not _depth(cell[: call.at])]
    return outside[-1] if outside else None


def _depth(text: str) -> int:
    return text.count("(") + text.count("[") - text.count(")") - text.count("]")


def anchor(row: tuple[str, str, str]) -> str:
    return "row-" + re.sub(r"[\W_]+", "-", row[0]).strip("-").lower()


def mark(code: str, path: str) -> str:
    """Highlighted code with its calls marked by the numbers of their rows."""
    framework = next((PATHS[start] for start in PATHS if path.startswith(start)), None)
    if framework is None:
        return code
    silent, text = _text(code)
    places = {
        call.at: call
        for call in calls(text, framework)
        if call.known in known()[framework] and not silent[call.at]
    }
    marked, at = [], 0
    for token in TOKEN.findall(code):
        if token.startswith("<"):
            marked.append(token)
            continue
        call = places.get(at)
        at += len(html.unescape(token))
        if call and token == call.name:
            numbers = " ".join(map(str, known()[framework][call.known]))
            token = f'<span class="call" data-rows="{numbers}">{token}</span>'
        marked.append(token)
    return "".join(marked)


def _text(code: str) -> tuple[list[bool], str]:
    """The text, and of every letter whether it stands in a comment or a string."""
    silent, text, inside = [], "", False
    for token in TOKEN.findall(code):
        if token.startswith("<"):
            inside = bool(SILENT.search(token))
        else:
            plain = html.unescape(token)
            silent += [inside] * len(plain)
            text += plain
    return silent, text


def write_rows(app: Sphinx) -> None:
    if app.builder.format != "html":
        return
    folder = Path(app.outdir) / "_static"
    folder.mkdir(parents=True, exist_ok=True)
    write_data(app, SCRIPT, "rows", [[*row, anchor(row)] for row in rows()])


def name_rows(app: Sphinx, tree: nodes.document, name: str) -> None:
    """In the dictionary each row is a target."""
    if name != NAME:
        return
    anchors = iter([anchor(row) for row in rows()])
    for body in tree.findall(nodes.tbody):
        for row in body.findall(nodes.row):
            row["ids"].append(next(anchors))


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", write_rows)
    app.connect("doctree-resolved", name_rows)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
