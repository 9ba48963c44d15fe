// Each step of a token's way, worked out again from the numbers that are shown, to all of their digits.
"use strict";

const assert = require("node:assert");
const { test } = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/token-through-layer.js");
const { dataOf, printed } = require("./chapter.js");

const { scoreParts, softmax, mix, addAndNorm, below, gelu, written } = Figures.all["token-through-layer"].parts;
const { sentences } = dataOf(5, "fig-token-through-layer");
const of = (numbers) => numbers.map((number) => number / 1000);
const everyRow = (look) => sentences.forEach((sentence) => sentence.rows.forEach((row) => look(row, sentence)));
const same = (found, wanted) => assert.deepStrictEqual(found.map(thousandths), wanted);
const thousandths = (number) => Math.round(1000 * number) + 0; // and -0 is 0

test("there are sentences to choose from, and all of their tokens", () => {
  assert.ok(sentences.length >= 3);
  everyRow((row, { rows, tokens }) => {
    assert.strictEqual(rows.length, tokens.length);
    assert.strictEqual(row.features.length, 4);
    assert.strictEqual(row.mixed.length, 2);
  });
});

test("what each feature adds and the others make the score", () => {
  everyRow((row, { rows }) => {
    row.scores.forEach((score, at) => {
      const { parts, others } = scoreParts(of(row.head[0]), of(rows[at].head[1]), score / 1e4);
      const shown = [...parts, others].map((part) => Math.round(1e4 * part));
      assert.strictEqual(
        shown.reduce((one, other) => one + other, 0),
        score,
      );
    });
  });
});

test("softmax of the scores gives the model's weights", () => {
  everyRow((row) => {
    const scores = row.scores.map((score) => score / 1e4);
    same(softmax(scores).weights, row.weights);
    const sum = row.weights.reduce((one, other) => one + other, 0);
    assert.ok(Math.abs(sum - 1000) <= row.weights.length / 2, `${sum}`);
  });
});

test("the weighted values add up to the model's context", () => {
  everyRow((row) => {
    const columns = [0, 1].map((column) => of(row.values.map((value) => value[column])));
    same(
      columns.map((values) => mix(of(row.weights), values)),
      row.context,
    );
  });
});

test("sum, norm, scale and shift give the model's vector, twice", () => {
  everyRow((row) => {
    same(addAndNorm(of(row.into), row.first).out, row.first.out);
    same(addAndNorm(of(row.first.out), row.second).out, row.second.out);
    row.into.forEach((number, i) => {
      assert.strictEqual(thousandths(addAndNorm(of(row.into), row.first).sums[i]), number + row.first.added[i]);
    });
  });
});

test("what is normed is near nothing on the whole, with variance 1", () => {
  const { about } = sentences[0].rows[2].first;
  const { deviation } = addAndNorm([0], { added: [0], scale: [1000], shift: [0], about });
  assert.ok(Math.abs(deviation ** 2 - about[1] / 1e6) < 1e-4);
});

test("GELU of what is shown gives what is shown", () => {
  everyRow((row) => same(of(row.before).map(gelu), row.after));
  assert.strictEqual(below(0), 0.5);
  assert.strictEqual(below(1), 0.8413);
  assert.strictEqual(below(-1.96), 0.025);
  assert.deepStrictEqual([below(9), below(-9)], [1, 0]);
});

test("the two cats' weights are those that the chapter prints", () => {
  const { tokens, rows } = sentences[0];
  const [first, second] = tokens.flatMap((token, place) => (token === "cat" ? [place] : []));
  const both = [rows[first].weights[second], rows[second].weights[first]].map((weight) => (weight / 1000).toFixed(2));
  const line = `each cat's weight on the other ${both.join(" and ")}`;
  assert.ok(printed(5).includes(line), line);
});

test("the vector's length is that of more than the four features shown", () => {
  everyRow((row) => assert.ok(Math.hypot(...row.into) < row.lengths[0]));
});

test("numbers are written with the sign of print, and nothing has none", () => {
  assert.strictEqual(written(-0.2504), "−0.250");
  assert.strictEqual(written(-0.00001), "0.000");
  assert.strictEqual(written(1.23456, 4), "1.2346");
});
