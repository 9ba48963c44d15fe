/* Answers questions, one a line, with the page's WebAssembly: node model_in_node.js FILE.wasm.gz. A question {put: [name, path]} hands
   over a file of the disk. */
"use strict";
const fs = require("node:fs");
const zlib = require("node:zlib");
const readline = require("node:readline");
const { Encoders } = require("./_static/model/encoders.js");

const encoders = new Encoders(new WebAssembly.Module(zlib.gunzipSync(fs.readFileSync(process.argv[2]))));

function answer(question) {
  if (!question.put) return encoders.ask(question);
  const [name, path] = question.put;
  encoders.file(name, fs.readFileSync(path));
  return {};
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  let told;
  try {
    told = answer(JSON.parse(line));
  } catch (problem) {
    told = { error: problem.message };
  }
  process.stdout.write(JSON.stringify(told) + "\n");
});
