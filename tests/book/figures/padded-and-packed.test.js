"use strict";

const assert = require("node:assert");
const { test } = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/padded-and-packed.js");
const { dataOf, printed } = require("./chapter.js");

const { sorted, padded, packed, folded } = Figures.all["padded-and-packed"].parts;
const { lengths } = dataOf(13, "fig-batch-folded");

test("the places are those that the chapter counts", () => {
  const ways = [padded([lengths]), padded(sorted(lengths, 4)), packed(lengths)];
  const places = ways.map((way) => way.places.toLocaleString("en"));
  assert.match(printed(13), new RegExp(`places +${places.join(" +")} `));
});

test("so are the pairs, by three layers of width 128 with two products each", () => {
  const products = (padded([lengths]).pairs * 3 * 2 * 128) / 1e6;
  assert.match(printed(13), new RegExp(`Transformers, padded +[0-9.]+ +${products.toFixed(1)} `));
});

test("batches are sorted, and the last one may be smaller", () => {
  assert.deepStrictEqual(sorted([5, 1, 4, 2, 3], 2), [[1, 2], [3, 4], [5]]);
  assert.deepStrictEqual(padded(sorted([5, 1, 4, 2, 3], 2)), { places: 4 + 8 + 5, pairs: 8 + 32 + 25 });
});

test("a folded row holds every token once", () => {
  const pieces = folded([3, 1, 4], 3).map(({ text, line, from, to }) => [text, line, from, to]);
  assert.deepStrictEqual(pieces, [
    [0, 0, 0, 3],
    [1, 1, 0, 1],
    [2, 1, 1, 3],
    [2, 2, 0, 2],
  ]);
});
