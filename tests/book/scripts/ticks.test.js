"use strict";

const assert = require("node:assert");
const { test } = require("node:test");
const { changed, counts, line, parse } = require("../../../book/_static/ticks.js");

const NOTHING = { read: [], tried: [] };

test("what is no list of ticks is none", () => {
  for (const text of [null, "", "3", "null", "{}", "[]", '{"read": "all"}', '{"read": [1], "tried": []}']) {
    assert.deepStrictEqual(parse(text), NOTHING, String(text));
  }
  assert.deepStrictEqual(parse('{"read": ["a"], "tried": []}'), { read: ["a"], tried: [] });
});

test("a tick goes in once, and out", () => {
  const once = changed(NOTHING, "read", "a", true);
  assert.deepStrictEqual(changed(once, "read", "a", true), { read: ["a"], tried: [] });
  assert.deepStrictEqual(changed(once, "read", "a", false), NOTHING);
  assert.deepStrictEqual(NOTHING, { read: [], tried: [] });
});

test("what the book no longer has does not count", () => {
  const ticks = { read: ["a", "gone"], tried: ["exercise-1-1", "exercise-9-9"] };
  const found = counts(ticks, { a: ["exercise-1-1", "exercise-1-2"], b: [] });
  assert.deepStrictEqual(found, { read: 1, chapters: 2, tried: 1, exercises: 2 });
  assert.strictEqual(
    line(found), "You have read 1 of 2 chapters and tried 1 of 2 exercises.",
  );
});
