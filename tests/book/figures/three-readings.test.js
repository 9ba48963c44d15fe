// Three readings of logits, held against the chapter's numbers.
"use strict";
const assert = require("node:assert");
const test = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/three-readings.js");

const { readings, over } = Figures.all["three-readings"].parts;
const rounded = (values) => values.map((value) => Number(value.toFixed(2)));

test("the logits 3, 2 and -2 are what the chapter's figure says", () => {
  const { softmax, sigmoid, none } = readings([3, 2, -2]);
  assert.deepStrictEqual(rounded(softmax), [0.73, 0.27, 0]);
  assert.deepStrictEqual(rounded(sigmoid), [0.95, 0.88, 0.12]);
  assert.deepStrictEqual(none, [3, 2, -2]);
  assert.deepStrictEqual([over(softmax, 0.5), over(sigmoid, 0.5)], [[0], [0, 1]]);
});

test("what is added to all logits changes the sigmoids only", () => {
  const [before, after] = [readings([3, 2, -2]), readings([8, 7, 3])];
  before.softmax.forEach((value, i) => assert.ok(Math.abs(value - after.softmax[i]) < 1e-12));
  assert.deepStrictEqual(over(after.sigmoid, 0.5), [0, 1, 2]);
});

test("one label alone is sure of itself, whatever its logit is", () => {
  assert.deepStrictEqual(readings([-7]).softmax, [1]);
});
