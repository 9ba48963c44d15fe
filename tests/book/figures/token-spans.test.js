// Spans of labelled tokens, held against the chapter's cells.
"use strict";
const assert = require("node:assert");
const test = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/token-spans.js");

const { spans, bestPath, given } = Figures.all["token-spans"].parts;
const LABELS = ["O", "B-PARAMETER", "I-PARAMETER", "B-TYPE", "I-TYPE"];
// Tokens of three characters each, with a word and a label.
const tokens = (...all) =>
  all.map(([word, label], i) => ({ start: 3 * i, end: 3 * i + 2, word, row: given(LABELS.indexOf(label), 5) }));

test("the chapter's three tokens have the chapter's best legal path", () => {
  const rows = [
    [0.6, 0, 0, 0.4, 0],
    [0.05, 0, 0, 0.05, 0.9],
    [0.9, 0.02, 0.02, 0.03, 0.03],
  ];
  assert.deepStrictEqual(
    bestPath(rows, LABELS).map((label) => LABELS[label]),
    ["B-TYPE", "I-TYPE", "O"],
  );
});

test("an I- goes on with its kind, and begins a span where there is none", () => {
  const found = spans(
    tokens([0, "B-TYPE"], [1, "I-TYPE"], [2, "O"], [3, "I-TYPE"], [4, "I-PARAMETER"]),
    LABELS,
    "simple",
  );
  assert.deepStrictEqual(found, [
    [0, 5, "TYPE"],
    [9, 11, "TYPE"],
    [12, 14, "PARAMETER"],
  ]);
});

test("a B- tells two neighbours apart", () => {
  const found = spans(tokens([0, "B-TYPE"], [1, "B-TYPE"]), LABELS, "simple");
  assert.deepStrictEqual(found, [
    [0, 2, "TYPE"],
    [3, 5, "TYPE"],
  ]);
});

test("a word is decided by its first, its surest, or the mean of its tokens", () => {
  const word = tokens([0, "B-TYPE"], [0, "O"], [0, "O"]);
  word[0].row = [0.04, 0, 0, 0.95, 0.01];
  assert.deepStrictEqual(spans(word, LABELS, "first"), [[0, 8, "TYPE"]]);
  assert.deepStrictEqual(spans(word, LABELS, "max"), [[0, 8, "TYPE"]]);
  assert.deepStrictEqual(spans(word, LABELS, "average"), []);
});
