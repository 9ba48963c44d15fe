// Softmax, temperature and loss, held against the chapter's.
"use strict";

const assert = require("node:assert");
const { test } = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/softmax-temperature.js");
const { dataOf } = require("./chapter.js");

const { softmax, tempered, loss } = Figures.all["softmax-temperature"].parts;
const { logits, labels, probabilities, loss: expected } = dataOf(6, "fig-softmax-temperature");
const near = (found, wanted) => assert.ok(Math.abs(found - wanted) < 1e-4, `${found}, not ${wanted}`);

test("the probabilities are the chapter's at each temperature", () => {
  for (const [temperature, rows] of Object.entries(probabilities)) {
    rows.forEach((row, token) => {
      softmax(tempered(logits[token], Number(temperature), 0)).forEach((share, k) => near(share, row[k]));
    });
  }
});

test("the loss is the chapter's, and leaves out what has no label", () => {
  near(loss(logits, labels), expected);
  near(loss([logits[0], logits[1], [0, 9, 0]], labels), expected);
});

test("a number added to all logits changes nothing", () => {
  near(
    loss(
      logits.map((row) => tempered(row, 1, 7)),
      labels,
    ),
    expected,
  );
});

test("large logits do not overflow", () => {
  assert.deepStrictEqual(softmax([1000, 0, 0]), [1, 0, 0]);
});
