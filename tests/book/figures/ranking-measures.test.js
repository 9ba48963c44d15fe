// Measures of a ranking, held against the chapter's numbers.
"use strict";
const assert = require("node:assert");
const test = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/ranking-measures.js");

const { measures } = Figures.all["ranking-measures"].parts;
const near = (found, expected) => assert.ok(Math.abs(found - expected) < 5e-4, `${found}, not ${expected}`);

test("answers at the ranks 2 and 4 are worth what the chapter computes", () => {
  const found = [0, 1, 0, 1, 0];
  assert.deepStrictEqual(
    [1, 3, 5].map((k) => measures(found, k).recall),
    [0, 0.5, 1],
  );
  const { reciprocal, average, ndcg } = measures(found, 5);
  near(reciprocal, 0.5);
  near(average, 0.5);
  near(ndcg, 0.651);
});

test("the best order has 1 of all but recall at a small k", () => {
  for (const k of [1, 2, 5]) {
    const { recall, ...others } = measures([1, 1, 0, 0, 0], k);
    assert.strictEqual(recall, Math.min(k, 2) / 2);
    for (const value of Object.values(others)) near(value, 1);
  }
});

test("only nDCG takes grades", () => {
  const [half, whole] = [measures([0.5, 1, 0], 3), measures([1, 1, 0], 3)];
  assert.deepStrictEqual({ ...half, ndcg: 0 }, { ...whole, ndcg: 0 });
  near(half.ndcg, (0.5 + 1 / Math.log2(3)) / (1 + 0.5 / Math.log2(3)));
});

test("without an answer nothing fails", () => {
  assert.deepStrictEqual(Object.values(measures([0, 0], 2)), [0, 0, 0, 0]);
});
