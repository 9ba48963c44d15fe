"use strict";

const assert = require("node:assert");
const { test } = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/one-outlier.js");
const { dataOf } = require("./chapter.js");

const { cameBack, tried } = Figures.all["one-outlier"].parts;
const data = dataOf(33, "fig-one-outlier");

test("the chapter's group of four comes back as by hand", () => {
  const back = cameBack([0.51, -0.02, 0.13, -0.33], 4).map((value) => Number(value.toFixed(4)));
  assert.deepStrictEqual(back, [0.51, -0.0201, 0.1285, -0.3293]);
});

test("what is lost is what the package's rounding loses", () => {
  for (const [outlier, off, zeros] of data.measured) {
    const found = tried(data, 32, outlier);
    assert.ok(Math.abs(found.off - off) < 0.02 * off, `${outlier}: ${found.off} and ${off}`);
    assert.ok(Math.abs(found.zeros - zeros) <= 1, `${outlier}: ${found.zeros} and ${zeros}`);
  }
});

test("smaller groups spare those that are elsewhere", () => {
  const offs = [32, 16, 8, 4].map((size) => tried(data, size, data.values[data.large]).off);
  assert.deepStrictEqual(
    offs,
    [...offs].sort((one, other) => other - one),
  );
  assert.strictEqual(cameBack([0, 0, 3], 2)[0], 0);
});
