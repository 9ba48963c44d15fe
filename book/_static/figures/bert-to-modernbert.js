/* BERT becomes ModernBERT, part by part, and where its parameters are meanwhile. */
"use strict";

(function (Figures) {
  const { svg, node, tick, scale } = Figures;
  const PARTS = ["embeddings", "attention", "network", "norms, pooler"];
  const FILLS = ["muted", "accent", "faint", "ink"].map((name) => `var(--figure-${name})`);
  const count = (number) => number.toLocaleString("en");
  const sum = (numbers) => numbers.reduce((all, one) => all + one, 0);

  /** What each box changes when it is ticked. */
  function changes(bert, modern) {
    return [
      ["words", `${count(modern.vocab)} pieces of text instead of ${count(bert.vocab)}`, { vocab: modern.vocab }],
      ["positions", "positions turned (RoPE), not learned", { positions: 0 }],
      ["types", "no token types", { types: 0 }],
      ["windows", "windows, but for every third layer", { window: modern.window }],
      ["wqkv", "one matrix for query, key and value", {}],
      [
        "gate",
        `a gate, and ${count(modern.intermediate)} features instead of ${count(bert.intermediate)}`,
        { gated: true, intermediate: modern.intermediate },
      ],
      ["norm", "norms before the blocks, one at the end, none in layer 0", { preNorm: true }],
      ["bias", "no biases", { bias: false }],
      ["pooler", "no pooler", { pooler: false }],
      ["layers", `${modern.layers} layers instead of ${bert.layers}`, { layers: modern.layers }],
    ];
  }

  /** Parameters by part, from a configuration's numbers. */
  function parameters({ vocab, hidden, positions, types, layers, intermediate, gated, preNorm, bias, pooler }) {
    const one = bias ? 1 : 0;
    const linear = (rows, columns) => rows * columns + one * rows;
    const norms = preNorm ? 1 + (layers - 1) + layers + 1 : 1 + 2 * layers;
    return {
      embeddings: (vocab + positions + types) * hidden,
      attention: layers * 4 * linear(hidden, hidden),
      network: layers * (linear((gated ? 2 : 1) * intermediate, hidden) + linear(hidden, intermediate)),
      "norms, pooler": norms * (1 + one) * hidden + (pooler ? linear(hidden, hidden) : 0),
    };
  }

  const total = (config) => sum(Object.values(parameters(config)));

  /** Scores for each head in all layers; with windows, layers 0, 3, 6 and so on see everything. */
  function scores({ layers, window }, tokens) {
    if (!window) return layers * tokens ** 2;
    const far = Math.min(window, tokens - 1);
    const whole = Math.ceil(layers / 3);
    return whole * tokens ** 2 + (layers - whole) * (tokens * (2 * far + 1) - far * (far + 1));
  }

  const X = scale([0, 205e6], [0, 352]);

  /** A bar of parts, with its name above; show(parts) fills it. */
  function bar(y, name) {
    const [pieces, head] = [svg("g"), svg("text", { y: y - 5, "font-size": 12.5 }, name)];
    function show(parts) {
      let start = 0;
      const drawn = PARTS.flatMap((part, i) => {
        const [left, right] = [X(start), X((start += parts[part]))];
        const inside = { x: (left + right) / 2, y: y + 17, "font-size": 12, "text-anchor": "middle" };
        const ink = part === "network" ? "var(--figure-ink)" : "var(--figure-paper)";
        const text = svg("text", { ...inside, style: `fill: ${ink}` }, Math.round(parts[part] / 1e6));
        const piece = svg("rect", { x: left, y, width: right - left, height: 26, fill: FILLS[i] });
        return right - left > 18 ? [piece, text] : [piece];
      });
      pieces.replaceChildren(...drawn);
      head.textContent = `${name}: ${(sum(Object.values(parts)) / 1e6).toFixed(1)} million`;
    }
    return { drawn: svg("g", {}, head, pieces), show };
  }

  /** The colours' names, in the order of the bars. */
  function legend(y) {
    const starts = [0, 96, 175, 250];
    return PARTS.flatMap((part, i) => [
      svg("rect", { x: starts[i], y: y - 10, width: 10, height: 10, fill: FILLS[i] }),
      svg("text", { x: starts[i] + 14, y, "font-size": 12 }, part),
    ]);
  }

  /** What is gained or lost by a change, for its label. */
  function gain(number) {
    return number ? ` (${number < 0 ? "−" : "+"}${count(Math.abs(number))})` : " (no change)";
  }

  function build(box, { bert, modern }) {
    const all = changes(bert, modern);
    const on = Object.fromEntries(all.map(([key]) => [key, false]));
    const built = (chosen) =>
      Object.assign({ ...bert }, ...all.filter(([key]) => chosen[key]).map(([, , change]) => change));
    const [first, last] = [built({}), built(Object.fromEntries(all.map(([key]) => [key, true])))];
    const bars = [bar(20, "BERT-base"), bar(72, "your model"), bar(124, "ModernBERT-base")];
    const drawing = svg("svg", {
      viewBox: "0 0 360 178",
      role: "img",
      "aria-label": "Three bars of parameters: embeddings, attention, network",
    });
    drawing.append(...bars.map((each) => each.drawn), ...legend(170));
    const result = node("p", { "aria-live": "polite" });
    const notes = Object.fromEntries(all.map(([key]) => [key, node("span")]));
    function draw() {
      const mine = built(on);
      const shares = [first, mine, last].map(parameters);
      bars.forEach((each, i) => each.show(shares[i]));
      for (const [key] of all) {
        const gained = total(built({ ...on, [key]: true })) - total(built({ ...on, [key]: false }));
        notes[key].textContent = gain(gained);
      }
      const wall = mine.positions ? `no more than ${count(mine.positions)} tokens` : "a text of any length";
      const parts = PARTS.map((part) => `${part} ${count(shares[1][part])}`).join("; ");
      result.textContent =
        `Your model has ${count(total(mine))} parameters (${parts}) and takes ${wall}. ` +
        `For 512 tokens all its layers together compute ${count(scores(mine, 512))} scores a head.`;
    }
    const boxes = all.map(([key, label]) => {
      const made = tick({
        label,
        value: false,
        ticked: (value) => {
          on[key] = value;
          draw();
        },
      });
      made.append(notes[key]);
      return node("div", {}, made);
    });
    function set(value) {
      for (const [key] of all) on[key] = value;
      for (const each of boxes) each.querySelector("input").checked = value;
      draw();
    }
    const button = (text, value) => node("button", { type: "button", onclick: () => set(value) }, text);
    box.append(
      ...boxes,
      node("p", {}, button("all of BERT", false), " ", button("all of ModernBERT", true)),
      drawing,
      result,
    );
  }

  Figures.define("bert-to-modernbert", build, { changes, parameters, total, scores });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
