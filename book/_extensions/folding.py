"""What of a long listing a first reading can do without, language by language: where a class
takes its parts, how wrong input is refused, what is only noted down for a trace, and where a
kernel gives the result of the plain form below it.

Never what computes and stands nowhere else. A statement is folded whole or not at all: a
constructor or the fields of a type; an `if` that does nothing but refuse; a call of a check
whose result nobody takes; a call of `note` that hands on what it was given under the same name;
an `if` that asks for a fast form and returns what it gives. The last is folded in a short
listing too, so that the plain form is what one sees.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

LONG = 30  # lines; of a listing that has no more, only a fast form is folded
FAST = "fast form"
FEWEST = 2  # a button takes a line itself

# Methods by which a class does its work. A class without one is no layer, and shown whole.
WORK = {"forward", "__call__", "encode"}
CHECK = re.compile(r"_?check(_\w+)?")
# An item of an impl block, and one in which a layer takes its parts.
METHOD = re.compile(r" {4}(?:pub(?:\([^)]*\))? )?fn (\w+)")
MAKERS = {"new", "build"}
FIELDS = re.compile(r"(?:pub(?:\([^)]*\))? )?struct \w+.*\{$")
REFUSAL = re.compile(r"return Err\(.*\);", re.DOTALL)
STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
RUST_CHECK = re.compile(r"(?:\w+::)*check(?:_\w+)?\(.*\)\?;", re.DOTALL)
RUST_ASKS = re.compile(r"\b(?:wanted|joined|available)\(")
RUST_FAST = re.compile(r"(?:let [^;]*; )*return .*;", re.DOTALL)
RUST_NOTE = re.compile(r"(?:let )?(\w+) = (?:\w+::)*note\((.*), (\w+),? ?\);", re.DOTALL)


@dataclass(frozen=True)
class Fold:
    """Lines that are folded, counted from 0, the last included, and what they are."""

    first: int
    last: int
    what: str


def folds(text: str, language: str) -> list[Fold]:
    """The folds of a listing, in its order."""
    lines = text.removesuffix("\n").split("\n")
    found = sorted(_python(text) if language == "python" else _rust(lines), key=_first)
    if len(lines) <= LONG:
        found = [fold for fold in found if fold.what == FAST]
    return [fold for fold in _joined(found, lines) if fold.last - fold.first + 1 >= FEWEST]


def _first(fold: Fold) -> int:
    return fold.first


def _joined(found: list[Fold], lines: list[str]) -> list[Fold]:
    """Folds of one kind that only blank lines part become one."""
    joined: list[Fold] = []
    for fold in found:
        before = joined[-1] if joined else None
        if (
            before
            and before.what == fold.what
            and not any(line.strip() for line in lines[before.last + 1 : fold.first])
        ):
            joined[-1] = Fold(before.first, fold.last, fold.what)
        else:
            joined.append(fold)
    return joined


def _python(text: str) -> Iterator[Fold]:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield from _constructors(node)
    constructors = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name == "__init__"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.stmt) or id(node) in constructors:
            continue
        if _checks(node):
            yield _fold(node, "checks")
        elif _fast(node):
            yield _fold(node, FAST)


def _constructors(node: ast.ClassDef) -> Iterator[Fold]:
    methods = [inner for inner in node.body if isinstance(inner, ast.FunctionDef)]
    if WORK & {method.name for method in methods}:
        yield from (
            _fold(method, "__init__") for method in methods if method.name == "__init__"
        )


def _checks(node: ast.stmt) -> bool:
    """Whether a statement does nothing but refuse."""
    match node:
        case ast.Raise():
            return False  # it goes with its condition, or is all that a branch does
        case ast.If(body=body, orelse=[]):
            return all(isinstance(inner, ast.Raise) for inner in body)
        case ast.Assert():
            return True
        case ast.Expr(value=ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name))):
            return bool(CHECK.fullmatch(name))
    return False


def _fast(node: ast.stmt) -> bool:
    """Whether a statement asks for a fast form and returns what it gives, and no more."""
    match node:
        case ast.If(body=[ast.Return(value=ast.Call() as given)], orelse=[]):
            return _of_fused(given) and any(map(_of_fused, ast.walk(node.test)))
    return False


def _of_fused(node: ast.AST) -> bool:
    """Whether this calls a function of the module of fast forms."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="fused"))):
            return True
    return False


