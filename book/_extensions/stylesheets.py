"""The theme's style sheets without what no page uses: rules for classes that stand neither in a
page nor in a script. What is left is a fifth of them, and a page waits for it before it shows
anything.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

CLASS = re.compile(r"\.(-?[A-Za-z_](?:[\w-]|\\.)*)")
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
# What may hold a brace, a comma or a dot without meaning it.
QUOTED = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|url\([^)\"']*\)|\\."
PIECE = re.compile(rf"{QUOTED}|[{{}};]|[^{{}};\"'\\u]+|u", re.DOTALL)
# Inside of these a class need not be there for the selector to hold.
INSIDE = re.compile(r"\[[^\]]*\]|:(?:not|is|where|has)\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)")
# What the theme's own ask for; a page asks for it by itself.
ASKED_FOR = "_static/basic.css"
IMPORT = re.compile(r"@import ?[\"']\.\./basic\.css[\"'];?")
NESTING = ("@media", "@supports", "@layer", "@container")


def thin(static: Path, pages: Iterable[Path], own: Path) -> None:
    """Rewrite the style sheets that pages link to, but for the book's, which are in `own`."""
    texts = [path.read_text(encoding="utf-8") for path in pages]
    linked = {file for text in texts for file in re.findall(r'_static/([^"?]+\.css)', text)}
    used = set()
    for text in texts:
        for classes in re.findall(r'class="([^"]*)"', text):
            used.update(classes.split())
    for script in static.rglob("*.js"):
        if script.name != "fontawesome.js":  # which names every icon, and no page loads
            used.update(re.findall(r"[\w-]+", script.read_text(encoding="utf-8")))
    for file in linked:
        if (own / file).is_file():
            continue
        path = static / file
        text = path.read_text(encoding="utf-8")
        path.write_text(without_unused(text, used), encoding="utf-8")


def without_unused(css: str, used: set[str]) -> str:
    """What says whose work it is stays."""
    credits = [comment for comment in COMMENT.findall(css) if comment.startswith("/*!")]
    plain = IMPORT.sub("", COMMENT.sub("", css))
    return "\n".join(["".join(kept(plain, used)), *credits, ""])


def kept(css: str, used: set[str]) -> Iterator[str]:
    for head, body in rules(css):
        if body is None or not head:
            yield head
        elif head.startswith(NESTING):
            inside = "".join(kept(body, used))
            if inside:
                yield f"{head}{{{inside}}}"
        elif head.startswith("@font-face") and "Font Awesome" in body:
            continue
        elif head.startswith("@"):
            yield f"{head}{{{body}}}"
        else:
            selectors = [part for part in split(head) if is_used(part, used)]
            if selectors:
                yield f"{','.join(selectors)}{{{body}}}"


def is_used(selector: str, used: set[str]) -> bool:
    named = CLASS.findall(INSIDE.sub("", selector))
    return all(name.replace("\\", "") in used for name in named)


def rules(css: str) -> Iterator[tuple[str, str | None]]:
    """The rules of a style sheet: what stands before the braces, and what stands in them.
    A statement without braces has no body."""
    depth, start, opened, head = 0, 0, 0, ""
    for found in PIECE.finditer(css):
        piece = found[0]
        if piece == "{":
            if depth == 0:
                head, opened = css[start : found.start()].strip(), found.end()
            depth += 1
        elif piece == "}":
            depth -= 1
            if depth == 0:
                yield head, css[opened : found.start()].strip()
                start = found.end()
        elif piece == ";" and depth == 0:
            yield css[start : found.end()].strip(), None
            start = found.end()


def split(selectors: str) -> Iterator[str]:
    """The parts between commas, those in parentheses and quotes left alone."""
    depth, part = 0, ""
    for piece in re.findall(rf"{QUOTED}|.", selectors, re.DOTALL):
        if piece in "([":
            depth += 1
        elif piece in ")]":
            depth -= 1
        if piece == "," and depth == 0:
            yield part.strip()
            part = ""
        else:
            part += piece
    yield part.strip()
