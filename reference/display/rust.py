"""Find one definition in Rust source, without a compiler.

The scanner knows just enough of the language to tell code from text: comments (nested ones
too), strings, raw strings, characters and lifetimes. Everything that is not code is blanked
out, position by position, so that braces can be counted; what is returned is always a slice of
the original.
"""

import re
import textwrap
from dataclasses import dataclass

_RAW_STRING = re.compile(r'[bc]?r(#*)"')
_CHARACTER = re.compile(r"'(\\(u\{[0-9a-fA-F_]+\}|x[0-9a-fA-F]{2}|.)|[^\\'])'", re.DOTALL)
_MODIFIERS = r"(?:pub(?:\s*\([^)]*\))?\s+)?(?:(?:default|async|unsafe|extern|const)\s+)*"
_ITEM = re.compile(
    _MODIFIERS
    + r"(?:(fn|struct|enum|union|trait|type|const|static|mod)\s+(?:mut\s+)?(?:r#)?(\w+)"
    + r"|(impl|use)\b)"
)
_ENDS_WITH_SEMICOLON = {"const", "static", "type", "use"}
_OPENING, _CLOSING = "([{", ")]}"


@dataclass(frozen=True)
class Item:
    """One item of a file or of an impl block: its slice of the source, and where its body
    lies."""

    kind: str | None
    name: str
    text: str
    body: tuple[int, int] | None


def definition(source: str, path: str) -> str | None:
    """The text of `name`, or of `Type::method`, with doc comments and attributes; None where
    there is none.

    A type comes with all of its impl blocks, in the order of the file.
    """
    name, _, method = path.partition("::")
    items = [item for item in _items(source) if item.name]
    if not method:
        found = [item.text for item in items if item.name == name and item.kind != "mod"]
    else:
        blocks = [
            item for item in items if item.name == name and item.kind in ("impl", "trait")
        ]
        inner = [entry for block in blocks for entry in _items(source, block.body)]
        found = [entry.text for entry in inner if entry.name == method]
    return "\n\n".join(found) or None


def without_tests(source: str) -> str:
    """A file as far as its test module, which stands at the end."""
    return re.split(r"^#\[cfg\(test\)\]$", source, maxsplit=1, flags=re.MULTILINE)[0]


def blank_text(source: str) -> str:
    """The source with comments, strings and characters replaced by blanks; same length, same
    line breaks."""
    pieces, position = [], 0
    while position < len(source):
        end = _end_of_text(source, position)
        if end is None:
            pieces.append(source[position])
            position += 1
        else:
            pieces.append(re.sub(r"[^\n]", " ", source[position:end]))
            position = end
    return "".join(pieces)


def _end_of_text(source: str, start: int) -> int | None:
    """Where the comment, string or character that begins at `start` ends; None if none begins
    there."""
    if source.startswith("//", start):
        end = source.find("\n", start)
        return len(source) if end < 0 else end
    if source.startswith("/*", start):
        return _end_of_block_comment(source, start)
    if source[start] == '"':
        return _end_of_string(source, start)
    if source[start] == "'":  # a character, or else a lifetime, which is code
        match = _CHARACTER.match(source, start)
        return match.end() if match else None
    inside_a_word = start > 0 and (source[start - 1].isalnum() or source[start - 1] == "_")
    if (
        source[start] in "rbc"
        and not inside_a_word
        and (match := _RAW_STRING.match(source, start))
    ):
        closing = '"' + match.group(1)
        end = source.find(closing, match.end())
        return len(source) if end < 0 else end + len(closing)
    return None


def _end_of_block_comment(source: str, start: int) -> int:
    depth = 0
    for match in re.compile(r"/\*|\*/").finditer(source, start):
        depth += 1 if match.group() == "/*" else -1
        if depth == 0:
            return match.end()
    return len(source)


def _end_of_string(source: str, start: int) -> int:
    match = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL).match(source, start)
    return match.end() if match else len(source)


def _items(source: str, span: tuple[int, int] | None = None) -> list[Item]:
    """The items in a span of the source (a whole file, or the inside of an impl block)."""
    code = blank_text(source)
    position, end = span or (0, len(source))
    items = []
    while (keyword := _skip_attributes(code, position, end)) < end:
        match = _ITEM.match(code, keyword)
        kind, name = (
            (match.group(1) or match.group(3), match.group(2) or "") if match else (None, "")
        )
        stop, body = _end_of_item(code, keyword, end, kind in _ENDS_WITH_SEMICOLON)
        if kind == "impl" and body:
            name = _implemented_type(code[match.end() : body[0] - 1])
        items.append(Item(kind, name, _with_comments(source, position, keyword, stop), body))
        position = stop
    return items


def _skip_attributes(code: str, position: int, end: int) -> int:
    """The start of the next item's own words, after blanks and `#[...]`."""
    while position < end:
        if code[position].isspace():
            position += 1
        elif code[position] == "#" and (
            opening := re.compile(r"#!?\s*\[").match(code, position)
        ):
            position = _matching(code, opening.end() - 1, end) + 1
        else:
            return position
    return end


def _end_of_item(
    code: str, start: int, end: int, at_semicolon: bool
) -> tuple[int, tuple[int, int] | None]:
    """Where an item ends, and the inside of its first braces: `fn` and `impl` end with them,
    `const` does not."""
    position, body = start, None
    while position < end:
        character = code[position]
        if character == ";":
            return position + 1, body
        if character in _OPENING:
            closing = _matching(code, position, end)
            a_constant_argument = code[closing + 1 : end].lstrip()[:1] in (
                ">",
                ",",
            )  # Block<{ N + 1 }>
            if character == "{" and not a_constant_argument:
                body = body or (position + 1, closing)
                if not at_semicolon:
                    return closing + 1, body
            position = closing
        position += 1
    return end, body


def _matching(code: str, opening: int, end: int) -> int:
    depth = 0
    for position in range(opening, end):
        depth += (code[position] in _OPENING) - (code[position] in _CLOSING)
        if depth == 0:
            return position
    return end - 1


def _implemented_type(header: str) -> str:
    """`Linear` from `<'a, T: From<u8>> Module for Linear<'a, T> where ...`, the words between
    impl and brace."""
    while (flat := re.sub(r"<[^<>]*>", " ", header.replace("->", "  "))) != header:
        header = flat
    target = re.split(r"\bwhere\b", header)[0]
    target = re.split(r"\bfor\b", target)[-1]
    words = re.findall(r"\w+", target)
    return words[-1] if words else ""


def _with_comments(source: str, previous: int, keyword: int, stop: int) -> str:
    """The item with the comments and attributes that stand directly above it, as far as the
    last blank line."""
    above = source[previous:keyword]
    blank_lines = list(re.finditer(r"\n[ \t]*(?=\n)", above))
    start = previous + (blank_lines[-1].end() if blank_lines else 0)
    first_line_break = source.find("\n", start, keyword)
    # What follows the previous item on its own line, a comment for instance, belongs to that
    # one.
    start = first_line_break + 1 if first_line_break >= 0 and start > 0 else start
    return textwrap.dedent(source[start:stop]).strip("\n")
