// Cuts of a word, by three ways that have to agree.
"use strict";
const assert = require("node:assert");
const test = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/unigram-lattice.js");
const { dataOf } = require("./chapter.js");

const { edges, bestCuts, allCuts, cutAt } = Figures.all["unigram-lattice"].parts;
const SCORES = Object.fromEntries(
  [..."abcd"]
    .map((letter) => [letter, Math.log(0.1)])
    .concat([
      ["ab", Math.log(0.3)],
      ["bc", Math.log(0.2)],
      ["cd", Math.log(0.1)],
    ]),
);
const near = (found, expected) => assert.ok(Math.abs(found - expected) < 1e-9, `${found}, not ${expected}`);

test("edges are pieces, and every character", () => {
  assert.deepStrictEqual(
    edges("abx", SCORES).map(([start, end]) => [start, end]),
    [
      [0, 1],
      [0, 2],
      [1, 2],
      [2, 3],
    ],
  );
  near(edges("abx", SCORES).at(-1)[2], Math.log(0.1) - 10);
});

test("the best cuts are in order, and all of them have all of the probability", () => {
  const cuts = bestCuts("abcd", SCORES, 100);
  assert.deepStrictEqual(cuts[0].slice(1), ["ab", "cd"]);
  const { ways, logarithm } = allCuts("abcd", SCORES);
  assert.strictEqual(cuts.length, ways);
  near(
    cuts.reduce((sum, [score]) => sum + Math.exp(score), 0),
    Math.exp(logarithm),
  );
  for (const [score, ...pieces] of cuts) {
    const places = pieces.slice(0, -1).map((_, i) => pieces.slice(0, i + 1).join("").length);
    near(cutAt("abcd", new Set(places), SCORES).score, score);
  }
});

test("a cut with a string that is no piece is none", () => {
  assert.deepStrictEqual(cutAt("abcd", new Set([3]), SCORES), {
    pieces: ["abc", "d"],
    missing: ["abc"],
    score: -Infinity,
  });
});

test("over the chapter's seeds, ▁slowest has the cuts that the chapter counts", () => {
  const { scores } = dataOf("21", "unigram-lattice");
  assert.strictEqual(edges("▁slowest", scores).length, 24);
  const [[best, ...pieces]] = bestCuts("▁slowest", scores, 1);
  assert.deepStrictEqual(pieces, ["▁slow", "est"]);
  const { ways, logarithm } = allCuts("▁slowest", scores);
  assert.strictEqual(ways, 54);
  assert.strictEqual(Math.exp(best - logarithm).toFixed(2), "0.43");
});
