/* all-MiniLM-L6-v2 in the page: the reader's sentences as tokens, vectors and cosines. The data are sentences with the vectors
   that Transformers gave for them. */
(function (Figures) {
  "use strict";
  const { node, svg } = Figures;
  const SHOWN = 6; // numbers of a vector
  const CELL = 46;
  const signed = (number, digits) => number.toFixed(digits).replace(/^-(?=[0.]*$)/, "").replace("-", "−");

  function cosine(a, b) {
    const dot = (x, y) => x.reduce((sum, number, i) => sum + number * y[i], 0);
    return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  }

  function cosines(vectors) {
    return vectors.map((a) => vectors.map((b) => cosine(a, b)));
  }

  /** The first of a list of sentences that are not empty. */
  function sentences(text, most = 8) {
    return text.split("\n").map((line) => line.trim()).filter(Boolean).slice(0, most);
  }

  function matrix(vectors) {
    const rows = cosines(vectors);
    const size = CELL * (rows.length + 0.6);
    const said = rows.map((row, i) => `sentence ${i + 1}: ${row.map((c) => c.toFixed(2)).join(", ")}`).join("; ");
    const picture = svg("svg", { viewBox: `0 0 ${size} ${size}`, role: "img", "aria-label": `cosines, ${said}` });
    picture.style.maxWidth = `${size}px`;
    rows.forEach((row, i) => {
      const along = CELL * (i + 1.1);
      picture.append(svg("text", { x: along, y: 14, "text-anchor": "middle", "font-size": 13 }, String(i + 1)));
      picture.append(svg("text", { x: 8, y: along + 4, "text-anchor": "middle", "font-size": 13 }, String(i + 1)));
      row.forEach((value, j) => picture.append(...cell(value, CELL * (j + 0.6), CELL * (i + 0.6))));
    });
    return picture;
  }

  function cell(value, x, y) {
    const strength = Math.min(1, Math.max(0, value));
    const box = { x, y, width: CELL - 2, height: CELL - 2, fill: "var(--figure-accent)", "fill-opacity": 0.5 * strength };
    const words = { x: x + CELL / 2 - 1, y: y + CELL / 2 + 4, "text-anchor": "middle", "font-size": 13 };
    return [svg("rect", { ...box, stroke: "var(--figure-faint)" }), svg("text", words, signed(value, 2))];
  }

  function aboutOne(text, tokens, vector, example) {
    const pieces = tokens.map((token) => node("span", { class: "figure-token" }, token));
    const numbers = vector.slice(0, SHOWN).map((number) => signed(number, 3)).join("  ");
    const lines = [node("div", {}, ...pieces), node("div", { class: "figure-numbers" }, `${numbers}  … ${vector.length} numbers`)];
    if (example) {
      const agreement = cosine(vector, example).toFixed(5);
      lines.push(node("div", {}, "cosine to the vector that Transformers gave: ", node("output", {}, agreement)));
    }
    return node("li", { "aria-label": text }, ...lines);
  }

  function live(box, ask, data) {
    const input = node("textarea", { rows: 4, spellcheck: false });
    input.value = data.texts.slice(0, 3).join("\n");
    const answer = node("div", { "aria-live": "polite" });
    let asked = 0;

    async function show() {
      const texts = sentences(input.value);
      const number = ++asked;
      if (!texts.length) return answer.replaceChildren("Type a sentence.");
      const started = performance.now();
      const { tokens, vectors } = await ask({ do: "embed", name: "minilm", texts });
      if (number !== asked) return; // the text has changed meanwhile
      const taken = Math.round(performance.now() - started);
      const example = (text) => data.vectors[data.texts.indexOf(text)];
      const list = texts.map((text, i) => aboutOne(text, tokens[i], vectors[i], example(text)));
      const heading = (text) => node("p", { style: "margin: 0.75rem 0 0.25rem" }, node("strong", {}, text));
      answer.replaceChildren(
        heading("Cosines, by the numbers of the sentences"),
        matrix(vectors),
        heading("The tokens and the vector of each"),
        node("ol", {}, ...list),
        node("p", {}, `Computed here in ${taken} ms.`),
      );
    }

    let waiting;
    input.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(show, 250);
    });
    box.append(node("label", {}, "Type sentences of your own, one a line, up to eight", input), answer);
    return show();
  }

  async function build(box, data) {
    const loaded = async (ask) => {
      const examples = data ?? (await Figures.models().then((models) => models.about())).examples["model-that-embeds"];
      await ask({ do: "load", name: "minilm", folder: "minilm" });
      await ask.forget("model.safetensors");
      await live(box, ask, examples);
      box.closest("[data-figure]").classList.add("is-live");
    };
    box.append(Figures.modelButton("minilm", "Run all-MiniLM-L6-v2 in this page", loaded));
  }

  Figures.define("model-that-embeds", build, { cosine, cosines, sentences });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
