"""The scanner that finds a definition in Rust source."""

import re
from pathlib import Path

import pytest

from reference.display.rust import blank_text, definition, without_tests

SOURCE = r"""//! The module's own words. { "
#![allow(dead_code)]

use std::fmt::{self, Display};

/// A limit.
pub const LIMIT: Range = Range { low: 0, high: 9 };

static mut COUNTS: [u8; 3] = [1, 2, 3];

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
    let quote = '"';
    let escaped = '\'';
    let backslash = '\\';
    let unicode = '\u{1F600}';
    let byte = b'}';
    let text = "a \" and a } and a \\";
    let raw = r#"a "quoted" } and a // no comment"#;
    let bytes = br"\";
    /* a comment { /* within } */ a comment */
    a + b
} // this stays with add

pub(crate) const fn three() -> i32 { 3 }
pub async unsafe extern "C" fn odd() {}

pub fn longest<'a, T: 'a>(x: &'a [T], y: &'a [T]) -> &'a [T]
where T: Fn(f32) -> [(); 2] { if c() { x } else { y } }

pub fn sized() -> Block<{ 1 + 2 }> {
    Block
}

#[derive(Debug, Clone)]
pub struct Linear<'a, T: Clone = f32> {
    /// The weight.
    pub weight: &'a T,
}

struct Pair(f32, f32);
struct Empty;

macro_rules! twice { ($x:expr) => { $x * 2 }; }

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


def test_what_stands_above_a_blank_line_or_behind_the_previous_item_is_left_out():
    assert "remark" not in definition(SOURCE, "add")
    assert definition(SOURCE, "three") == "pub(crate) const fn three() -> i32 { 3 }"


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("LIMIT", "/// A limit.", "pub const LIMIT: Range = Range { low: 0, high: 9 };"),
        ("COUNTS", "static mut COUNTS: [u8; 3] = [1, 2, 3];", None),
        ("Rows", "type Rows = Vec<[f32; 4]>;", None),
        ("Empty", "struct Empty;", None),
        ("odd", 'pub async unsafe extern "C" fn odd() {}', None),
        ("longest", "pub fn longest<'a, T: 'a>(x: &'a [T], y: &'a [T]) -> &'a [T]",
         "where T: Fn(f32) -> [(); 2] { if c() { x } else { y } }"),
        ("sized", "pub fn sized() -> Block<{ 1 + 2 }> {", "}"),
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
    assert definition(SOURCE, "Module::forward") == "fn forward(&self) -> f32;"
    assert definition(SOURCE, "Module::twice").endswith("self.forward() * 2.0\n}")


@pytest.mark.parametrize(
    "name", ["subtract", "Linear::backward", "Nothing::new", "tests", "fmt", ""]
)
def test_what_is_not_there_is_none(name: str):
    assert definition(SOURCE, name) is None


def test_blanks_take_the_place_of_text():
    blank = blank_text(SOURCE)
    assert len(blank) == len(SOURCE)
    assert [i for i, c in enumerate(blank) if c == "\n"] == [
        i for i, c in enumerate(SOURCE) if c == "\n"
    ]
    assert blank.count("{") == blank.count("}")
    assert not re.search(r"quoted|remark|within|\"", blank)
    assert "&'a [T]" in blank  # lifetimes are code


@pytest.mark.parametrize(
    "source",
    ['let s = "never closed', "/* never closed", "fn f() {", "let c = '", 'r#"open"', "}}"],
)
def test_unfinished_source_ends_at_the_end(source: str):
    assert len(blank_text(source)) == len(source)
    assert definition(source, "g") is None


def test_a_file_is_shown_without_its_tests():
    assert without_tests(SOURCE).rstrip().endswith("pub fn r#match() {}")


def test_every_public_item_of_the_rust_library_is_found_whole():
    sources = Path(__file__).parents[2] / "rust_ports" / "encoders" / "src"
    for file in sorted(sources.glob("*.rs")):
        source = without_tests(file.read_text(encoding="utf-8"))
        for name in re.findall(
            r"^pub (?:fn|struct|enum|trait|const) (\w+)", source, flags=re.MULTILINE
        ):
            found = definition(source, name)
            assert found, f"{file.name}: {name}"
            code = blank_text(found)
            assert code.count("{") == code.count("}"), f"{file.name}: {name}"