def _fold(node: ast.stmt, what: str) -> Fold:
    decorators = [each.lineno for each in getattr(node, "decorator_list", [])]
    return Fold(min([node.lineno, *decorators]) - 1, node.end_lineno - 1, what)


def _rust(lines: list[str]) -> Iterator[Fold]:
    """By the lines that rustfmt has laid out: an item or a statement ends where a line at its
    margin closes it."""
    makers: list[Fold] = []
    layers = any((found := METHOD.match(line)) and found[1] in WORK for line in lines)
    for number, line in enumerate(lines):
        if layers and FIELDS.fullmatch(line):
            end = _end(lines, number)
            yield Fold(number + 1, end - 1, "fields")
        elif layers and (found := METHOD.match(line)) and found[1] in MAKERS:
            makers.append(Fold(_with_comments(lines, number), _end(lines, number), found[1]))
    yield from makers
    number = 0
    while number < len(lines):
        inside = any(fold.first <= number <= fold.last for fold in makers)
        end = None if inside else _rust_check(lines, number)
        if end is not None:
            yield Fold(number, end[0], end[1])
            number = end[0]
        number += 1


def _rust_check(lines: list[str], first: int) -> tuple[int, str] | None:
    """Where the statement that begins in a line ends, if it does nothing but refuse, note, or
    return what a kernel gives."""
    line = lines[first].strip()
    if line.startswith("if ") and not _continues(lines, first):
        opening = next((n for n in range(first, len(lines)) if lines[n].endswith("{")), None)
        if opening is None or not _same(lines, first, opening):
            return None
        end = _end(lines, opening, _margin(lines[first]))
        body = " ".join(inner.strip() for inner in lines[opening + 1 : end])
        if lines[end].strip() != "}":
            return None
        if _refuses(body):
            return end, "checks"
        asks = any(map(RUST_ASKS.search, lines[first : opening + 1]))
        fast = asks and "kernels::" in body and RUST_FAST.fullmatch(body)
        return (end, FAST) if fast else None
    if re.match(r"(?:\w+::)*check(?:_\w+)?\(", line) or (" = " in line and "note(" in line):
        end = _end_of_statement(lines, first)
        statement = " ".join(inner.strip() for inner in lines[first : end + 1])
        if RUST_CHECK.fullmatch(statement):
            return end, "checks"
        noted = RUST_NOTE.fullmatch(statement)
        if noted and noted[1] == noted[3]:
            return end, "tracing"
    return None


def _refuses(body: str) -> bool:
    """One `return Err(...);` and no more."""
    return bool(REFUSAL.fullmatch(body)) and STRING.sub("", body).count(";") == 1


def _continues(lines: list[str], number: int) -> bool:
    """Whether a condition belongs to what stands before it: `} else if`, a match's guard."""
    before = lines[number - 1].rstrip() if number else ""
    return before.endswith(("=", "=>", "else", "("))


def _same(lines: list[str], first: int, opening: int) -> bool:
    """Whether a brace belongs to the `if` above, whose condition may go over several lines."""
    margin = _margin(lines[first])
    return opening == first or (
        _margin(lines[opening]) == margin
        and all(_margin(line) > margin for line in lines[first + 1 : opening])
    )


def _margin(line: str) -> int:
    return len(line) - len(line.lstrip())


def _end(lines: list[str], first: int, margin: int | None = None) -> int:
    """The line that closes what is open at that margin."""
    margin = _margin(lines[first]) if margin is None else margin
    if lines[first].rstrip().endswith(("}", ";")):
        return first
    return next(
        number
        for number in range(first + 1, len(lines))
        if lines[number].strip().startswith("}") and _margin(lines[number]) == margin
    )


def _end_of_statement(lines: list[str], first: int) -> int:
    return next(
        number for number in range(first, len(lines)) if lines[number].endswith((";", "}"))
    )


def _with_comments(lines: list[str], first: int) -> int:
    while first and lines[first - 1].strip().startswith(("//", "#[")):
        first -= 1
    return first
