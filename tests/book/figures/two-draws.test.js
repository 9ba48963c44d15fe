"use strict";

const assert = require("node:assert");
const { test } = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/two-draws.js");
const { dataOf, printed } = require("./chapter.js");

const { fates, counts, reads } = Figures.all["two-draws"].parts;
const { tokens, special, maskToken, throws, shares } = dataOf(14, "fig-two-draws");

test("every throw has the fates that the package gives it", () => {
  for (const thrown of throws) assert.deepStrictEqual(counts(fates(thrown, special, shares)), thrown.counts);
});

test("other shares hide what the chapter's sentences hide", () => {
  for (const choose of [0.15, 0.3, 0.6]) {
    const found = fates(throws[0], special, { choose, mask: 1, random: 0 });
    const text = reads(tokens, throws[0].word, found, maskToken).slice(1, -1).join(" ").replace(" .", ".");
    assert.ok(printed(14).includes(`${100 * choose}% ${text}`), text);
  }
});

test("a random word is the one that was drawn", () => {
  const found = fates(throws[0], special, { choose: 1, mask: 0, random: 1 });
  assert.deepStrictEqual(reads(tokens, throws[0].word, found, maskToken).slice(1, -1), throws[0].word.slice(1, -1));
});
