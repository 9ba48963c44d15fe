"use strict";

const assert = require("node:assert");
const { test } = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/shortened-text.js");
const { dataOf } = require("./chapter.js");

const { reach, wordsCut, summary } = Figures.all["shortened-text"].parts;
const { text, base, factors, measured } = dataOf(28, "fig-char-looks");
const block = factors.at(-1);

function depends(settings, position) {
  const [first, last] = reach({ length: text.length, base, block, ...settings }, position).seen;
  return last - first + 1;
}

test("a position depends on as many characters as the gradients say", () => {
  assert.deepStrictEqual(
    measured.shortened.map((_, position) => depends({ attends: false }, position)),
    measured.shortened,
  );
  assert.deepStrictEqual(
    measured["after attention"].map((_, position) => depends({ attends: true }, position)),
    measured["after attention"],
  );
});

test("without shortening, a position reads its neighbours", () => {
  assert.deepStrictEqual(reach({ length: 128, base: 5, block: 1, attends: false }, 7), { own: [7, 7], seen: [5, 9] });
  assert.deepStrictEqual(reach({ length: 17, base: 1, block: 4, attends: false }, 4), {
    own: [16, 16],
    seen: [16, 16],
  });
});

test("words are cut where a step ends", () => {
  assert.deepStrictEqual(wordsCut("tokenizer on", 4), { words: 2, cut: 1 });
  assert.deepStrictEqual(wordsCut("···tokenizer", 4), { words: 1, cut: 1 });
  assert.deepStrictEqual(wordsCut("on it", 3), { words: 2, cut: 0 });
});

test("the scores are the chapter's", () => {
  const said = (by) => summary({ text, block: by, base, attends: false, asked: 0 });
  assert.match(said(16), / 64 scores a head/);
  assert.match(said(1), / 16,384 scores a head/);
});
