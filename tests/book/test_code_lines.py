"""Code in lines is well-formed, and the same text."""

import re
from xml.etree import ElementTree

import pytest

from reference.display import show
from tests.book.extensions import extension

code_lines = extension("code_lines")


def test_what_spans_lines_is_closed_and_opened_again():
    code = '<span class="sd">"""one\n\n  two"""</span>\n'
    assert list(code_lines.split(code)) == [
        '<span class="sd">"""one</span>',
        '<span class="sd"></span>',
        '<span class="sd">  two"""</span>',
    ]


def test_a_line_knows_how_far_it_is_indented():
    assert code_lines.element('    <span class="n">a</span> &lt; 1') == (
        '<span class="line" style="--indent: 4">    <span class="n">a</span> &lt; 1\n</span>'
    )
    assert code_lines.element("") == '<span class="line">\n</span>'


@pytest.mark.parametrize("name", ["attention.scaled_dot_product_attention", "pooling.pool"])
def test_the_text_of_a_listing_stays(name: str):
    stored = show(name)._repr_html_()
    changed = code_lines.lines(stored)
    assert code_lines.plain(changed) == code_lines.plain(stored)
    blocks = re.findall(r"<pre>.*?</pre>", changed, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        assert {line.get("class").split()[0] for line in ElementTree.fromstring(block)[1:]} == {
            "line"
        }


def test_what_a_cell_has_printed_stays():
    printed = '<div class="output stream highlight-myst-ansi notranslate">'
    printed += '<div class="highlight"><pre><span></span>1  2\n</pre></div></div>'
    assert code_lines.lines(printed) == printed
