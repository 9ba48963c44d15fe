// Labels as answers, held against the chapter's counts.
"use strict";
const assert = require("node:assert");
const test = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/zero-shot-wording.js");
const { dataOf } = require("./chapter.js");

const { probabilities, right } = Figures.all["zero-shot-wording"].parts;
const DATA = dataOf("18", "zero-shot-wording");
const count = (values) => values.filter(Boolean).length;

test("as many texts are right as the chapter counts, as it is and calibrated", () => {
  const [long, short] = DATA.templates;
  const found = [long, short].flatMap((asked) => [0, 1].map((part) => count(right(asked, DATA.answers, part))));
  assert.deepStrictEqual(found, [4, 7, 6, 7]);
});

test("the legend has the chapter's probabilities", () => {
  const { logs, prior } = DATA.templates[0];
  const rounded = (part) => probabilities(logs[7], prior, part, 1).map((value) => value.toFixed(2));
  assert.deepStrictEqual(rounded(0), ["0.01", "0.02", "0.85", "0.13", "0.00"]);
  assert.deepStrictEqual(rounded(1), ["0.02", "0.09", "0.15", "0.73", "0.01"]);
});

test("a temperature changes how sure an answer is, and never which it is", () => {
  const { logs, prior } = DATA.templates[0];
  const [cold, hot] = [0.25, 4].map((temperature) => probabilities(logs[0], prior, 0, temperature));
  assert.strictEqual(cold.indexOf(Math.max(...cold)), hot.indexOf(Math.max(...hot)));
  assert.ok(Math.max(...cold) > Math.max(...hot));
});
