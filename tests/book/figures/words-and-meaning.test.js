// A search by two scores, on what the chapter stored.
"use strict";
const assert = require("node:assert");
const test = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/words-and-meaning.js");
const { dataOf } = require("./chapter.js");

const { ranked } = Figures.all["words-and-meaning"].parts;

test("the ends are one score alone, and ties count against a question's own", () => {
  const documents = [
    { cosine: 0.5, tfidf: 0.1, own: true },
    { cosine: 0.5, tfidf: 0.3, own: false },
    { cosine: 0.1, tfidf: 0.2, own: false },
  ];
  assert.deepStrictEqual(
    ranked(documents, 0).map((one) => one.tfidf),
    [0.3, 0.2, 0.1],
  );
  assert.deepStrictEqual(
    ranked(documents, 1).map((one) => one.own),
    [false, true, false],
  );
});

test("each question has its own document among those that are shown or not, and the chapter's recall is at the end", () => {
  const { questions, hits, count } = dataOf("17", "words-and-meaning");
  for (const { documents } of questions) assert.strictEqual(documents.filter((one) => one.own).length, 1);
  const [first] = hits;
  assert.strictEqual(first.counts.at(-1) / count, 0.635);
  assert.strictEqual(first.counts[0] / count, 0.495);
});
