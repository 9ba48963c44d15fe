// The heads' weights, held against what the chapter prints of them.
"use strict";

const assert = require("node:assert");
const { test } = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/all-heads.js");
const { dataOf, printed } = require("./chapter.js");

const { weightsOf, mostLookedAt, neighbour, written } = Figures.all["all-heads"].parts;
const { sentences } = dataOf(5, "fig-two-heads");
const [{ tokens, heads }] = sentences;

test("each query's weights add up to one, but for rounding", () => {
  for (const sentence of sentences) {
    for (const text of sentence.heads.flat()) {
      for (const row of weightsOf(text, sentence.tokens.length)) {
        const sum = row.reduce((one, other) => one + other, 0);
        assert.ok(sum > 100 - sentence.tokens.length && sum < 100 + sentence.tokens.length, `${sum}`);
      }
    }
  }
});

test("the two cats look at each other as the chapter says", () => {
  const weights = weightsOf(heads[2][9], tokens.length);
  const [first, second] = tokens.flatMap((token, place) => (token === "cat" ? [place] : []));
  const both = [weights[first][second], weights[second][first]].map(written);
  const line = `each cat's weight on the other ${both.join(" and ")}`;
  assert.ok(printed(5).includes(line), line);
  assert.deepStrictEqual(mostLookedAt(weights[first], tokens, 1)[0].slice(0, 2), ["cat", second]);
});

test("layer 0, head 2 looks at the token before", () => {
  const weights = weightsOf(heads[0][2], tokens.length);
  for (let at = 1; at < tokens.length; at++) assert.strictEqual(written(weights[at][at - 1]), "nearly 1");
});

test("arrow keys stay on the grid", () => {
  assert.deepStrictEqual(neighbour(0, 0, "ArrowRight", 6, 12), { layer: 0, head: 1 });
  assert.strictEqual(neighbour(0, 0, "ArrowUp", 6, 12), null);
  assert.strictEqual(neighbour(5, 11, "Enter", 6, 12), null);
});
