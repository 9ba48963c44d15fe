"""The steps of a function are the same in all three ports, few, and short."""

import html
import re

import pytest

from reference.display import show
from reference.display.source import PACKAGE, find
from tests.book.extensions import extension

steps = extension("steps")
code_lines = extension("code_lines")
PORTS = ("torch", "mlx", "rust")
NAMES = [
    "attention.scaled_dot_product_attention",
    "bert.BertLayer.forward",
    "layers.GatedMLP.forward",
    "layers.LayerNorm.forward",
    "losses.cross_entropy",
    "masking.mask_tokens",
    "modernbert.ModernBertAttention.forward",
    "modernbert.ModernBertEncoderLayer.forward",
    "pooling.mean_pooling",
    "pooling.normalize",
    "rope.apply_rope",
    "training.adamw",
]


@pytest.mark.parametrize("name", NAMES)
def test_they_are_the_same_in_all_ports(name: str):
    torch, mlx, rust = (steps.sentences(find(name, port).text) for port in PORTS)
    assert torch == mlx == rust
    assert [number for number, _ in torch] == list(range(1, len(torch) + 1))
    assert 2 <= len(torch) <= 4
    for _, sentence in torch:
        assert len(sentence.split()) <= 12 and sentence[0].islower() and sentence[-1] != "."


def test_no_others_are_in_the_sources():
    """A comment that begins with a number in brackets is one of those above."""
    rust = PACKAGE.parent / "rust_ports"
    files = [*PACKAGE.rglob("*.py"), *rust.glob("*/src/**/*.rs")]
    found = sum(len(steps.sentences(file.read_text(encoding="utf-8"))) for file in files)
    assert found == sum(len(steps.sentences(find(n, p).text)) for n in NAMES for p in PORTS)


def test_a_step_ends_where_the_next_begins_or_its_block_does():
    text = (
        "def f():\n    a\n    # (1) one\n    b\n\n    if c:\n        d\n    # (2) two\n    e\ng"
    )
    assert steps.steps(text) == [None, None, 1, 1, None, 1, 1, 2, 2, None]


@pytest.mark.parametrize("name", NAMES)
def test_a_listing_shows_them_and_keeps_its_text(name: str):
    stored = show(name)._repr_html_()
    shown = code_lines.lines(stored)
    assert code_lines.plain(shown) == code_lines.plain(stored)
    says = [html.unescape(words) for words in re.findall(r'step-says"> (.*?)</span>', shown)]
    assert says == [words for _, words in steps.sentences(find(name, "torch").text)] * 3
