"use strict";

const assert = require("node:assert");
const { test } = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/label-threshold.js");
const { dataOf } = require("./chapter.js");

const { facts, best } = Figures.all["label-threshold"].parts;
const { labels } = dataOf(32, "fig-thresholds");

test("every label has all the parameters", () => {
  assert.strictEqual(Object.keys(labels).length, 11);
  for (const { there, absent } of Object.values(labels)) {
    assert.strictEqual(
      [...there, ...absent].reduce((sum, count) => sum + count),
      715,
    );
  }
});

test("F1 is what the chapter computes from the probabilities themselves", () => {
  for (const [name, label] of Object.entries(labels)) {
    for (const [threshold, f1] of label.measured) {
      assert.ok(Math.abs(facts(label, threshold).f1 - f1) < 2e-4, `${name} at ${threshold}`);
    }
  }
});

test("no threshold beats the best", () => {
  for (const label of Object.values(labels)) {
    const top = best(label);
    assert.strictEqual(facts(label, top.threshold).f1, top.f1);
    for (const threshold of [0.1, 0.3, 0.5, 0.8, label.chosen]) assert.ok(facts(label, threshold).f1 <= top.f1);
  }
});

test("by hand", () => {
  const label = { there: [1, 0, 2, 1], absent: [5, 1, 1, 0] };
  const { right, wrong, missed, precision, recall, f1 } = facts(label, 0.5);
  assert.deepStrictEqual([right, wrong, missed, precision, recall, f1], [3, 1, 1, 0.75, 0.75, 0.75]);
});
