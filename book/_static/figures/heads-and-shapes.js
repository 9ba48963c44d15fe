/* A head over the last hidden state: the shapes on the way through it, and its parameters. */
"use strict";

(function (Figures) {
  const { svg, node, slider, choice, tick } = Figures;
  const count = (number) => number.toLocaleString("en");
  const HEADS = {
    word: "a missing word",
    text: "the label of a text",
    token: "the label of each token",
    choice: "a choice among texts",
  };

  /** The steps from the last hidden state to the logits: {name, shape, parameters}, from below. */
  function steps({ head, texts, tokens, labels, hidden, vocab, tied, denseBias, mean }) {
    const pooled = head === "text" || head === "choice";
    const rows = { word: vocab, text: labels, token: labels, choice: 1 }[head];
    const inside = pooled ? [texts] : [texts, tokens];
    const logits = head === "choice" ? [1, texts] : [...inside, rows];
    const matrix = head === "word" && tied ? 0 : rows * hidden; // tied, it is the table of embeddings once more
    const last = head === "word" ? "decoder, bias" : "classifier, bias";
    return [
      { name: "last hidden state", shape: [texts, tokens, hidden], parameters: 0 },
      ...(pooled
        ? [{ name: mean ? "mean of the tokens" : "the first token", shape: [texts, hidden], parameters: 0 }]
        : []),
      { name: "dense, activation", shape: [...inside, hidden], parameters: hidden ** 2 + (denseBias ? hidden : 0) },
      { name: "norm", shape: [...inside, hidden], parameters: hidden },
      { name: last, shape: logits, parameters: matrix + rows },
    ];
  }

  function parameters(chosen) {
    return steps(chosen).reduce((sum, step) => sum + step.parameters, 0);
  }

  /** Multiplications of the dense layer and the last matrix, for all vectors that come to them. */
  function products({ head, texts, tokens, labels, hidden, vocab }) {
    const vectors = head === "text" || head === "choice" ? texts : texts * tokens;
    return vectors * (hidden ** 2 + hidden * { word: vocab, text: labels, token: labels, choice: 1 }[head]);
  }

  const ROW = 54;

  /** One step as a box, with its shape on the way up and its parameters at its side. */
  function drawn({ name, shape, parameters: own }, number, all) {
    const y = (all - 1 - number) * ROW + 30;
    const first = number === 0;
    const words = (at, text) => svg("text", { "font-size": 12.5, ...at }, text);
    const frame = svg("rect", {
      x: 8,
      y,
      width: 150,
      height: 28,
      rx: 6,
      stroke: "var(--figure-muted)",
      "stroke-width": first ? 0 : 1.5,
      fill: name.startsWith("dense") || name === "norm" ? "var(--figure-faint)" : "var(--figure-paper)",
    });
    const arrow = svg("path", {
      d: `M83 ${y}v-26m-4 6l4 -6l4 6`,
      fill: "none",
      stroke: "var(--figure-accent)",
      "stroke-width": 2,
    });
    return [
      frame,
      arrow,
      words({ x: 83, y: y + 19, "text-anchor": "middle" }, name),
      words({ x: 94, y: y - 8, "font-weight": 600 }, `[${shape.map(count).join(", ")}]`),
      words({ x: 168, y: y + 19 }, first ? "" : own ? `${count(own)} parameters` : "no parameters"),
    ];
  }

  function build(box, { hidden, vocab }) {
    const at = {
      head: "word",
      texts: 2,
      tokens: 9,
      labels: 3,
      hidden,
      vocab,
      tied: true,
      denseBias: false,
      mean: false,
    };
    const drawing = svg("svg", { viewBox: `0 0 360 ${5 * ROW + 10}`, role: "img" });
    const result = node("p", { "aria-live": "polite" });
    const options = {};
    function draw(changed) {
      Object.assign(at, changed);
      const found = steps(at);
      drawing.replaceChildren(...found.flatMap((step, number) => drawn(step, number, found.length)));
      drawing.setAttribute("viewBox", `0 0 360 ${found.length * ROW + 10}`);
      const way = found.map(({ name, shape }) => `${name} ${shape.join(" by ")}`).join(", then ");
      drawing.setAttribute("aria-label", `From below: ${way}`);
      for (const [name, heads] of [
        ["tied", "word"],
        ["mean", "text choice"],
        ["labels", "text token"],
      ]) {
        if (options[name]) options[name].hidden = !heads.split(" ").includes(at.head);
      }
      result.textContent =
        `The head adds ${count(parameters(at))} parameters to the encoder's, and takes ` +
        `${count(Number((products(at) / 1e6).toFixed(1)))} million multiplications for these texts.`;
    }
    const moved = (label, name, min, max) =>
      slider({ label, min, max, value: at[name], moved: (value) => draw({ [name]: value }) });
    const ticked = (label, name) => tick({ label, value: at[name], ticked: (value) => draw({ [name]: value }) });
    options.tied = ticked("decoder tied to the embeddings", "tied");
    options.mean = ticked("mean, not the first token", "mean");
    options.labels = moved("labels", "labels", 2, 20);
    const heads = choice({ label: "head", options: Object.entries(HEADS), chosen: (head) => draw({ head }) });
    box.append(
      heads,
      moved("texts", "texts", 1, 16),
      moved("tokens of the longest", "tokens", 2, 512),
      options.labels,
      options.tied,
      options.mean,
      ticked("classifier_bias", "denseBias"),
      drawing,
      result,
    );
  }

  Figures.define("heads-and-shapes", build, { steps, parameters, products });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
