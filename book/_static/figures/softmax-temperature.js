/* Logits, their softmax at a temperature, and the loss: what a shift changes, and what the temperature does. */
"use strict";

(function (Figures) {
  const { node, svg, slider } = Figures;
  const IGNORED = -100;
  const BAR = { left: 130, width: 165, height: 15 };
  const ROW = 24;
  const GAP = 36;

  function softmax(logits) {
    const largest = Math.max(...logits);
    const powers = logits.map((logit) => Math.exp(logit - largest));
    const sum = powers.reduce((one, other) => one + other, 0);
    return powers.map((power) => power / sum);
  }

  /** The logits as the sliders leave them: shifted, then divided by the temperature. */
  const tempered = (logits, temperature, shift) => logits.map((logit) => (logit + shift) / temperature);

  /** The mean surprise of the tokens that have a label. */
  function loss(rows, labels) {
    const kept = labels.map((label, token) => [label, token]).filter(([label]) => label !== IGNORED);
    const surprise = kept.map(([label, token]) => -Math.log(softmax(rows[token])[label]));
    return surprise.reduce((one, other) => one + other, 0) / kept.length;
  }

  const signed = (number, digits) => {
    const text = number.toFixed(digits);
    return (Number(text) ? text : (0).toFixed(digits)).replace("-", "−");
  };

  const words = (at, text) => svg("text", { "font-size": 13, ...at }, text);

  function barOf(logit, share, y, right) {
    const color = `var(--figure-${right ? "accent" : "muted"})`;
    const frame = {
      x: BAR.left,
      y: y - 12,
      width: BAR.width,
      height: BAR.height,
      fill: "none",
      stroke: "var(--figure-faint)",
    };
    return [
      words({ x: BAR.left - 8, y, "text-anchor": "end" }, signed(logit, 1)),
      svg("rect", frame),
      svg("rect", { ...frame, width: BAR.width * share, fill: color, stroke: color }),
      words({ x: 352, y, "text-anchor": "end", "font-weight": right ? 700 : 400 }, `${(100 * share).toFixed(1)} %`),
    ];
  }

  function tokenRows(rows, labels, token) {
    const top = 34 + token * (GAP + 3 * ROW);
    const label = labels[token];
    const title = `Token ${token + 1}: ${label === IGNORED ? "no label, does not count" : `label ${label} is right`}`;
    return [
      words({ x: 0, y: top, "font-weight": 600 }, title),
      ...softmax(rows[token]).flatMap((share, k) => {
        const y = top + ROW * (k + 1);
        return [
          words({ x: 8, y }, `label ${k}${k === label ? " ✓" : ""}`),
          ...barOf(rows[token][k], share, y, k === label),
        ];
      }),
    ];
  }

  function build(box, { logits, labels }) {
    const state = { temperature: 1, shift: 0 };
    const drawing = svg("svg", {
      viewBox: `0 0 360 ${34 + 3 * (GAP + 3 * ROW) - 24}`,
      role: "img",
      style: "max-width: 32rem; margin: 0 auto",
    });
    const told = node("output", { "aria-live": "polite" });

    function redraw() {
      const rows = logits.map((row) => tempered(row, state.temperature, state.shift));
      const heads = [
        words({ x: BAR.left - 8, y: 13, "text-anchor": "end" }, "logit"),
        words({ x: BAR.left, y: 13 }, "probability"),
      ];
      drawing.replaceChildren(...heads, ...rows.flatMap((_, token) => tokenRows(rows, labels, token)));
      const said = rows.map(
        (row, token) =>
          `token ${token + 1} ${softmax(row)
            .map((share) => `${Math.round(100 * share)}`)
            .join(", ")}`,
      );
      drawing.setAttribute("aria-label", `Probabilities of the three labels, in percent: ${said.join("; ")}.`);
      told.textContent = loss(rows, labels).toFixed(3);
    }

    // The slider holds the temperature's logarithm, so that one half and two are equally far from one.
    const warmth = slider({
      label: "Temperature",
      min: -10,
      max: 10,
      value: 0,
      shown: (tenths) => (10 ** (tenths / 10)).toPrecision(2),
      moved(tenths) {
        state.temperature = 10 ** (tenths / 10);
        redraw();
      },
    });
    const shift = slider({
      label: "Added to all logits",
      min: -10,
      max: 10,
      step: 0.5,
      value: 0,
      shown: (number) => signed(number, 1),
      moved(number) {
        state.shift = number;
        redraw();
      },
    });
    box.append(warmth, shift, drawing, node("p", {}, "Mean loss of the two tokens with a label: ", told));
  }

  Figures.define("softmax-temperature", build, { softmax, tempered, loss });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
