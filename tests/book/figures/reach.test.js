"use strict";

const assert = require("node:assert");
const { test } = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/reach.js");
const { dataOf, printed } = require("./chapter.js");

const { reach, scores, summary } = Figures.all.reach.parts;
const data = dataOf(9, "fig-reach");

test("a token hears of as many others as the chapter measured", () => {
  for (const [kinds, counts] of data.measured) {
    const found = reach(data.tokens, data.token, data.window, kinds).map(([first, last]) => last - first + 1);
    assert.deepStrictEqual(found, counts);
  }
});

test("near an edge the reach ends there", () => {
  assert.deepStrictEqual(reach(121, 3, 8, ["local", "local"]), [
    [3, 3],
    [0, 11],
    [0, 19],
  ]);
});

test("a layer has the scores that the chapter printed, for twelve heads", () => {
  for (const tokens of [64, 512, 2048, 8192]) {
    for (const kind of ["global", "local"]) {
      assert.ok(printed(9).includes((12 * scores(tokens, 64, kind)).toLocaleString("en")), `${tokens} ${kind}`);
    }
  }
});

test("the sum is the chapter's", () => {
  assert.ok(summary(data).includes(` ${data.price.toLocaleString("en")} scores`));
});
