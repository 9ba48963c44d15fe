/* The worker in which a model runs, so that the page stays quick. It is sent the compiled module, then files and questions. */
"use strict";

let encoders = null;

async function unpacked(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

/** Hands over the files that lie in a row after the line with their names and lengths. */
function handOver(folder, bytes) {
  const end = bytes.indexOf(10);
  let start = end + 1;
  for (const [name, length] of JSON.parse(new TextDecoder().decode(bytes.subarray(0, end)))) {
    encoders.file(`${folder}/${name}`, bytes.subarray(start, start + length));
    start += length;
  }
}

async function answer({ wasm, folder, bytes, forget, question }) {
  if (wasm) encoders = new Encoders(await WebAssembly.compile(await unpacked(wasm)));
  if (folder) handOver(folder, new Uint8Array(bytes));
  if (forget) encoders.forgetFile(forget);
  return question ? encoders.ask(question) : {};
}

onmessage = async ({ data }) => {
  try {
    postMessage({ number: data.number, answer: await answer(data) });
  } catch (problem) {
    postMessage({ number: data.number, problem: problem.message || String(problem) });
  }
};
