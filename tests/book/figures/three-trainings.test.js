// Three trainings, on what the chapter stored.
"use strict";
const assert = require("node:assert");
const test = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/three-trainings.js");
const { dataOf } = require("./chapter.js");

const { lastPlace, enlarged, firstApart } = Figures.all["three-trainings"].parts;

test("the last place is the distance to the next float32", () => {
  for (const value of [0.7, 1, 3.9, 4.2616, 5.1]) {
    const bits = new Uint32Array(new Float32Array([value]).buffer);
    const next = new Float32Array(new Uint32Array([bits[0] + 1]).buffer)[0];
    assert.strictEqual(lastPlace(Math.fround(value)), next - Math.fround(value));
  }
});

test("a curve that is enlarged once is the framework's own", () => {
  assert.deepStrictEqual(enlarged([5, 4], [0, -2e9], 1), [5, 2]);
  assert.strictEqual(firstApart([0, 500, -2000], 1e-6), 3);
  assert.strictEqual(firstApart([0, 1], 1), null);
});

test("the first losses are those that the chapter prints, in all three", () => {
  const { losses, apart } = dataOf("23", "three-trainings");
  const shown = (curve) => [0, 1, 9, 19].map((i) => curve[i].toFixed(4));
  const expected = ["5.1025", "5.0835", "4.9190", "4.6576"];
  for (const curve of [losses, ...Object.values(apart).map((each) => enlarged(losses, each, 1))])
    assert.deepStrictEqual(shown(curve), expected);
});
