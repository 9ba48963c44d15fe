// Words in pieces, held against Transformers' tokenizer.
"use strict";

const assert = require("node:assert");
const { test } = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/greedy-cut.js");
const { dataOf, printed } = require("./chapter.js");

const { read, words, cut, told } = Figures.all["greedy-cut"].parts;
const data = dataOf(4, "fig-greedy-cut");
const vocabulary = read(data);
const pieces = (text) =>
  cut(text, vocabulary)
    .flatMap((one) => one.pieces)
    .join(" ");

test("the vocabulary is complete", () => {
  assert.strictEqual(vocabulary.beginnings.size + vocabulary.others.size, data.pieces);
});

test("the chapter's words are cut as the chapter prints them", () => {
  for (const word of ["station", "unpronounceable", "tokenization", "szczebrzeszyn", "✓"]) {
    const line = printed(4)
      .split("\n")
      .find((text) => text.startsWith(`${word} `));
    assert.strictEqual(pieces(word), line.slice(word.length).trim());
  }
});

test("so are words that the tokenizer was asked for", () => {
  const asked = {
    "kitten naps windowsill": "kitten nap ##s windows ##ill",
    embeddings: "em ##bed ##ding ##s",
    antidisestablishmentarianism: "anti ##dis ##est ##ab ##lish ##ment ##arian ##ism",
    "Kubernetes, PyTorch": "ku ##ber ##net ##es , p ##yt ##or ##ch",
    "Café, naïve": "cafe , naive",
    zażółć: "za ##zo ##ł ##c",
    привет: "п ##р ##и ##в ##е ##т",
    日本: "日 本",
    "7.5 %": "7 . 5 %",
    "don't": "don ' t",
    "a✓b": "[UNK]",
  };
  for (const [text, expected] of Object.entries(asked)) assert.strictEqual(pieces(text), expected);
});

test("a long word is unknown without a try", () => {
  assert.strictEqual(pieces("a".repeat(101)), "[UNK]");
  assert.notStrictEqual(pieces("a".repeat(100)), "[UNK]");
});

test("the longest piece is tried first", () => {
  const [{ tries }] = cut("unpronounceable", vocabulary);
  assert.strictEqual(
    tries.findIndex((one) => one.known),
    13,
  );
  assert.strictEqual(tries[13].tried, "un");
  assert.match(told(tries[0]), /^unpronounceable is not/);
});

test("a text is cut at blanks and around punctuation first", () => {
  assert.deepStrictEqual(words(" Is it, Élan? "), ["is", "it", ",", "elan", "?"]);
});
