// Shares and cosines, held against the chapter's.
"use strict";

const assert = require("node:assert");
const { test } = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/pads-let-in.js");
const { dataOf, printed } = require("./chapter.js");

const { shares, cosine, written } = Figures.all["pads-let-in"].parts;
const { words, products, with_sentences: others, with_itself: itself, checks } = dataOf(1, "fig-pads-let-in");

test("the shares are the chapter's", () => {
  for (const [pads, expected] of Object.entries(checks)) {
    shares(products, words.length + Number(pads)).forEach((share, i) =>
      assert.ok(Math.abs(share - expected[i]) < 1e-4),
    );
  }
});

test("without pads, the cosines are those that the chapter prints", () => {
  const found = [0, 1].map((i) =>
    written(
      cosine(
        products,
        others.map((both) => both[i]),
        words.length,
      ),
    ),
  );
  assert.deepStrictEqual(found, ["−0.02", "0.11"]);
  assert.match(printed(1), /\[-0\.02 +0\.11 +1\./);
  assert.strictEqual(written(cosine(products, itself, words.length)), "1.00");
});

test("each pad let in takes the mean farther from the right vector", () => {
  const values = products.map((_, i) => cosine(products, itself, i + 1)).slice(words.length - 1);
  values.slice(1).forEach((value, i) => assert.ok(value < values[i]));
});
