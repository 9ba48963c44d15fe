"""The book's listing: the tested source of one function in three tabs.

The HTML is the markup that sphinx-design makes of a tab set, so a rendered page styles the tabs
and moves those of a page together (its data-sync attributes). JupyterLab strips scripts, styles
and data attributes from a notebook that
it does not trust: there the same HTML reads as three listings, one under the other, with rules
between them.
"""

import html
import re
from dataclasses import dataclass, replace

from reference.display.source import Definition, find
from reference.errors import InputError

PORTS = ("torch", "mlx", "rust")
# JupyterLab ignores `hidden` in a notebook that it does not trust, but keeps classes, among
# them its own.
HIDDEN = 'class="lm-Widget lm-mod-hidden" hidden'
LABELS = {"torch": "PyTorch", "mlx": "MLX", "rust": "Rust", None: "Python"}


def show(*names: str, ports: tuple[str, ...] = PORTS) -> "Listing":
    """The source of one or more names in every port: "pooling.mean_pooling",
    "bert.BertLayer.forward", "rope"."""
    if (
        not isinstance(ports, tuple | list)
        or not ports
        or any(port not in PORTS for port in ports)
    ):
        raise InputError(
            f"ports is {ports!r:.80}; it must be a tuple of one or more of {', '.join(PORTS)}"
        )
    return _listing(names, ports)


def show_shared(*names: str) -> "Listing":
    """The source of names that the ports share, "masking.draw" for instance: one listing, no
    tabs."""
    return _listing(names, (None,))


def _listing(names: tuple[str, ...], ports: tuple[str | None, ...]) -> "Listing":
    if not names:
        raise InputError(
            'nothing to show: give at least one name, "pooling.mean_pooling" for instance'
        )
    return Listing(names, {port: tuple(find(name, port) for name in names) for port in ports})


@dataclass(frozen=True)
class Listing:
    """What `show` returns: a notebook displays it, `print` prints it."""

    names: tuple[str, ...]
    definitions: dict[str | None, tuple[Definition, ...]]

    def __str__(self) -> str:
        blocks = (block for found in self.definitions.values() for block in _by_file(found))
        return "\n\n".join(f"{_title(block)}\n\n{block.text}" for block in blocks)

    def __repr__(self) -> str:
        """One line: a notebook stores it beside the HTML, which already holds the source."""
        blocks = (block for found in self.definitions.values() for block in _by_file(found))
        files = dict.fromkeys(block.path for block in blocks)
        return f"{', '.join(self.names)}: {' · '.join(files)}"

    def _repr_html_(self) -> str:
        if len(self.definitions) == 1:
            ((port, found),) = self.definitions.items()
            return f'<div class="one-way">\n{_blocks(found, port)}\n</div>'
        set_id = "listing-" + "-".join(re.sub(r"\W+", "-", name) for name in self.names)
        tabs = (
            _tab(set_id, port, found, first=i == 0)
            for i, (port, found) in enumerate(self.definitions.items())
        )
        return f'<div class="sd-tab-set docutils three-ways">\n{"".join(tabs)}</div>'


def _tab(set_id: str, port: str | None, found: tuple[Definition, ...], first: bool) -> str:
    """One tab, as sphinx-design writes it. The radio button is hidden wherever the style sheet
    of the book is not at work; that brings it back, invisible but within reach of the keyboard,
    and takes the rule away."""
    tab_id = f"{set_id}-{port}"
    return (
        f"<input {'checked ' if first else ''}{HIDDEN} "
        f'id="{tab_id}" name="{set_id}" type="radio">'
        f'<label aria-controls="{tab_id}-content" class="sd-tab-label" '
        f'data-sync-group="port" data-sync-id="{port}" '
        f'for="{tab_id}"><strong>{LABELS[port]}</strong></label>'
        f'<div class="sd-tab-content docutils" id="{tab_id}-content">\n'
        f"{_blocks(found, port)}\n<hr>\n</div>\n"
    )


def _blocks(found: tuple[Definition, ...], port: str | None) -> str:
    return "\n".join(
        _highlighted(block, "rust" if port == "rust" else "python") for block in _by_file(found)
    )


def _by_file(found: tuple[Definition, ...]) -> list[Definition]:
    """Neighbours from one file, and methods from one class, become one block."""
    blocks: list[Definition] = []
    for definition in found:
        place = (definition.path, definition.owner)
        if blocks and (blocks[-1].path, blocks[-1].owner) == place:
            text = f"{blocks[-1].text}\n\n\n{definition.text}"
            blocks[-1] = replace(definition, text=text)
        else:
            blocks.append(definition)
    return blocks


def _title(block: Definition) -> str:
    return f"{block.path} in {block.owner}" if block.owner else block.path


def _highlighted(block: Definition, language: str) -> str:
    """Classes, not colours: the page's light and dark styles decide what a keyword looks
    like."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name

    lexer = get_lexer_by_name(language, stripnl=False)
    code = highlight(block.text, lexer, HtmlFormatter(cssclass="highlight")).rstrip("\n")
    names = (html.escape(name) for name in (block.path, block.owner) if name)
    title = " in ".join(f"<code>{name}</code>" for name in names)
    caption = f'<p class="listing-path">{title}</p>'
    return f'{caption}\n<div class="highlight-{language} notranslate">{code}</div>'
