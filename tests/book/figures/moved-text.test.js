// A text that moves, on what the chapter stored.
"use strict";
const assert = require("node:assert");
const test = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/moved-text.js");
const { dataOf } = require("./chapter.js");

const { placeAt } = Figures.all["moved-text"].parts;
const { models } = dataOf("22", "moved-text");
const [inside, once, never] = models;

test("a text stays among its places", () => {
  assert.deepStrictEqual(
    [-5, 4, 16, 900].map((x) => placeAt(x, 10, 17)),
    [0, 0, 2, 16],
  );
});

test("the cosines are those that the chapter prints", () => {
  const shown = (model) => [1, 4, 16].map((by) => model.plain.cosines[by].toFixed(3));
  assert.deepStrictEqual(shown(inside), ["1.000", "1.000", "1.000"]);
  assert.deepStrictEqual(shown(once), ["0.992", "0.946", "0.906"]);
  const shuffled = models.map((model) => model.shuffled.cosines[0].toFixed(3));
  assert.deepStrictEqual(shuffled, ["0.983", "0.903", "1.000"]);
});

test("only one turn at the embeddings lets the vector change with its place", () => {
  for (const { plain } of [inside, never])
    for (const vector of plain.vectors) assert.deepStrictEqual(vector, plain.vectors[0]);
  assert.notDeepStrictEqual(once.plain.vectors[5], once.plain.vectors[0]);
});
