// What a chapter's notebook holds: the data of its figures to move, and what its cells printed.
"use strict";

const { readFileSync, readdirSync } = require("node:fs");
const { join } = require("node:path");

const CHAPTERS = join(__dirname, "..", "..", "..", "chapters");

function outputs(number) {
  const file = readdirSync(CHAPTERS).find((name) => name.startsWith(`${String(number).padStart(2, "0")}_`));
  return JSON.parse(readFileSync(join(CHAPTERS, file), "utf8")).cells.flatMap((cell) => cell.outputs || []);
}

/** The data of the figure with the given name, or with a script of that name. */
function dataOf(number, name) {
  const pages = outputs(number).map((output) => [(output.data || {})["text/html"] || []].flat().join(""));
  const page = pages.find((html) => html.includes(`id="${name}" data-figure=`) || html.includes(`data-figure="${name}"`));
  return JSON.parse(/<script type="application\/json">(.*?)<\/script>/s.exec(page)[1]);
}

/** All that the chapter printed. */
function printed(number) {
  return outputs(number)
    .flatMap((output) => output.text || [])
    .join("");
}

module.exports = { dataOf, printed };
