// Three arrows, held against what the chapter prints.
"use strict";

const assert = require("node:assert");
const { test } = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/three-arrows.js");
const { dataOf, printed } = require("./chapter.js");

const { dot, length, normalized, cosine, written } = Figures.all["three-arrows"].parts;
const { arrows } = dataOf(3, "fig-three-arrows");
const [a, b, c] = arrows;

test("lengths and dot products are the chapter's", () => {
  assert.deepStrictEqual(arrows.map(length), [5, 2, 2.5]);
  assert.match(printed(3), /lengths: +\[5\. +2\. +2\.5\]/);
  const [ab, ac, bc] = [dot(a, b), dot(a, c), dot(b, c)].map((number) => number.toFixed(1));
  const line = `dot products: a·b = ${ab}, a·c = ${ac}, b·c = ${bc}`;
  assert.ok(printed(3).includes(line), line);
});

test("the cosines are the dot products after normalizing", () => {
  const all = [cosine(a, b), Math.abs(cosine(a, c)), cosine(b, c)].map((number) => number.toFixed(2));
  const line = `dot products now: ${all.join(", ")}`;
  assert.ok(printed(3).includes(line), line);
  arrows.forEach((arrow) => assert.ok(Math.abs(length(normalized(arrow)) - 1) < 1e-12));
});

test("zero stays zero, and has the cosine zero with everything", () => {
  assert.deepStrictEqual(normalized([0, 0]), [0, 0]);
  assert.strictEqual(cosine([0, 0], a), 0);
  assert.strictEqual(written(-1e-9, 2), "0.00");
});
