"use strict";

const assert = require("node:assert");
const { test } = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/sampled-gradient.js");
const { dataOf, printed } = require("./chapter.js");

const { averaged, drawn, gradient, logUniform, whole, FORMS } = Figures.all["sampled-gradient"].parts;
const { answer, models, errors } = dataOf(29, "fig-estimators");

test("the shares are the chapter's", () => {
  const shares = logUniform(200);
  const said = [0, 2, 20, 199].map((k) => `word ${k} ${(100 * shares[k]).toFixed(1)}%`).join(", ");
  assert.ok(printed(29).includes(said), said);
});

test("the confident model is one half sure", () => {
  assert.ok(Math.abs(whole(models.confident.map(Math.exp), answer)[answer] + 0.5) < 1e-3);
});

test("the whole softmax's gradient is that of its probabilities", () => {
  assert.deepStrictEqual(
    whole([1, 2, 5], 2).map((slope) => Number(slope.toFixed(3))),
    [0.125, 0.25, -0.375],
  );
  const sure = { counts: [0, 3, 0], divisors: [1, 1.5, 1] };
  assert.deepStrictEqual(gradient([1, 2, 4], 2, sure, false), [0, 0.5, -0.5]);
});

test("a word is among the negatives as often as the inclusion probability says", () => {
  const q = logUniform(200);
  const sets = Array.from({ length: 1000 }, (_, set) => drawn(FORMS["unique, E"], 20, set + 1, q));
  const mean = (numbers) => numbers.reduce((sum, number) => sum + number) / numbers.length;
  for (const word of [0, 2, 20, 199]) {
    const [counted, expected] = [
      mean(sets.map((set) => set.counts[word])),
      mean(sets.map((set) => set.divisors[word])),
    ];
    assert.ok(Math.abs(counted - expected) < 0.05, `${word}: ${counted} and ${expected}`);
  }
});

test("the errors are those of the chapter's thousand sets, but for chance", () => {
  for (const [model, forms] of Object.entries(errors)) {
    for (const [name, [sizes, values]] of Object.entries(forms)) {
      sizes.forEach((m, i) => {
        if (m > 400) return;
        const { off } = averaged(models[model], answer, name, m, 400);
        assert.ok(Math.abs(off - values[i]) < 0.05, `${model}, ${name}, ${m}: ${off} and ${values[i]}`);
      });
    }
  }
});
