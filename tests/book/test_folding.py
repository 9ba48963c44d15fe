"""What is folded of the listings of the book is what was meant: constructors and the fields of
layers, statements that only refuse, and fast forms beside the plain ones; never what computes
and stands nowhere else."""

import ast
import html
import json
import re
import textwrap
from collections.abc import Iterator

import pytest

from reference.display import show, show_shared
from tests.book.extensions import extension
from tests.book.listings import CALLS, LISTING, NOTEBOOKS

folding = extension("folding")
BLOCK = re.compile(r'<div class="highlight-(\w+) notranslate">.*?<pre>(.*?)</pre>', re.DOTALL)


def blocks(stored: str) -> Iterator[tuple[str, str]]:
    """The language and the text of each block of a listing."""
    for language, code in BLOCK.findall(stored):
        yield language, html.unescape(re.sub(r"<[^>]+>", "", code))


def everywhere() -> list[tuple[str, str]]:
    found = []
    for notebook in NOTEBOOKS:
        for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
            source = "".join(cell["source"])
            if cell["cell_type"] == "code" and LISTING.fullmatch(source):
                found += blocks(eval(source, dict(CALLS))._repr_html_())
    return sorted(set(found))


def folded(text: str, language: str) -> list[tuple[str, str]]:
    lines = text.split("\n")
    return [
        (fold.what, "\n".join(lines[fold.first : fold.last + 1]))
        for fold in folding.folds(text, language)
    ]


LISTINGS = everywhere()
FOLDED = [
    (language, text, what, part)
    for language, text in LISTINGS
    for what, part in folded(text, language)
]


def of(*names: str, port: int) -> list[tuple[str, str]]:
    language, text = list(blocks(show(*names)._repr_html_()))[port]
    return folded(text, language)


def test_of_a_layer_what_it_computes_is_left():
    for port, name in enumerate(["__init__", "__init__", "new"]):
        found = dict(of("char_encoder.CharEncoderTower", port=port))
        assert set(found) == ({name, "fields"} if port == 2 else {name})
        assert found[name].strip().startswith(("def __init__(", "/// Takes the tensors"))
        assert found[name].rstrip().endswith(("tower)", "}"))
    assert found["fields"].startswith("    /// What it was built from.\n    pub tower:")
    assert found["fields"].endswith("pub rope_theta: f64,")


def test_in_rust_a_refusal_is_folded_with_its_condition():
    found = of("losses.cross_entropy", port=2)
    assert [what for what, _ in found] == ["checks"] * 3
    assert [part.split(" {\n")[0].strip()[:25] for _, part in found] == [
        "if labels.dtype() != DTyp",
        "if let Some(label) = labe",
        "if weights.dims() != [cla",
    ]
    assert all(part.endswith("\n    }") for _, part in found)


def test_in_python_a_refusal_is_folded_with_its_condition():
    stored = show_shared("training.objectives.contrastive.ranking")._repr_html_()
    ((language, text),) = blocks(stored)
    long = text + "\n# more" * folding.LONG
    assert [part.split("\n")[0].strip() for _, part in folded(long, language)] == [
        "if pairs == 0 or np.shape(documents) != np.shape(queries):",
        "if scale <= 0:",
    ]


def test_a_branch_that_also_computes_stays():
    filler = "\n    y = 1" * folding.LONG
    for branch in (
        "if x:\n        y = 2\n        raise E",
        "if x:\n        raise E\n    else:\n        y = 2",
    ):
        assert folded(f"def f(x):\n    {branch}{filler}", "python") == []
    filler = "\n    let y = 1;" * folding.LONG
    for branch in (
        "if x {\n        y = 2;\n        return Err(e);\n    }",
        "if x {\n        return Err(e);\n    } else {\n        y = 2;\n    }",
        "let y = if x {\n        return Err(e);\n    } else {\n        2\n    };",
        "let y = check_all(x)?;",
        "let y = note(path, x + 1);",
    ):
        assert folded(f"fn f() {{\n    {branch}{filler}\n}}", "rust") == []


