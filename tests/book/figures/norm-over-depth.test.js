"use strict";

const assert = require("node:assert");
const { test } = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/norm-over-depth.js");
const { dataOf, printed } = require("./chapter.js");

const { growth, factor, short } = Figures.all["norm-over-depth"].parts;
const { depth, strengths, curves } = dataOf(10, "fig-over-depth");

test("the curves end where the chapter's table says", () => {
  for (const [strength, name] of [
    [1, "each weight matrix keeps sizes"],
    [2, "the same, Wo twice as large"],
  ]) {
    for (const form of ["pre-norm", "post-norm"]) {
      const { size, gradient } = curves[form][strengths.indexOf(strength)];
      assert.strictEqual(gradient.length, depth + 1);
      const [, ...row] = new RegExp(`${name} +${form} +([0-9.]+) +([0-9.]+) +([0-9.]+)`).exec(printed(10));
      [size.at(-1), gradient.at(-1), gradient[0]].forEach((found, i) => {
        assert.ok(Math.abs(found - Number(row[i])) < 0.006 + 2e-4 * found, `${found} is not ${row[i]}`);
      });
    }
  }
});

test("the factor of a layer is the one that the chapter measures", () => {
  const { gradient } = curves["post-norm"][strengths.indexOf(1)];
  assert.match(printed(10), new RegExp(`post-norm: ${factor(gradient).toFixed(2)} times as large`));
  assert.ok(growth(gradient) > 100);
});

test("numbers are short", () => {
  assert.deepStrictEqual([0.1234, 12.34, 217.54, 21693].map(short), ["0.12", "12.3", "218", "21,693"]);
});
