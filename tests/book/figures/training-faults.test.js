"use strict";

const assert = require("node:assert");
const { test } = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/training-faults.js");
const { dataOf, printed } = require("./chapter.js");

const { facts, unnamed, few, summary } = Figures.all["training-faults"].parts;
const data = dataOf(26, "fig-training-faults");
const names = Object.keys(data.losses);

test("the lines say what the chapter's table says", () => {
  for (const name of names) {
    const row = new RegExp(`^${name} +(\\d+) +(\\S+) +(\\d+) .*   (\\w+), `, "m").exec(printed(26));
    const { first, most, gates } = facts(data.away[name], data.gate);
    assert.strictEqual(first, Number(row[1]), name);
    assert.strictEqual(Number(most.toExponential(0)), Number(row[2]), name);
    // The gate is measured: another run of the chapter has another.
    assert.ok(gates > row[3] / 1.6 && gates < row[3] * 1.6, `${name}: ${gates} and ${row[3]}`);
    assert.strictEqual(data.nearest[name], row[4]);
  }
});

test("every fault comes without its name before one comes again", () => {
  assert.strictEqual(new Set(names.map((_, round) => unnamed(names, round))).size, names.length);
});

test("a guess is told whether it is right, and no name is told before", () => {
  const state = { shown: "no_decay", guess: null, hidden: true, step: 3 };
  assert.ok(!summary(data, state).includes("no decay"));
  assert.match(summary(data, { ...state, guess: "decay_on_norms" }), /^No: with decay on norms/);
  assert.match(summary(data, { ...state, guess: "no_decay", hidden: false }), /^Yes, it is no decay/);
  assert.match(summary(data, { shown: "dropped_last_group", guess: null, step: 39 }), /no step 39 any more/);
});

test("numbers are short", () => {
  assert.deepStrictEqual([0, 3.2e-7, 0.0123, 4.2, 95141.2].map(few), ["0", "3 · 10⁻⁷", "0.012", "4.2", "95,141"]);
});
