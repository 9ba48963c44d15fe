"""Sections for a second reading are folded, whole, and keep their targets."""

from types import SimpleNamespace

import pytest
from docutils import nodes

from tests.book.extensions import extension

deeper = extension("deeper")


def section(title: str, *children: nodes.Node) -> nodes.section:
    name = title.lower().replace(" ", "-")
    return nodes.section("", nodes.title("", title), *children, ids=[name])


@pytest.fixture
def chapter() -> nodes.section:
    inside = section("Inside", nodes.paragraph("", "more"))
    below = section("Deeper: why", nodes.paragraph("", "because"), inside)
    return section("Chapter", section("Plain"), below, section("Deeper still"))


def folded(chapter: nodes.section, kind: str) -> list[nodes.section]:
    deeper.fold(SimpleNamespace(builder=SimpleNamespace(format=kind)), chapter, "name")
    return [found for found in chapter.findall(nodes.section) if "deeper" in found["classes"]]


def test_the_heading_becomes_the_summary_and_all_below_is_inside(chapter: nodes.section):
    (found,) = folded(chapter, "html")
    assert [child.astext() for child in found.children] == [
        "<details><summary>",
        "Deeper: why",
        "</summary>",
        "because",
        "Inside\n\nmore",
        "</details>",
    ]
    assert found["ids"] == ["deeper:-why"]


def test_on_paper_nothing_is_folded(chapter: nodes.section):
    assert folded(chapter, "latex") == []
