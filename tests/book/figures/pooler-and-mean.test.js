// Cosines by the mean and by the pooler, held against what the chapter prints and says.
"use strict";

const assert = require("node:assert");
const { test } = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/pooler-and-mean.js");
const { dataOf, printed } = require("./chapter.js");

const { pairsOf, pairOf, rank, ordinal, written } = Figures.all["pooler-and-mean"].parts;
const data = dataOf(6, "fig-pooler-and-mean");
const pairs = pairsOf(data);
const related = pairs.filter((pair) => pair.related);

test("all pairs are there once, four of them related", () => {
  const count = data.sentences.length;
  assert.strictEqual(pairs.length, (count * (count - 1)) / 2);
  assert.strictEqual(related.length, 4);
});

test("the first three sentences have the cosines that the chapter prints", () => {
  for (const way of ["mean", "pooler"]) {
    const [kitten, bank] = [pairOf(pairs, 0, 1), pairOf(pairs, 2, 0)].map((pair) => pair[way].toFixed(2).padStart(5));
    const line = `${way.padStart(6)}: cat and kitten ${kitten}, cat and bank ${bank}`;
    assert.ok(printed(6).includes(line), line);
  }
});

test("by the mean the related pairs come first, by the pooler they do not", () => {
  const ranks = (way) => related.map((pair) => rank(pairs, pair, way)).sort((a, b) => a - b);
  assert.deepStrictEqual(ranks("mean"), [1, 2, 3, 4]);
  assert.ok(ranks("pooler").at(-1) > 4);
  assert.ok(pairOf(pairs, 3, 5).pooler > pairOf(pairs, 0, 1).pooler);
});

test("both matrices are symmetric, with ones on the diagonal", () => {
  for (const matrix of [data.mean, data.pooler]) {
    matrix.forEach((row, i) => row.forEach((value, j) => assert.strictEqual(value, i === j ? 1 : matrix[j][i])));
  }
});

test("a sentence with itself is no pair", () => assert.strictEqual(pairOf(pairs, 3, 3), undefined));

test("places and numbers are written as in print", () => {
  assert.deepStrictEqual([1, 2, 3, 4, 11, 12, 21, 28].map(ordinal), "1st 2nd 3rd 4th 11th 12th 21st 28th".split(" "));
  assert.strictEqual(written(-0.0301), "−0.03");
  assert.strictEqual(written(-0.001), "0.00");
});
