"""Find one definition in Rust source, without a compiler.

rustfmt has laid the source out, so its lines say enough: an item begins at the left margin, one
of an impl block four columns further in, and it ends with the first line at that margin whose
last character is a closing brace or a semicolon.
"""

import re
import textwrap
from dataclasses import dataclass

_NAMED = re.compile(
    r'(?:pub(?:\([^)]*\))? )?(?:(?:async|const|extern "C"|unsafe) )*'
    r"(?:fn|struct|enum|union|trait|type|const|static) (?:mut )?(?:r#)?(\w+)"
)
_ABOVE = ("//", "#", ")")  # how a comment, an attribute and the end of a long attribute begin


@dataclass(frozen=True)
class Item:
    """One item of a file or of an impl block, with the comments and attributes above it."""

    lines: list[str]
    first: int  # of its own lines, behind those

    @property
    def text(self) -> str:
        return textwrap.dedent("\n".join(self.lines))

    @property
    def name(self) -> str:
        """What it defines, or the type that an impl block is of."""
        header = " ".join(self.lines[self.first : self.body]).strip()
        if header.startswith("impl"):
            return _implemented_type(header)
        named = _NAMED.match(header)
        return named.group(1) if named else ""

    @property
    def body(self) -> int:
        """The first line inside its braces, or the end."""
        opening = (n for n, line in enumerate(self.lines) if line.endswith("{"))
        return next((n + 1 for n in opening if n >= self.first), len(self.lines))


def definition(source: str, path: str) -> str | None:
    """The text of `name`, or of `Type::method`, with doc comments and attributes; None where
    there is none.

    A type comes with all of its impl blocks, in the order of the file.
    """
    name, _, method = path.partition("::")
    found = [item for item in items(source.split("\n")) if name and item.name == name]
    if method:
        inner = [entry for item in found for entry in items(item.lines[item.body :], margin=4)]
        found = [entry for entry in inner if entry.name == method]
    return "\n\n".join(item.text for item in found) or None


def items(lines: list[str], margin: int = 0) -> list[Item]:
    """What begins at that margin: the comments and attributes above an item belong to it, as
    far as the last blank line."""
    found, start, first = [], None, None
    for number, line in enumerate(lines):
        at_margin = bool(line.strip()) and line.index(line.lstrip()) == margin
        if first is None:
            if not line.strip():
                start = None
            elif at_margin:
                start = number if start is None else start
                first = None if line.lstrip().startswith(_ABOVE) else number
        if first is None:
            continue
        # A constant that is too long for its line has its value on the next.
        on_the_next = lines[first].endswith("=") and line.endswith(";")
        if on_the_next or (at_margin and line.endswith(("}", ";"))):
            found.append(Item(lines[start : number + 1], first - start))
            start = first = None
    return found


def without_tests(source: str) -> str:
    """A file as far as its test module, which stands at the end."""
    return re.split(r"^#\[cfg\(test\)\]$", source, maxsplit=1, flags=re.MULTILINE)[0]


def _implemented_type(header: str) -> str:
    """`Linear` of `impl<'a, T: From<u8>> Module for Linear<'a, T> where ...`."""
    while (flat := re.sub(r"<[^<>]*>", "", header.replace("->", ""))) != header:
        header = flat
    return re.split(r"\bwhere\b|{", header)[0].split(" for ")[-1].split()[-1]
