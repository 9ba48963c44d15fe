"use strict";

const assert = require("node:assert");
const { test } = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/heads-and-shapes.js");
const { dataOf, printed } = require("./chapter.js");

const { steps, parameters, products } = Figures.all["heads-and-shapes"].parts;
const base = { texts: 2, tokens: 9, labels: 3, tied: true, ...dataOf(12, "fig-modernbert-heads") };
const small = { ...base, texts: 1, hidden: 192, vocab: 6144 };
const text = (number) => number.toLocaleString("en");

test("the logits have the shapes of the official example", () => {
  const ways = {
    MaskedLM: { head: "word", tokens: 10 },
    SequenceClassification: { head: "text", labels: 12 },
    TokenClassification: { head: "token", tokens: 13, labels: 5 },
  };
  for (const [name, itsOwn] of Object.entries(ways)) {
    const shape = steps({ ...small, ...itsOwn })
      .at(-1)
      .shape.join(", ");
    assert.match(printed(12), new RegExp(`${name} +logits \\[${shape}\\]`));
  }
  assert.deepStrictEqual(steps({ ...small, head: "choice", texts: 3 }).at(-1).shape, [1, 3]);
});

test("the parameters are those of exercise 12.1", () => {
  const [tied, untied] = [true, false].map((value) => parameters({ ...base, head: "word", tied: value }));
  assert.ok(printed(12).includes(`${text(tied)} more, and ${text(untied - tied)} for an untied decoder`));
});

test("only some heads pool, and classifier_bias is the dense layer's", () => {
  assert.deepStrictEqual(
    ["word", "text", "token", "choice"].map((head) => steps({ ...base, head }).length),
    [4, 5, 4, 5],
  );
  const [without, with_] = [false, true].map((denseBias) => parameters({ ...base, head: "text", denseBias }));
  assert.strictEqual(with_ - without, base.hidden);
});

test("head and decoder take the chapter's multiplications for a token", () => {
  const millions = products({ ...base, head: "word", texts: 1, tokens: 1 }) / 1e6;
  assert.ok(printed(12).includes(`head and decoder ${millions.toFixed(1)} million`));
});
