/* Loads models into a page, on a click: from the browser's own store if they are there, else from the scripts beside this one,
   which works for pages that are opened as files too. */
"use strict";

const PageModels = (function () {
  const base = typeof document === "undefined" ? "" : document.currentScript.src.replace(/[^/]*$/, "");
  const waiting = {}; // parts that are on their way, by name and number
  let manifest = null;
  let asking = null; // for the manifest, once
  let started = null; // the worker, once for a page
  let asked = 0;

  function script(name) {
    return new Promise((done, failed) => {
      const element = document.createElement("script");
      element.src = base + name;
      element.onload = () => (element.remove(), done());
      element.onerror = () => failed(new Error(`${name} could not be loaded`));
      document.head.append(element);
    });
  }

  function told(what) {
    manifest = what;
  }

  function arrived(name, number, text) {
    waiting[`${name}-${number}`] = text;
  }

  /** base64 as bytes. */
  function decoded(text) {
    const letters = atob(text);
    const bytes = new Uint8Array(letters.length);
    for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
    return bytes;
  }

  /** The parts, one after another; `progress(bytes)` is told of each. */
  async function fetched(name, { parts, bytes }, progress) {
    const whole = new Uint8Array(bytes);
    let end = 0;
    for (let number = 0; number < parts; number++) {
      await script(`${name}-${number}.js`);
      const part = decoded(waiting[`${name}-${number}`]);
      delete waiting[`${name}-${number}`];
      whole.set(part, end);
      end += part.length;
      progress(part.length);
    }
    return whole;
  }

  /* The store is a convenience: where it is not to be had (a private window), all is loaded each time. */

  function opened() {
    return new Promise((done, failed) => {
      const request = indexedDB.open("encoders-three-ways", 1);
      request.onupgradeneeded = () => request.result.createObjectStore("models");
      request.onsuccess = () => done(request.result);
      request.onerror = request.onblocked = () => failed(request.error);
    });
  }

  async function inStore(mode, work) {
    try {
      const base = await opened();
      return await new Promise((done, failed) => {
        const request = work(base.transaction("models", mode).objectStore("models"));
        request.onsuccess = () => done(request.result);
        request.onerror = () => failed(request.error);
      });
    } catch (problem) {
      return undefined;
    }
  }

  /** Keeps what was loaded under its version, and nothing of that name under others. */
  async function keep(name, version, bytes) {
    const keys = (await inStore("readonly", (store) => store.getAllKeys())) || [];
    for (const key of keys.filter((key) => key.startsWith(`${name} `))) {
      await inStore("readwrite", (store) => store.delete(key));
    }
    await inStore("readwrite", (store) => store.put(bytes, `${name} ${version}`));
  }

  async function content(name, progress) {
    const about = manifest.contents[name];
    const kept = await inStore("readonly", (store) => store.get(`${name} ${about.version}`));
    if (kept && kept.length === about.bytes) {
      progress(kept.length);
      return kept;
    }
    const bytes = await fetched(name, about, progress);
    await keep(name, about.version, bytes);
    return bytes;
  }

  function start() {
    // From a text: a page that is opened as a file may not start a worker from another one.
    const worker = new Worker(URL.createObjectURL(new Blob([manifest.worker], { type: "text/javascript" })));
    const open = {};
    worker.onmessage = ({ data }) => {
      const { done, failed } = open[data.number];
      delete open[data.number];
      if (data.problem) failed(new Error(data.problem));
      else done(data.answer);
    };
    worker.onerror = (event) => Object.values(open).forEach(({ failed }) => failed(new Error(event.message)));
    return (message) =>
      new Promise((done, failed) => {
        const number = ++asked;
        open[number] = { done, failed };
        worker.postMessage({ number, ...message });
      });
  }

  /** What the page shows before anything is loaded; `examples` are data of figures. */
  async function about() {
    asking ??= script("manifest.js");
    await asking;
    return manifest;
  }

  /** How many bytes come with a model, what runs it included. */
  function size(name) {
    return manifest.contents[name].bytes + manifest.contents.wasm.bytes;
  }

  /** Loads a model; `progress(done, all)` is told in bytes. The result answers questions: ask({do: "embed", …}). */
  async function load(name, progress) {
    await about();
    const all = size(name);
    let done = 0;
    const more = (bytes) => progress((done += bytes), all);
    if (!started) {
      started = (async () => {
        const wasm = await content("wasm", more);
        const send = start();
        await send({ wasm });
        return send;
      })();
      started.catch(() => (started = null));
    }
    const send = await started;
    await send({ folder: name, bytes: (await content(name, more)).buffer });
    progress(all, all);
    const ask = (question) => send({ question });
    ask.forget = (file) => send({ forget: `${name}/${file}` });
    return ask;
  }

  return { about, arrived, decoded, load, size, told };
})();

if (typeof module !== "undefined") module.exports = PageModels;
