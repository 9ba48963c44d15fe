"""Calls in listings are found, and lead to the rows of the dictionary that are about them."""

import re

import pytest
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

from reference.display import show
from tests.book.extensions import extension
from tests.book.test_dictionary import ROWS

dictionary_calls = extension("dictionary_calls")
TORCH, MLX, CANDLE = range(3)


def rows_of(call: str, framework: int) -> list[str]:
    return [ROWS[number][0] for number in dictionary_calls.known()[framework][call]]


def marked(code: str, path: str) -> list[str]:
    found = dictionary_calls.mark(code, path)
    assert re.sub(r"<[^>]+>", "", found) == re.sub(r"<[^>]+>", "", code)
    return re.findall(r'<span class="call" data-rows="[\d ]+">(\w+)</span>', found)


def test_the_rows_are_those_that_are_tested():
    assert list(dictionary_calls.rows()) == ROWS
    anchors = [dictionary_calls.anchor(row) for row in ROWS]
    assert len(set(anchors)) == len(anchors)
    assert dictionary_calls.anchor(("x.gather(1, ids)", "", "")) == "row-x-gather-1-ids"


@pytest.mark.parametrize(
    ("framework", "call", "rows"),
    [
        (TORCH, "torch.where", ["torch.where(mask, x, 0.0)"]),
        (TORCH, ".masked_fill", ["x.masked_fill(~mask, -1.0)"]),
        (MLX, "mx.take_along_axis", ["x.gather(1, ids)"]),
        (MLX, "mx.where", ["torch.where(mask, x, 0.0)", "x.masked_fill(~mask, -1.0)"]),
        (CANDLE, ".where_cond", ["torch.where(mask, x, 0.0)", "x.masked_fill(~mask, -1.0)"]),
        (CANDLE, ".broadcast_mul", ["x * row"]),
        # the row that is about it comes before those in which it helps
        (CANDLE, ".maximum", ["x.clamp(min=1e-9)", "F.normalize(x, dim=-1)"]),
        (MLX, ".transpose", ["x.permute(1, 0)"]),
    ],
)
def test_a_call_knows_its_rows(framework: int, call: str, rows: list[str]):
    assert rows_of(call, framework) == rows


def highlighted(code: str, language: str) -> str:
    return highlight(code, get_lexer_by_name(language), HtmlFormatter(nowrap=True))


def test_calls_of_other_things_are_left_alone():
    def of(code: str) -> list[str]:
        return marked(highlighted(code, "rust"), rust)

    rust = "rust_ports/models/src/a.rs"
    assert of("a.max(1) + (size as f64).sqrt() + items.get(0)") == []
    assert of("Self::load(x)?; Weights::new(x)?; model.forward(&x)?") == []
    assert of("x.sqrt()?.sum(1)? + Tensor::cat(&all, 0)?") == ["sqrt", "sum", "cat"]
    code = highlighted("np.where(a).sum()", "python")
    assert marked(code, "reference/masking.py") == []
    code = highlighted("where(a)  # mx.where(a)\n'mx.where(a)'", "python")
    assert marked(code, "reference/mlx/masking.py") == []


def test_calls_are_marked_in_all_three_ports():
    stored = show("pooling.mean_pooling")._repr_html_()
    found = {
        path.split("/")[1]: marked(code, path)
        for path, code in re.findall(
            r'<p class="listing-path"><code>(.*?)</code>.*?<pre>(.*?)</pre>', stored, re.DOTALL
        )
    }
    assert "clamp" in found["torch"] and "maximum" in found["mlx"]
    assert "broadcast_div" in found["models"] or "maximum" in found["models"]
