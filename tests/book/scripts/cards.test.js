"use strict";

const assert = require("node:assert");
const { test } = require("node:test");
const { kindOf, placeFor } = require("../../../book/_static/cards.js");

const VIEW = { width: 400, height: 600, top: 40 };
const link = (left, top) => ({ left, top, bottom: top + 20 });

test("an anchor says what it is of", () => {
  assert.deepStrictEqual(kindOf("../book/glossary.html#term-GELU", false).kind, "terms");
  assert.deepStrictEqual(kindOf("#fig-dials", false), { kind: "figures", anchor: "fig-dials" });
  assert.deepStrictEqual(kindOf("08.html#exercise-8-2", false).kind, "exercises");
  assert.deepStrictEqual(kindOf("bibliography.html#id5", true).kind, "references");
  for (const other of ["#exercises", "#parity", "08.html", "", null]) {
    assert.strictEqual(kindOf(other, false), null);
  }
});

test("a card stands below its link where there is room, or else above", () => {
  const card = { width: 200, height: 100 };
  assert.strictEqual(placeFor(link(50, 100), card, VIEW).top, 126);
  assert.strictEqual(placeFor(link(50, 550), card, VIEW).top, 550 - 6 - 100);
});

test("a card covers no link and leaves no view, however large it is", () => {
  for (const height of [50, 300, 5000]) {
    for (let top = 40; top <= 580; top += 20) {
      for (const left of [0, 200, 390]) {
        const place = placeFor(link(left, top), { width: 300, height }, VIEW);
        const isBelow = place.top >= top + 20;
        const isAbove = place.top + place.height <= top;
        assert.ok(isBelow || isAbove, `${height} ${top}`);
        assert.ok(place.left >= 0 && place.left + 300 <= VIEW.width);
        assert.ok(place.top >= VIEW.top && place.top + place.height <= VIEW.height);
      }
    }
  }
});
