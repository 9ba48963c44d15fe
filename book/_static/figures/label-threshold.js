/* Pieces of text by the probability that a model gives a label: from which on is the label given, and what is that worth? */
"use strict";

(function (Figures) {
  const { svg, node, slider, choice, scale, path, axes } = Figures;
  const [LEFT, RIGHT] = [40, 350];
  const x = scale([0, 1], [LEFT, RIGHT]);
  const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

  /** What a threshold does, in steps of the bins: who gets the label and has it, gets it and has it not, and goes without. */
  function facts({ there, absent }, threshold) {
    const first = Math.round(threshold * there.length);
    const [right, wrong, missed] = [sum(there.slice(first)), sum(absent.slice(first)), sum(there.slice(0, first))];
    return {
      right,
      wrong,
      missed,
      precision: right / (right + wrong || 1),
      recall: right / (right + missed || 1),
      f1: (2 * right) / (2 * right + wrong + missed || 1),
    };
  }

  /** The threshold with the largest F1, the middle one of several. */
  function best(label) {
    const scores = label.there.map((_, step) => facts(label, step / label.there.length).f1);
    const most = Math.max(...scores);
    const steps = scores.flatMap((score, step) => (score === most ? [step] : []));
    return { threshold: steps[steps.length >> 1] / scores.length, f1: most };
  }

  /** Bars of twentieths: upwards those that have the label, downwards those that have not. A root makes few visible beside many. */
  function bars({ there, absent }, threshold) {
    const parts = 20;
    const wide = there.length / parts;
    const grouped = (counts) => Array.from({ length: parts }, (_, n) => sum(counts.slice(n * wide, (n + 1) * wide)));
    const high = scale([0, Math.sqrt(Math.max(...grouped(there), 1))], [0, 62]);
    const deep = scale([0, Math.sqrt(Math.max(...grouped(absent), 1))], [0, 62]);
    const drawn = (counts, up) =>
      grouped(counts).map((count, n) => {
        const height = (up ? high : deep)(Math.sqrt(count));
        const place = { x: x(n / parts) + 1, width: x(1 / parts) - LEFT - 2, y: up ? 92 - height : 92, height };
        const given = (n + 0.5) / parts >= threshold;
        const fill = up ? "var(--figure-accent)" : "var(--figure-muted)";
        return svg("rect", { ...place, fill, "fill-opacity": given ? 1 : 0.35, stroke: fill });
      });
    return [...drawn(there, true), ...drawn(absent, false)];
  }

  function curve(label, threshold, chosen) {
    const y = scale([0, 1], [312, 206]);
    const f1 = (at) => facts(label, at).f1;
    const points = label.there.map((_, step) => [x(step / label.there.length), y(f1(step / label.there.length))]);
    const frame = { left: LEFT, right: RIGHT, top: 206, bottom: 312 };
    const names = {
      xTicks: [0, 0.25, 0.5, 0.75, 1],
      yTicks: [0, 0.5, 1],
      xName: "threshold",
      yName: "F1; ◇ at the threshold that was chosen",
    };
    const [cx, cy] = [x(chosen), y(f1(chosen))];
    const diamond = `M${cx - 7} ${cy}l7 -7l7 7l-7 7z`;
    return [
      axes({ x, y, box: frame, ...names }),
      svg("path", { d: path(points), fill: "none", stroke: "var(--figure-accent)", "stroke-width": 2.5 }),
      svg("path", { d: diamond, fill: "var(--figure-paper)", stroke: "var(--figure-ink)", "stroke-width": 1.5 }),
      svg("circle", { cx: x(threshold), cy: y(f1(threshold)), r: 5, fill: "var(--figure-ink)" }),
    ];
  }

  function summary(name, label, threshold, chosen) {
    const { right, wrong, missed, precision, recall, f1 } = facts(label, threshold);
    const top = best(label);
    return (
      `“${name}” from ${threshold.toFixed(2)} on: ${right + wrong} parameters get it, ${right} of them rightly ` +
      `(precision ${precision.toFixed(2)}), and ${missed} go without (recall ${recall.toFixed(2)}). F1 is ${f1.toFixed(2)}. ` +
      `At the chosen ${chosen.toFixed(2)} it is ${facts(label, chosen).f1.toFixed(2)}; the best here is ${top.f1.toFixed(2)}, ` +
      `at ${top.threshold.toFixed(2)}.`
    );
  }

  function build(box, { labels, first }) {
    const state = { name: first, threshold: 0.5 };
    const label =
      "Above, how many parameters the model gives which probability, upwards with the label and downwards without; below, F1 over the threshold";
    const drawing = svg("svg", { viewBox: "0 0 360 350", role: "img", "aria-label": label });
    const result = node("p", { "aria-live": "polite" });
    const words = (y, text) => svg("text", { x: LEFT, y, "font-size": 12 }, text);
    function draw(changed) {
      Object.assign(state, changed);
      const { name, threshold } = state;
      const own = labels[name];
      const at = x(threshold);
      drawing.replaceChildren(
        words(16, `↑ have the label: ${sum(own.there)} (full bars: are given it)`),
        words(172, `↓ lack it: ${sum(own.absent)} (heights: roots of counts)`),
        ...bars(own, threshold),
        ...curve(own, threshold, own.chosen),
        svg("path", {
          d: `M${at} 24V158M${at} 206V312`,
          stroke: "var(--figure-ink)",
          "stroke-dasharray": "4 3",
          "stroke-width": 1.5,
        }),
      );
      result.textContent = summary(name, own, threshold, own.chosen);
    }
    box.append(
      choice({
        label: "label",
        value: first,
        options: Object.keys(labels).map((name) => [name, name]),
        chosen: (name) => draw({ name }),
      }),
      slider({
        label: "threshold",
        min: 0,
        max: 1,
        step: 0.01,
        value: 0.5,
        shown: (value) => value.toFixed(2),
        moved: (threshold) => draw({ threshold }),
      }),
      drawing,
      result,
    );
  }

  Figures.define("label-threshold", build, { facts, best, summary });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
