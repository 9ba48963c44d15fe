// Two means, held against the chapter's.
"use strict";

const assert = require("node:assert");
const { test } = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/mean-with-pads.js");
const { dataOf } = require("./chapter.js");

const { mean, written, apart } = Figures.all["mean-with-pads"].parts;
const { points, mask, means } = dataOf(2, "fig-mean-with-pads");

test("the means are the chapter's", () => {
  const found = [
    mean(points, mask),
    mean(
      points,
      mask.map(() => 1),
    ),
  ];
  found.forEach((one, i) => assert.ok(apart(one, means[i]) < 1e-9));
});

test("a text without tokens has the mean zero", () => {
  assert.deepStrictEqual(
    mean(
      points,
      mask.map(() => 0),
    ),
    [0, 0],
  );
});

test("only pads move the one mean and not the other", () => {
  const moved = points.map((point, t) => (mask[t] ? point : [0, 0]));
  assert.deepStrictEqual(mean(moved, mask), mean(points, mask));
  assert.strictEqual(
    written(
      mean(
        moved,
        mask.map(() => 1),
      ),
    ),
    "1.8, 1.8",
  );
});
