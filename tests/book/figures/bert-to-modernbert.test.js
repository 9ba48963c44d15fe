"use strict";

const assert = require("node:assert");
const { test } = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/bert-to-modernbert.js");
const { dataOf, printed } = require("./chapter.js");

const { changes, parameters, total, scores } = Figures.all["bert-to-modernbert"].parts;
const { bert, modern, shares } = dataOf(11, "fig-parameters");
const all = changes(bert, modern);
const with_ = (keys) =>
  Object.assign({ ...bert }, ...all.filter(([key]) => keys.includes(key)).map(([, , change]) => change));
const whole = with_(all.map(([key]) => key));

test("with no box ticked it is BERT, with all of them ModernBERT, in every part", () => {
  assert.deepStrictEqual(parameters(bert), shares.BERT);
  assert.deepStrictEqual(parameters(whole), shares.ModernBERT);
});

test("their sums are those that the chapter prints", () => {
  assert.match(
    printed(11),
    new RegExp(`all +${total(bert).toLocaleString("en")} +${total(whole).toLocaleString("en")} `),
  );
});

test("biases add what chapter 10 counts", () => {
  assert.ok(printed(10).includes(`with them      ${total({ ...whole, bias: true }).toLocaleString("en")},`));
});

test("moving the norms and joining the three matrices changes no count", () => {
  assert.strictEqual(total(with_(["norm", "wqkv"])), total(bert));
});

test("windows spare the scores that chapter 9 counts", () => {
  assert.strictEqual(scores(bert, 512), 12 * 512 ** 2);
  assert.strictEqual(scores(whole, 512), 8 * 512 ** 2 + 14 * 61888);
  assert.ok(printed(9).includes("61,888"));
});