def test_checks_and_tracing_without_a_result_are_folded():
    calls = "    check_batch(x)\n    check.check_one(\n        x,\n    )"
    filler = "\n    y = 1" * folding.LONG
    assert folded(f"def f(x):\n{calls}{filler}", "python") == [("checks", calls)]
    calls = "    check_row(x)?;\n    check(\n        x,\n    )?;"
    noted = "    let x = note(\n        &path,\n        x,\n    );"
    filler = "\n    let y = 1;" * folding.LONG
    text = f"fn f() {{\n{calls}\n{noted}{filler}\n}}"
    assert folded(text, "rust") == [("checks", calls), ("tracing", noted)]


def test_the_fast_form_is_folded_and_the_plain_one_is_left():
    assert of("layers.LayerNorm.forward", port=0) == []
    ((what, part),) = of("layers.LayerNorm.forward", port=1)
    assert what == "fast form" and part.strip().startswith("if fused.wanted():\n")
    for name, kernel in [
        ("layers.LayerNorm.forward", "layer_norm"),
        ("layers.gated", "linear_gelu_gate"),
        ("layers.sum_norm", "sum_norm"),
        ("attention.attend_to", "packed_attention"),
        ("attention.project_and_turn", "linear_rope"),
    ]:
        ((language, text),) = blocks(show(name, ports=("rust",))._repr_html_())
        ((what, part),) = folded(text, language)
        assert what == "fast form" and f"kernels::{kernel}(" in part
        assert "kernels::" not in text.replace(part, "")


def test_a_fast_form_that_is_more_or_less_than_that_stays():
    for branch in (
        "if fused.wanted():\n        y = 2\n        return fused.gelu(y)",
        "if fused.wanted():\n        return fused.gelu(x)\n    else:\n        y = 2",
        "if window is None:\n        return fused.attention(x)",
        "if fused.wanted():\n        return gelu(x)",
    ):
        assert folded(f"def f(x):\n    {branch}\n    return x", "python") == []
    for branch in (
        "if kernels::wanted([x]) {\n        y += 1;\n        return kernels::gelu(y);\n    }",
        "if kernels::wanted([x]) {\n        return kernels::gelu(x);\n    } else {\n    }",
        "if window.is_none() {\n        return kernels::gelu(x);\n    }",
        "if kernels::wanted([x]) {\n        return gelu(x);\n    }",
    ):
        assert folded(f"fn f() {{\n    {branch}\n    x\n}}", "rust") == []


def test_of_a_short_listing_only_a_fast_form_is_folded():
    assert all(
        fold.what == "fast form"
        for language, text in LISTINGS
        if len(text.split("\n")) <= folding.LONG
        for fold in folding.folds(text, language)
    )
    assert len(FOLDED) > 40


@pytest.mark.parametrize(("language", "text", "what", "part"), FOLDED)
def test_nothing_that_computes_is_folded(language: str, text: str, what: str, part: str):
    if what in ("__init__", "new", "build", "fields"):
        # of a layer, and no more than one of them at a time
        assert re.search(r"def (forward|__call__|encode)\(|fn (forward|encode)\(", text)
        assert not re.search(r"def (?!__init__)|fn (?!new|build)", part)
    elif what == "fast form":
        one = r"\s*if .*\b(wanted|joined|available|has_\w+)\(.*return .*"
        assert re.fullmatch(one, part, re.DOTALL) and re.search(r"kernels::|fused\.", part)
        assert not re.search(r"\s*(else|for|while)\b|^\s*[\w.]+ [-+*/]?= ", part, re.MULTILINE)
    elif language == "python":
        for statement in ast.parse(textwrap.dedent(part)).body:
            inside = [type(node) for node in ast.walk(statement)]
            assert ast.Raise in inside or ast.Call in inside
            assert not {ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return} & set(inside)
    else:
        code = re.sub(r'"(?:[^"\\]|\\.)*"', '""', part)
        assert not re.search(r"^\s*(let|for|match)\b|^\s*[\w.]+ [-+*/]?= ", code, re.MULTILINE)
        assert re.fullmatch(
            r"\s*(if .*return Err\(.*\);\n\s*\}|check\w*\(.*\)\?;)", code, re.DOTALL
        )
