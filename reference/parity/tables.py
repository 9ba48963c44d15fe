"""Tables as text for terminals and as plain HTML for pages and notebooks; both are the same on
every run."""

from __future__ import annotations

import html
from collections.abc import Collection, Sequence

Line = Sequence[str]


def text_table(header: Line, lines: Sequence[Line], left: Collection[int]) -> str:
    """Columns of equal width; those in `left` are set to the left, the others to the right."""
    widths = [
        max(len(line[column]) for line in [header, *lines]) for column in range(len(header))
    ]
    rule = ["-" * width for width in widths]
    return "\n".join(_text_line(line, widths, left) for line in [header, rule, *lines])


def html_table(header: Line, lines: Sequence[Line], left: Collection[int]) -> str:
    """Numbers stand to the right, as notebooks set every cell; the columns of words say so."""
    head = f"<thead>{_html_line('th', header, left)}</thead>"
    body = "\n".join(_html_line("td", line, left) for line in lines)
    return f"<table>\n{head}\n<tbody>\n{body}\n</tbody>\n</table>"


def _text_line(line: Line, widths: Sequence[int], left: Collection[int]) -> str:
    cells = [
        cell.ljust(width) if column in left else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(line, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()


def _html_line(tag: str, line: Line, left: Collection[int]) -> str:
    style = ' style="text-align: left"'
    cells = [
        f"<{tag}{style if column in left else ''}>{html.escape(cell)}</{tag}>"
        for column, cell in enumerate(line)
    ]
    return f"<tr>{''.join(cells)}</tr>"
