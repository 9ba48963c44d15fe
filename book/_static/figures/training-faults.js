/* The losses of a broken training beside the right ones, and how far they are apart: the first look alike, the second do not. */
"use strict";

(function (Figures) {
  const { svg, node, slider, choice, scale, path, axes } = Figures;
  const LEFT = 46;
  const RIGHT = 352;
  const LEAST = 1e-9; // what is drawn as nothing
  const spoken = (name) => name.replaceAll("_", " ");
  const power = (number) =>
    svg("tspan", {}, "10", svg("tspan", { dy: -4, "font-size": 11 }, String(number).replace("-", "−")));

  /** The first loss that is wrong, the largest distance, and how many float32 gates that is at most. */
  function facts(away, gate) {
    return {
      first: away.findIndex((distance) => distance > 1e-10),
      most: Math.max(...away),
      gates: Math.max(...away.map((distance, step) => distance / gate[step])),
    };
  }

  /** The fault with the given one's number of rounds from the first: an order in which no reader guesses the next. */
  function unnamed(names, round) {
    return names[(3 + 7 * round) % names.length];
  }

  const raised = (digits) => [...digits].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("");

  function few(number) {
    if (number >= 100 || number === 0) return Math.round(number).toLocaleString("en");
    return number >= 0.001
      ? String(Number(number.toPrecision(2)))
      : number.toExponential(0).replace(/e-(\d+)/, (_, digits) => ` · 10⁻${raised(digits)}`);
  }

  /** A panel over the steps, with lines [numbers, look]. */
  function panel({ y, box, ticks, name, xName, lines, steps }) {
    const x = scale([0, steps - 1], [LEFT, RIGHT]);
    const drawn = lines.map(([numbers, look]) =>
      svg("path", {
        d: path(numbers.map((number, step) => [x(step), y(number)])),
        fill: "none",
        "stroke-width": 2,
        ...look,
      }),
    );
    return svg("g", {}, axes({ x, y, box, xTicks: [0, 10, 20, 30, steps - 1], yTicks: ticks, yName: name, xName }), drawn);
  }

  function drawn(data, shown, other, step) {
    const [red, grey, dashes] = ["--figure-bad", "--figure-muted", "5 4"];
    const look = (color, more) => ({ stroke: `var(${color})`, ...more });
    const high = (losses) => losses.map((loss) => Math.min(loss, 11));
    const top = { y: scale([0, 11], [150, 24]), box: { left: LEFT, right: RIGHT, top: 24, bottom: 150 } };
    const logs = scale([Math.log10(LEAST), 1], [345, 205]);
    const bottom = {
      y: (number) => logs(Math.log10(Math.max(number, LEAST))),
      box: { left: LEFT, right: RIGHT, top: 205, bottom: 345 },
    };
    const losses = panel({
      ...top,
      steps: data.right.length,
      ticks: [0, 5, 10],
      name: "losses: the right ones (wide), and of this run",
      lines: [
        [high(data.right), look(grey, { "stroke-width": 7, "stroke-opacity": 0.35 })],
        [high(data.losses[shown]), look(red)],
      ],
    });
    const distances = panel({
      ...bottom,
      steps: data.right.length,
      ticks: [-8, -6, -4, -2, 0].map((number) => [10 ** number, power(number)]),
      name: "how far apart; dashed: the gate of float32",
      xName: "step",
      lines: [
        [data.gate, look(grey, { "stroke-dasharray": dashes, "stroke-width": 1.5 })],
        ...(other ? [[data.away[other], look(grey, { "stroke-width": 4, "stroke-opacity": 0.6 })]] : []),
        [data.away[shown], look(red)],
      ],
    });
    const at = scale([0, data.right.length - 1], [LEFT, RIGHT])(step);
    const marker = svg("path", {
      d: `M${at} 24V150M${at} 205V345`,
      stroke: "var(--figure-ink)",
      "stroke-dasharray": "2 3",
    });
    return [losses, distances, marker];
  }

  function summary(data, { shown, guess, step, hidden }) {
    const run = hidden ? "This run" : `The run with ${spoken(shown)}`;
    const [loss, right, away] = [data.losses[shown][step], data.right[step], data.away[shown][step]];
    const here =
      loss === undefined
        ? `${run} has no step ${step} any more.`
        : `Step ${step}: ${run.toLowerCase()} has the loss ${loss.toFixed(3)}, right is ${right.toFixed(3)}. ` +
          `They are ${few(away)} apart, ${few(away / data.gate[step])} times the gate.`;
    if (!guess)
      return hidden ? `${here} Which fault is it? Choose its name.` : `${here} Most like it, in grey: ${spoken(data.nearest[shown])}.`;
    return guess === shown
      ? `Yes, it is ${spoken(shown)}. ${here}`
      : `No: with ${spoken(guess)} it would look like the grey line. ${here}`;
  }

  function build(box, data) {
    const names = Object.keys(data.losses);
    const state = { shown: names[0], guess: null, hidden: false, step: 0, round: 0 };
    const label =
      "Above, the losses of the right run and of a broken one over the steps; below, their distance on a logarithmic axis";
    const drawing = svg("svg", { viewBox: "0 0 360 380", role: "img", "aria-label": label });
    const result = node("p", { "aria-live": "polite" });
    function draw(changed) {
      Object.assign(state, changed);
      const { shown, guess, hidden, step } = state;
      const other = guess && guess !== shown ? guess : hidden ? null : data.nearest[shown];
      drawing.replaceChildren(...drawn(data, shown, other, step));
      result.textContent = summary(data, state);
    }
    function named(name) {
      if (!name) return;
      if (!state.hidden) draw({ shown: name, guess: null });
      else draw({ guess: name, hidden: name !== state.shown });
    }
    const list = choice({
      label: "the fault",
      options: [["", "…"], ...names.map((name) => [name, spoken(name)])],
      value: names[0],
      chosen: named,
    });
    function next() {
      list.querySelector("select").value = "";
      draw({ shown: unnamed(names, state.round), guess: null, hidden: true, round: state.round + 1 });
    }
    box.append(
      list,
      node("button", { type: "button", onclick: next }, "Give me one without its name"),
      slider({ label: "step", min: 0, max: data.right.length - 1, value: 20, moved: (step) => draw({ step }) }),
      drawing,
      result,
    );
  }

  Figures.define("training-faults", build, { facts, unnamed, few, summary });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
