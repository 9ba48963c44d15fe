// What a chapter stored for its figure: the numbers that a page hands to the figure's script.
"use strict";
const fs = require("node:fs");
const path = require("node:path");

const CHAPTERS = path.join(__dirname, "../../../chapters");

/** The data of the figure of that script in the chapter of that number. */
function stored(chapter, name) {
  const file = fs.readdirSync(CHAPTERS).find((each) => each.startsWith(`${chapter}_`) && each.endsWith(".ipynb"));
  const { cells } = JSON.parse(fs.readFileSync(path.join(CHAPTERS, file), "utf8"));
  const pages = cells.flatMap((cell) => cell.outputs ?? []).map((output) => output.data?.["text/html"] ?? []);
  const page = pages.map((lines) => [lines].flat().join("")).find((html) => html.includes(`data-figure="${name}"`));
  return JSON.parse(/<script type="application\/json">(.*?)<\/script>/s.exec(page)[1]);
}

module.exports = { stored };
