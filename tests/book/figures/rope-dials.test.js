"use strict";

const assert = require("node:assert");
const { test } = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/rope-dials.js");
const { dataOf } = require("./chapter.js");

const { cosines, score, sector } = Figures.all["rope-dials"].parts;
const { frequencies, scores } = dataOf(8, "fig-dials");

test("the scores are the chapter's", () => {
  for (const [base, byDistance] of Object.entries(scores)) {
    for (const [distance, expected] of Object.entries(byDistance)) {
      assert.ok(Math.abs(score(frequencies[base], Number(distance)) - expected) < 2e-3, `${base}, ${distance}`);
    }
  }
});

test("the cosines are those of the still figure", () => {
  assert.deepStrictEqual(
    cosines(frequencies[10000], 3)
      .slice(0, 4)
      .map((c) => c.toFixed(3)),
    ["-0.990", "0.583", "0.955", "0.996"],
  );
});

test("a sector is less than a full turn, and large beyond a half", () => {
  assert.match(sector(0, 1, 10), /A10 10 0 0 0/);
  assert.match(sector(0, 4, 10), /A10 10 0 1 0/);
  assert.match(sector(0, -1, 10), /A10 10 0 0 1/);
  assert.match(sector(0, 1 + 20 * Math.PI, 10), /A10 10 0 0 0/);
});
