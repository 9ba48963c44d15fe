/* The Rust port in WebAssembly, from JavaScript: files go in, questions are answered. A plain script, for a page, a worker and
   Node alike. */
"use strict";

/** What a compiled module of rust_ports/wasm answers. */
class Encoders {
  constructor(module) {
    this.exports = new WebAssembly.Instance(module, {}).exports;
  }

  /** Hands over a file: text or bytes. Weights in eight bits have a name that ends in .int8. */
  file(name, content) {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    this._answer(this.exports.file(...this._room(new TextEncoder().encode(name)), ...this._room(bytes)));
  }

  /** Frees what a file takes, once the model that is made of it is loaded. */
  forgetFile(name) {
    this.exports.forget_file(...this._room(new TextEncoder().encode(name)));
  }

  /** The answer to a question, such as {do: "embed", name: "minilm", texts: ["a cat"]}. */
  ask(question) {
    const bytes = new TextEncoder().encode(JSON.stringify(question));
    return this._answer(this.exports.ask(...this._room(bytes)));
  }

  _room(bytes) {
    const start = this.exports.room(bytes.length);
    // Memory that has grown is another buffer, so it is looked up each time.
    new Uint8Array(this.exports.memory.buffer, start, bytes.length).set(bytes);
    return [start, bytes.length];
  }

  _answer(start) {
    const memory = this.exports.memory.buffer;
    const length = new DataView(memory).getUint32(start, true);
    const answer = JSON.parse(new TextDecoder().decode(new Uint8Array(memory, start + 4, length)));
    if (answer.error) throw new Error(answer.error);
    return answer;
  }
}

if (typeof module !== "undefined") module.exports = { Encoders };
