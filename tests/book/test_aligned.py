"""What differs between three ports: statements find their partners, and words are marked that
no other port has. The functions of the page's script are run in Node."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from reference.display.source import find

SCRIPT = Path(__file__).parents[2] / "book" / "_static" / "aligned.js"
NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(
    not NODE, reason="there is no program node to run a script with"
)


def run(call: str, *given: object) -> object:
    """What a call gives, say "rows(given[0])"."""
    code = f"""const aligned = require({json.dumps(str(SCRIPT))});
    const given = {json.dumps(given)};
    const {{{", ".join(NAMES)}}} = aligned;
    console.log(JSON.stringify({call}));"""
    done = subprocess.run([NODE, "-e", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


NAMES = ["withoutComment", "words", "signature", "statements", "likeness", "align", "rows"]


def rows(*ports: str) -> list[list[str | None]]:
    """Each statement with its marked words in brackets."""

    def shown(statement: dict | None) -> str | None:
        if statement is None:
            return None
        return "".join(f"[{text}]" if differs else text for text, differs in statement["parts"])

    found = run("rows(given[0])", [port.split("\n") for port in ports])
    return [[shown(statement) for statement in row] for row in found]


def of(name: str) -> list[list[str | None]]:
    return rows(*(find(name, port).text for port in ("torch", "mlx", "rust")))


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("x = 1  # one", "x = 1  "),
        ('x = "# one"', 'x = "# one"'),
        ("let x = 1; // one", "let x = 1; "),
        ("x = y // 2", "x = y // 2"),
        ('"http://a"', '"http://a"'),
    ],
)
def test_comments_at_the_end_of_a_line(line: str, code: str):
    assert run("withoutComment(given[0])", line) == code


def test_signatures_without_their_types():
    torch = (
        'def f(\n    self,\n    x: Float[Tensor, "a b"] | None = None,\n    *, n: int = 3\n)'
    )
    rust = (
        "pub fn f<'a>(&self, x: &Tensor, n: impl Fn(&Tensor) -> Result<Tensor>) -> Result<()> {"
    )
    assert run("signature(given[0])", torch) == "f(x, *, n)"
    assert run("signature(given[0])", rust) == "f(x, n)"


def test_statements_are_whole_and_without_what_documents_them():
    python = (
        '@cache\ndef f(x):\n    """Says\n    this."""\n'
        "    y = g(\n        x,\n    )  # so\n    return y"
    )
    rust = (
        "/// Says this.\npub fn f(x: &Tensor) -> T {\n"
        "    let y =\n        g(x)?\n            .t()?;\n    Ok(y)\n}"
    )
    texts = "statements(given[0]).map(one => one.text)"
    assert run(texts, python.split("\n")) == [
        "f(x)",
        "    y = g(\n        x,\n    )",
        "    return y",
    ]
    assert run(texts, rust.split("\n")) == [
        "f(x)",
        "    let y =\n        g(x)?\n            .t()?;",
        "    Ok(y)",
    ]


def test_words_that_no_other_port_has_are_marked():
    (row,) = rows(
        "chosen = scores.gather(1, ids)",
        "chosen = mx.take_along_axis(scores, ids, axis=1)",
        "let chosen = scores.gather(&ids, 1)?;",
    )
    assert row == [
        "chosen = scores.gather(1, ids)",
        "chosen = mx.[take_along_axis](scores, ids, [axis]=1)",
        "let chosen = scores.gather(&ids, 1)?;",
    ]


def test_two_statements_may_stand_beside_one():
    assert rows("a = f(b) + c", "a = f(b) + c", "let d = h(e)?;\nlet g = k(d)?;")[0] == [
        "a = f(b) + c",
        "a = f(b) + c",
        "let [d] = [h]([e])?;\nlet [g] = [k]([d])?;",
    ]


def test_steps_meet():
    for name in ("attention.scaled_dot_product_attention", "masking.mask_tokens"):
        found = of(name)
        steps = [row for row in found if row[0] == row[1] == row[2] and "(" not in row[0]]
        assert len(steps) == 4
    before = [row[0] for row in of("pooling.mean_pooling")].index
    clamp = before("the clamp keeps a text without tokens at zero")
    assert of("pooling.mean_pooling")[clamp + 1] == [
        "    return (total / count.[clamp]([min]=1e-9)).[to](hidden.dtype)",
        "    return (total / mx.maximum(count, 1e-9)).[astype](hidden.dtype)",
        "    let [mean] = [sum].[broadcast_div](&count.maximum(1e-9)?)?;",
    ]


def test_methods_of_different_names_meet():
    found = of("layers.GatedMLP")
    assert ["forward(x)", "__call__(x)", "forward(x)"] in found
    assert found[0] == ["class GatedMLP(nn.Module):"] * 2 + ["pub struct GatedMLP {"]
