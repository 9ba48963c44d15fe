"""The listing in three tabs."""

import re

import pytest

from reference.display import Listing, show
from reference.display.source import Definition
from reference.errors import InputError


@pytest.fixture
def listing() -> Listing:
    def at(port: str, text: str) -> tuple[Definition, ...]:
        return (
            Definition(f"{port}/a", f"{text} < 1"),
            Definition(f"{port}/a", "two"),
            Definition(f"{port}/b", "three"),
        )

    return Listing(
        ("a.one", "a.two", "b.three"),
        {port: at(port, f"{port}_one") for port in ("torch", "mlx", "rust")},
    )


def test_each_tab_is_what_sphinx_design_makes(listing: Listing):
    html = listing._repr_html_()
    assert html.startswith('<div class="sd-tab-set docutils three-ways">')
    inputs = re.findall(r'<input (checked )?.*?id="([^"]+)" name="([^"]+)" type="radio">', html)
    assert [bool(checked) for checked, _, _ in inputs] == [True, False, False]
    assert len({name for _, _, name in inputs}) == 1
    for (_, tab_id, _), port in zip(inputs, ("torch", "mlx", "rust"), strict=True):
        assert f'data-sync-group="port" data-sync-id="{port}" for="{tab_id}"' in html
        assert f'<div class="sd-tab-content docutils" id="{tab_id}-content">' in html


def test_it_is_the_same_every_time(listing: Listing):
    assert listing._repr_html_() == listing._repr_html_()


def test_neighbours_from_one_file_share_a_block_under_its_path(listing: Listing):
    html = listing._repr_html_()
    assert re.findall(r'<p class="listing-path"><code>(.*?)</code></p>', html)[:2] == [
        "torch/a",
        "torch/b",
    ]
    assert html.count("<pre>") == 6


def test_code_is_escaped_and_coloured_by_classes_only(listing: Listing):
    html = listing._repr_html_()
    assert "&lt;" in html
    assert "style=" not in html


def test_methods_of_two_classes_are_told_apart():
    methods = ("forward", "tables"), ("forward",)
    found = [
        Definition("torch/a", f"def {name}(self)", owner)
        for owner, names in zip(("One", "Other"), methods, strict=True)
        for name in names
    ]
    listing = Listing(("a.One.forward",), {"torch": tuple(found)})
    html = listing._repr_html_()
    assert re.findall(r'<p class="listing-path">(.*?)</p>', html) == [
        f"<code>torch/a</code> in <code>{owner}</code>" for owner in ("One", "Other")
    ]
    assert html.count("<pre>") == 2
    assert str(listing).startswith("torch/a in One\n\ndef forward(self)\n\n\ndef tables")
    assert repr(listing) == "a.One.forward: torch/a"


def test_printed_and_in_one_line(listing: Listing):
    assert "rust/a\n\nrust_one < 1\n\n\ntwo\n\nrust/b\n\nthree" in str(listing)
    assert repr(listing).startswith("a.one, a.two, b.three: torch/a · torch/b · mlx/a")


def test_one_language_alone_has_no_tabs():
    single = Listing(
        ("errors.InputError",),
        {None: (Definition("reference/errors.py", "class InputError: ..."),)},
    )
    assert "<input" not in single._repr_html_()
    assert single._repr_html_().startswith('<div class="one-way">')


def test_nothing_to_show():
    with pytest.raises(InputError, match="at least one name"):
        show()


@pytest.mark.parametrize("ports", ["torch", ("jax",), (), None])
def test_ports_that_are_none(ports):
    with pytest.raises(InputError, match="must be a tuple of one or more of torch, mlx, rust"):
        show("pooling.mean_pooling", ports=ports)
