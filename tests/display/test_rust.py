"""The scanner that finds a definition in Rust source."""

import re
from pathlib import Path

import pytest

from reference.display.rust import definition, items, without_tests
from reference.display.source import CRATES

SOURCE = r"""//! The module's own words. { "
#![allow(dead_code)]

mod inner;

use std::fmt::{self, Display};

/// A limit.
pub const LIMIT: Range = Range { low: 0, high: 9 };

static mut COUNTS: [u8; 3] = [1, 2, 3];

const NAMES: [&str; 2] = [
    "a",
    "b; }",
];

type Rows = Vec<[f32; 4]>;

// A remark about the section, not about the function.

/// Adds: `{` in words, and "quotes".
#[inline(always)]
#[cfg_attr(
    feature = "x",
    doc = "}"
)]
pub fn add(a: i32, b: i32) -> i32 {
    let brace = '{'; // a closing } in a comment
    let text = "a \" and a }";

    /* a comment } */
    a + b
}

pub(crate) const fn three() -> i32 {
    3
}
pub async unsafe extern "C" fn odd() {}

pub fn longest<'a, T: 'a>(
    x: &'a [T],
    y: &'a [T],
) -> &'a [T]
where
    T: Fn(f32) -> [(); 2],
{
    if c() { x } else { y }
}

#[derive(Debug, Clone)]
pub struct Linear<'a, T: Clone = f32> {
    /// The weight.
    pub weight: &'a T,
}

struct Pair(f32, f32);
struct Empty;

macro_rules! twice {
    ($x:expr) => {
        $x * 2
    };
}

impl<'a, T: Clone + From<u8>> Linear<'a, T> {
    /// Makes one.
    pub fn new(weight: &'a T) -> Self {
        Self { weight }
    }

    pub fn forward(&self, x: &T) -> T {
        // the inside
        x.clone()
    }
}

impl<'a, T: Clone> fmt::Display for Linear<'a, T>
where
    T: Fn(&str) -> String,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{}}")
    }
}

impl From<Linear<'_, f32>> for Pair {
    const TIES: &[(&str, &str)] =
        &[("decoder.weight", "words.weight")];

    fn from(_: Linear<'_, f32>) -> Self {
        Pair(0.0, 0.0)
    }
}

pub trait Module {
    const NAME: &'static str;
    fn forward(&self) -> f32;
    fn twice(&self) -> f32 {
        self.forward() * 2.0
    }
}

pub fn r#match() {}

#[cfg(test)]
mod tests {
    fn add() {}
}
"""


def test_a_function_comes_with_its_doc_comment_and_attributes():
    found = definition(SOURCE, "add")
    assert found.startswith(
        '/// Adds: `{` in words, and "quotes".\n#[inline(always)]\n#[cfg_attr('
    )
    assert found.endswith("    a + b\n}")


def test_what_stands_above_a_blank_line_is_left_out():
    assert "remark" not in definition(SOURCE, "add")
    assert definition(SOURCE, "three") == "pub(crate) const fn three() -> i32 {\n    3\n}"


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("LIMIT", "/// A limit.", "pub const LIMIT: Range = Range { low: 0, high: 9 };"),
        ("COUNTS", "static mut COUNTS: [u8; 3] = [1, 2, 3];", None),
        ("Rows", "type Rows = Vec<[f32; 4]>;", None),
        ("Empty", "struct Empty;", None),
        ("odd", 'pub async unsafe extern "C" fn odd() {}', None),
        ("NAMES", "const NAMES: [&str; 2] = [", "];"),
        ("longest", "pub fn longest<'a, T: 'a>(", "}"),
        ("match", "pub fn r#match() {}", None),
        ("Module", "pub trait Module {", "}"),
    ],
)  # fmt: skip
def test_every_kind_of_item(name: str, first: str, last: str | None):
    lines = definition(SOURCE, name).splitlines()
    assert lines[0] == first
    assert lines[-1] == (last or first)


def test_a_type_comes_with_its_impl_blocks():
    found = definition(SOURCE, "Linear")
    assert found.startswith("#[derive(Debug, Clone)]\npub struct Linear<'a, T: Clone = f32> {")
    assert "impl<'a, T: Clone + From<u8>> Linear<'a, T> {" in found
    assert "impl<'a, T: Clone> fmt::Display for Linear<'a, T>" in found
    assert "for Pair" not in found
    assert definition(SOURCE, "Pair").splitlines()[0] == "struct Pair(f32, f32);"
    assert "impl From<Linear<'_, f32>> for Pair {" in definition(SOURCE, "Pair")


def test_a_method_is_found_in_any_impl_block_and_dedented():
    assert definition(SOURCE, "Linear::new") == (
        "/// Makes one.\npub fn new(weight: &'a T) -> Self {\n    Self { weight }\n}"
    )
    assert definition(SOURCE, "Linear::fmt").startswith("fn fmt(&self")
    assert definition(SOURCE, "Pair::from").startswith("fn from(_")
    assert definition(SOURCE, "Pair::TIES").endswith('"words.weight")];')
    assert definition(SOURCE, "Module::forward") == "fn forward(&self) -> f32;"
    assert definition(SOURCE, "Module::twice").endswith("self.forward() * 2.0\n}")


@pytest.mark.parametrize(
    "name", ["subtract", "Linear::backward", "Nothing::new", "tests", "fmt", ""]
)
def test_what_is_not_there_is_none(name: str):
    assert definition(SOURCE, name) is None


@pytest.mark.parametrize("source", ["", "fn f() {", "}}", "/// Nothing.", "impl"])
def test_unfinished_source_defines_nothing(source: str):
    assert definition(source, "f") is None


def test_a_file_is_shown_without_its_tests():
    assert without_tests(SOURCE).rstrip().endswith("pub fn r#match() {}")


RUST = Path(__file__).parents[2] / "rust_ports"
FILES = [file for crate in CRATES for file in sorted((RUST.parent / crate).rglob("*.rs"))]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(RUST)))
def test_every_line_of_the_rust_library_belongs_to_one_item(file: Path):
    """So nothing is cut off, and nothing is shown that belongs to a neighbour."""
    lines = without_tests(file.read_text(encoding="utf-8")).split("\n")
    inside = [line for item in items(lines) for line in item.lines]
    remarks = [line for line in lines if line.startswith("//!")]
    assert [line for line in lines if line.strip() and line not in remarks] == [
        line for line in inside if line.strip() and line not in remarks
    ]
    for name in re.findall(
        r"^pub (?:fn|struct|enum|trait|const) (\w+)", "\n".join(lines), re.M
    ):
        assert definition("\n".join(lines), name), name
