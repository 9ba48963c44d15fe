"""The steps of a function: comments `# (1) ...` in Python, `// (1) ...` in Rust, the same in
all three ports. In a listing such a comment becomes a number in a circle and its sentence, and
a bar beside the lines below says how far the step goes."""

import re

COMMENT = re.compile(r"( *)(?:#|//) \((\d)\) (.+)")
# The comment as Pygments marks it up.
MARKED = re.compile(r'<span class="c1">((?:#|//) \((\d)\)) (.+?)</span>')


def steps(text: str) -> list[int | None]:
    """The number of the step that each line is in, the lines of the comments included. A step
    ends where the next begins, and where the block does that it stands in."""
    found: list[int | None] = []
    current, margin = None, 0
    for line in text.removesuffix("\n").split("\n"):
        indent = len(line) - len(line.lstrip())
        comment = COMMENT.fullmatch(line)
        if comment:
            current, margin = int(comment[2]), indent
        elif line.strip() and indent < margin:
            current = None
        found.append(current if line.strip() else None)
    return found


def sentences(text: str) -> list[tuple[int, str]]:
    """The numbers and sentences of a text, in its order."""
    lines = text.split("\n")
    return [(int(found[2]), found[3]) for line in lines if (found := COMMENT.fullmatch(line))]


def circled(line: str) -> str:
    """A line of highlighted code, if its comment begins a step with the number by itself. The
    text stays as it is, for whoever copies the code."""
    number = r'<span class="step-number" data-number="\2">\1</span>'
    return MARKED.sub(rf'{number}<span class="step-says"> \3</span>', line)
