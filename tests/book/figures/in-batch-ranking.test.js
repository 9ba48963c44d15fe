// In-batch ranking, held against what the chapter's cells print.
"use strict";
const assert = require("node:assert");
const test = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/in-batch-ranking.js");
const { dataOf } = require("./chapter.js");

const { probabilities, gradientLengths } = Figures.all["in-batch-ranking"].parts;
const near = (found, expected, distance) =>
  assert.ok(Math.abs(found - expected) < distance, `${found}, not ${expected}`);

const DATA = dataOf("24", "in-batch-ranking");
const COSINES = DATA.batches[0].cosines;

test("the loss of the four pairs is sentence-transformers'", () => {
  const { p, losses } = probabilities(COSINES, 20);
  near(losses.reduce((a, b) => a + b) / 4, 0.0834, 1e-4);
  near(p[2][2], 0.73, 0.01);
  near(p[2][0], 0.19, 0.01);
});

test("the gradients are as long as the chapter's", () => {
  const { p } = probabilities(COSINES, 20);
  const lengths = gradientLengths(p, COSINES, DATA.batches[0].among, 20);
  [0.05, 0.01, 1.53, 0.01].forEach((expected, i) => near(lengths[i], expected, 0.006));
});

test("at a scale of nothing all answers are alike", () => {
  const { p, losses } = probabilities(COSINES, 0);
  for (const row of p) for (const value of row) near(value, 0.25, 1e-12);
  near(losses[0], Math.log(4), 1e-12);
});

test("a gradient's length needs products only", () => {
  // Two questions and two answers in the plane: all of it by coordinates.
  const [q, d] = [
    [
      [1, 0],
      [0.6, 0.8],
    ],
    [
      [0.8, 0.6],
      [0, 1],
    ],
  ];
  const dot = (a, b) => a[0] * b[0] + a[1] * b[1];
  const cosines = q.map((one) => d.map((other) => dot(one, other)));
  const { p } = probabilities(cosines, 5);
  const lengths = gradientLengths(
    p,
    cosines,
    d.map((one) => d.map((other) => dot(one, other))),
    5,
  );
  q.forEach((one, i) => {
    const w = p[i].map((value, j) => 2.5 * (value - (i === j)));
    const g = [0, 1].map((k) => w[0] * d[0][k] + w[1] * d[1][k]);
    const across = g.map((value, k) => value - dot(g, one) * one[k]);
    near(lengths[i], Math.hypot(...across), 1e-12);
  });
});
