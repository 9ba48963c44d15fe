"use strict";

const assert = require("node:assert");
const { test } = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/own-typos.js");
const { dataOf } = require("./chapter.js");

const { slipped, pieces, counts } = Figures.all["own-typos"].parts;
const { text, list, neighbours, measured } = dataOf(31, "fig-what-is-left");
const known = new Set(list);

test("mistyped words fall into the pieces that Transformers' tokenizer finds", () => {
  assert.ok(measured.pieces.length >= 40);
  for (const [word, ...found] of measured.pieces) assert.deepStrictEqual(pieces(word, known), found, word);
});

test("as much survives as the chapter counts", () => {
  for (const [typed, ...shares] of measured.survived) {
    const found = Object.values(counts(text, typed, known)).map(([there, all]) => there / all);
    found.forEach((share, n) => assert.ok(Math.abs(share - shares[n]) < 1e-4, `${typed}: ${share} and ${shares[n]}`));
  }
});

test("a slip is one of four", () => {
  assert.strictEqual(slipped("path", 1, "swap", neighbours), "ptah");
  assert.strictEqual(slipped("path", 3, "swap", neighbours), "paht");
  assert.strictEqual(slipped("path", 0, "drop", neighbours), "ath");
  assert.strictEqual(slipped("a", 0, "drop", neighbours), "a");
  assert.strictEqual(slipped("path", 3, "double", neighbours), "pathh");
  assert.strictEqual(slipped("path", 2, "neighbour", neighbours), `pa${neighbours.t}h`);
});
