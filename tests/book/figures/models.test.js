/* What the models in the page do without a page. */
"use strict";
const test = require("node:test");
const assert = require("node:assert");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/model-that-embeds.js");
require("../../../book/_static/figures/model-that-fills.js");
const PageModels = require("../../../book/_static/model/page_models.js");

const { cosine, cosines, sentences } = Figures.all["model-that-embeds"].parts;
const { floors, fromToken, onMeter, spelled } = Figures.all["model-that-fills"].parts;

test("a cosine needs no vectors of length one", () => {
  assert.ok(Math.abs(cosine([3, 0], [1, 1]) - Math.SQRT1_2) < 1e-12);
  assert.deepStrictEqual(cosines([[2, 0], [0, 5]]), [[1, 0], [0, 1]]);
});

test("sentences are lines with something in them, and not too many", () => {
  assert.deepStrictEqual(sentences("a cat\n\n  sat \n"), ["a cat", "sat"]);
  assert.strictEqual(sentences("x\n".repeat(20)).length, 8);
});

test("a ratio is written as one reads it", () => {
  assert.deepStrictEqual([0.9567, 2303.26, 1067155.2].map(floors), ["0.96", "2,303", "1,067,000"]);
});

test("the meter is logarithmic and ends somewhere", () => {
  assert.strictEqual(onMeter(0), 0);
  assert.strictEqual(onMeter(1e12), 1);
  assert.ok(Math.abs(onMeter(100) - onMeter(10) - (onMeter(10) - onMeter(1))) < 1e-12);
});

test("weights from one token are a row of each head", () => {
  const weights = { shape: [2, 2, 2], numbers: [1, 2, 3, 4, 5, 6, 7, 8] };
  assert.deepStrictEqual(fromToken(weights, 1), [[3, 4], [7, 8]]);
});

test("pieces lose the mark of a space, and nothing else", () => {
  assert.deepStrictEqual(["Ġthe", "ing", "[MASK]"].map(spelled), ["the", "ing", "[MASK]"]);
});

test("base64 is bytes again", () => {
  assert.deepStrictEqual([...PageModels.decoded("AP8H")], [0, 255, 7]);
});
