"use strict";

const assert = require("node:assert");
const { test } = require("node:test");
const search = require("../../../book/_static/search.js");

// page, anchor, kind, title, prose, names of code
const BOOK = {
  pages: [
    ["a.html", "1. Rotary positions"],
    ["b.html", "2. Pooling"],
    ["glossary.html", "Glossary"],
  ],
  entries: [
    [0, "turning", search.SECTION, "1.1. Turning a pair", "RoPE turns each pair of features.", ""],
    [0, "padding", search.SECTION, "1.2. Padding", "A mask keeps the padding out.", ""],
    [1, "mean", search.SECTION, "2.1. Mean pooling", "The mean over tokens.", "mean_pooling"],
    [1, "other", search.SECTION, "2.2. Other ways", "Rather the CLS token than a mean.", ""],
    [1, "listing", search.SECTION, "2.3. A listing", "Three forms of it.", "pool/rope_tables.py"],
    [2, "term-mask", search.TERM, "attention mask", "Tells tokens from padding.", ""],
    [1, "exercise-2-1", search.EXERCISE, "Exercise 2.1", "Show that a mean is no maximum.", ""],
  ],
  synonyms: [["RoPE", "rotary", "rotary positions"]],
};
const index = search.buildIndex(BOOK);
const anchors = (query) =>
  search.find(index, query).results.map(({ number }) => BOOK.entries[number][1]);
const text = (parts) => parts.map((part) => (part.marked ? `<${part.text}>` : part.text)).join("");

test("forms of one word have one stem", () => {
  for (const forms of [
    ["token", "tokens"],
    ["vocabulary", "vocabularies"],
    ["pad", "padding", "padded", "pads"],
    ["mask", "masks", "masked", "masking"],
    ["normalize", "normalizes", "normalized", "normalizing"],
    ["embedding", "embeddings", "embedded"],
    ["loss", "losses"],
    ["bias", "bias’s"],
  ]) {
    assert.strictEqual(new Set(forms.map(search.stem)).size, 1, forms.join(" "));
  }
});

test("other words stay apart", () => {
  for (const [one, other] of [["mass", "mas"], ["axis", "axi"], ["need", "ne"], ["ring", "r"]]) {
    assert.notStrictEqual(search.stem(one), search.stem(other));
  }
});

test("words know where they stand, and lose case and accents", () => {
  const [first, second] = search.tokens("Clavié’s RoPE");
  assert.deepStrictEqual(first, { stem: search.stem("clavie"), start: 0, end: 8 });
  assert.deepStrictEqual(second, { stem: "rope", start: 9, end: 13 });
});

test("words that say nothing are not asked for, unless there are no others", () => {
  const shown = (query) => search.wordsOfQuery(query).map((word) => word.shown);
  assert.deepStrictEqual(shown("how to mask the padding"), ["mask", "padding"]);
  assert.deepStrictEqual(shown("to be"), ["to", "be"]);
});

test("a heading comes before a term, a term before prose, prose before code", () => {
  assert.deepStrictEqual(anchors("padding").slice(0, 2), ["padding", "term-mask"]);
  assert.deepStrictEqual(anchors("mask").slice(0, 2), ["term-mask", "padding"]);
  assert.deepStrictEqual(anchors("mean").slice(0, 2), ["mean", "other"]);
  assert.deepStrictEqual(anchors("pool").at(-1), "exercise-2-1"); // only its page is about it
});

test("a synonym finds, and is marked", () => {
  const found = search.find(index, "rotary");
  assert.strictEqual(anchors("rotary")[0], "turning");
  assert.match(text(search.excerpt(BOOK.entries[0][4], found.phrases)), /^<RoPE> turns/);
  assert.ok(anchors("rotary positions").includes("turning"));
});

test("a beginning finds, and a letter or two do not", () => {
  assert.ok(anchors("maxim").includes("exercise-2-1"));
  assert.deepStrictEqual(anchors("ma"), []);
});

test("all words are asked for first, then some", () => {
  assert.ok(search.find(index, "mean tokens").complete);
  const found = search.find(index, "mean zebra");
  assert.ok(!found.complete && found.results.length > 0);
  assert.deepStrictEqual(search.find(index, "zebra").results, []);
  assert.deepStrictEqual(search.find(index, "").results, []);
  assert.deepStrictEqual(search.find(index, "?!").results, []);
});

test("a name of code that stands as it was typed comes first", () => {
  assert.strictEqual(anchors("mean_pooling")[0], "mean");
  assert.strictEqual(anchors("rope_tables.py")[0], "listing");
});

test("a slip is a letter or two away", () => {
  assert.strictEqual(search.edits("mask", "maks"), 1);
  assert.strictEqual(search.edits("pooling", "poolin"), 1);
  assert.strictEqual(search.nearest(index, "maks"), "mask");
  assert.strictEqual(search.nearest(index, "mask"), null);
  assert.strictEqual(search.nearest(index, "zxqwvv"), null);
});

test("marks are whole words, and synonyms whole phrases", () => {
  const marked = (words, phrases) => text(search.pieces(words, search.marks(words, phrases)));
  assert.strictEqual(marked("properties of RoPE", [["rope"]]), "properties of <RoPE>");
  assert.strictEqual(
    marked("Position by position: rotary positions.", [["rotary", "position"]]),
    "Position by position: <rotary positions>.",
  );
});

test("an excerpt is cut between words, around what was looked for", () => {
  const long = `${"One more sentence without it. ".repeat(30)}Here is the needle. ${"And on. ".repeat(60)}`;
  const shown = text(search.excerpt(long, [["needl"]], 120));
  assert.match(shown, /^… Here is the <needle>\./);
  assert.match(shown, /\S …$/);
  assert.ok(shown.length < 140);
  assert.strictEqual(text(search.excerpt("Short.", [["needl"]])), "Short.");
});

test("an address keeps what is to be marked", () => {
  const phrases = [["rotary"], ["rotary", "position"]];
  const [, query] = search.address("a.html", "turning", phrases).match(/^a\.html(\?.*)#turning$/);
  assert.deepStrictEqual(search.phrasesOfAddress(query), phrases);
  assert.deepStrictEqual(search.phrasesOfAddress("?q=other"), []);
});
