"use strict";

const assert = require("node:assert");
const { test } = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/batches-and-rows.js");
const { dataOf, printed } = require("./chapter.js");

const { operations, speed, batches, cost, total } = Figures.all["batches-and-rows"].parts;
const data = dataOf(34, "fig-batches");
const rate = (size, sorted, packed) => total(data, { size, sorted, packed }).rate;

test("the operations are those that the chapter counts", () => {
  const [first] = data.lengths;
  const pooler = printed(34).match(/a text of (\d+) tokens: (\d+) million operations/);
  assert.strictEqual(first, Number(pooler[1]));
  assert.strictEqual((operations(first, data.shape) / 1e6).toFixed(0), pooler[2]);
  const all = total(data, { size: 1, sorted: false, packed: false });
  assert.ok(printed(34).includes(`all ${data.lengths.length}: ${(all.needed / 1e9).toFixed(0)} billion`));
  assert.strictEqual(all.done, all.needed);
});

test("batches pad as much as the chapter counts", () => {
  for (const [sorted, done] of [
    [false, data.done.given],
    [true, data.done.sorted],
  ]) {
    const found = total(data, { size: 32, sorted, packed: false }).done;
    assert.ok(Math.abs(found - done) < 1e-4 * done, `${found} and ${done}`);
  }
});

test("speeds are those measured, and between them in between", () => {
  for (const [rows, measured] of data.measured) assert.strictEqual(speed(rows, data.measured), measured);
  assert.strictEqual(speed(1, data.measured), data.measured[0][1]);
  assert.ok(
    Math.abs(
      speed(32, [
        [16, 100],
        [64, 200],
      ]) - 150,
    ) < 1e-9,
  );
});

test("what the chapter's steps gain", () => {
  assert.ok(rate(32, false, false) < rate(32, true, false));
  assert.ok(rate(32, true, false) < rate(32, true, true));
  assert.deepStrictEqual(batches([3, 9, 5], 2, true), [[9, 5], [3]]);
  assert.strictEqual(cost([3, 9, 5], false, data).rows, 27);
});
