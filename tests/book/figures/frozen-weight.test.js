"use strict";

const assert = require("node:assert");
const { test } = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/frozen-weight.js");
const { dataOf } = require("./chapter.js");

const { trained, summary } = Figures.all["frozen-weight"].parts;
const data = dataOf(30, "fig-frozen-weight");

test("the weight goes where PyTorch's AdamW takes it", () => {
  for (const { from, decay, weights } of data.measured) {
    const found = trained(data, { from, way: "zero", decays: decay > 0 });
    weights.forEach((weight, step) =>
      assert.ok(Math.abs(found[step] - weight) < 2e-5, `${from}, ${step}: ${found[step]}, ${weight}`),
    );
  }
});

test("without a gradient it stays to the last bit", () => {
  const found = trained(data, { from: 10, way: "none", decays: true });
  assert.strictEqual(new Set(found.slice(10)).size, 1);
  assert.match(summary(data, { from: 10, way: "none", decays: true }), /Nothing moves it/);
});

test("from the first step on there are no moments, and only decay moves it", () => {
  assert.strictEqual(new Set(trained(data, { from: 0, way: "zero", decays: false })).size, 1);
  const decayed = trained(data, { from: 0, way: "zero", decays: true });
  const expected = data.start * (1 - data.rate * data.decay) ** data.gradients.length;
  assert.ok(Math.abs(decayed.at(-1) - expected) < 1e-9);
});
