// Faults by layer, held against what the chapter measured.
"use strict";

const assert = require("node:assert");
const { test } = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/faults-by-layer.js");
const { dataOf } = require("./chapter.js");

const { firstBeyond, shown, verdict, power, nameOf } = Figures.all["faults-by-layer"].parts;
const { gate, faults } = dataOf(7, "fig-faults-by-layer");
const named = (words) => faults.find((fault) => fault.story.includes(words));

test("the right port is within every gate, and each fault is beyond one", () => {
  for (const fault of faults) {
    assert.strictEqual(firstBeyond(fault.errors, gate) < 0, fault.story === "nothing is wrong", fault.story);
  }
});

test("a fault of one layer leaves the gate in that layer", () => {
  assert.strictEqual(nameOf(firstBeyond(named("on its side").errors, gate)), "layer 3");
  assert.strictEqual(nameOf(firstBeyond(named("removed").errors, gate)), "layer 2");
});

test("the cosine of the tanh GELU is 1.000 in every layer", () => {
  assert.deepStrictEqual([...new Set(named("tanh").cosines.map(shown))], ["1.000"]);
  assert.match(verdict(named("tanh"), gate), /in layer 0, by a factor of .* passes/);
  assert.match(verdict(named("NaN"), gate), /in layer 0: the result is not a number/);
});

test("powers of ten are written with superscripts", () => {
  assert.strictEqual(power(-6), "10⁻⁶");
});
