// Cut vectors, on what the chapter stored.
"use strict";
const assert = require("node:assert");
const test = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/cut-vectors.js");
const { dataOf } = require("./chapter.js");

const { scaled, passing } = Figures.all["cut-vectors"].parts;
const { sizes, products } = dataOf("16", "cut-vectors");
const at = (size) => products[sizes.indexOf(size)];

test("cat and kitten have the chapter's lengths, dot products and cosines", () => {
  const row = (size) =>
    [Math.sqrt(at(size)[0][0]), at(size)[0][1], scaled(at(size))[0][1]].map((value) => value.toFixed(2));
  assert.deepStrictEqual(row(384), ["1.00", "0.74", "0.74"]);
  assert.deepStrictEqual(row(128), ["0.58", "0.23", "0.76"]);
  assert.deepStrictEqual(row(64), ["0.42", "0.13", "0.76"]);
});

test("over 0.4 are the pairs that the chapter counts", () => {
  assert.deepStrictEqual(passing(at(384), 0.4), { same: 9, other: 0 });
  assert.deepStrictEqual(passing(at(64), 0.4), { same: 0, other: 0 });
  assert.deepStrictEqual(passing(scaled(at(64)), 0.4), { same: 9, other: 0 });
});
