"use strict";

const assert = require("node:assert");
const { test } = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/cut-batch.js");
const { dataOf, printed } = require("./chapter.js");

const { loss, facts } = Figures.all["cut-batch"].parts;
const data = dataOf(27, "fig-cache-blocks");
const found = (size, way) => facts(data, size, way).loss.toFixed(4);

test("the losses are those that the chapter prints", () => {
  assert.ok(printed(27).includes(`loss of eight pairs: ${found(8, "parts")}\n`));
  assert.ok(printed(27).includes(`loss of four times two pairs: ${found(2, "parts")}\n`));
});

test("GradCache has one loss, however large its chunks are", () => {
  for (const size of [1, 2, 4, 8]) assert.strictEqual(found(size, "cached"), found(8, "parts"));
  assert.strictEqual(facts(data, 2, "cached").held, 2);
});

test("alone, a query has nothing to get wrong", () => {
  assert.strictEqual(loss(data.cosines, 1, data.scale), 0);
  assert.strictEqual(facts(data, 2, "parts").seen, 16);
});

test("a loss by hand", () => {
  assert.ok(
    Math.abs(
      loss(
        [
          [1, 0],
          [1, 0],
        ],
        2,
        1,
      ) -
        (Math.log(1 + Math.exp(-1)) + Math.log(1 + Math.E)) / 2,
    ) < 1e-12,
  );
});
