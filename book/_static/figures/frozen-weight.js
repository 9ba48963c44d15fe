/* One weight in training, frozen at some step: with no gradient it stays, with a gradient of zero AdamW moves it on. */
"use strict";

(function (Figures) {
  const { svg, node, slider, choice, tick, scale, path, axes } = Figures;
  const FRAME = { left: 52, right: 350, top: 26, bottom: 210 };
  const WAYS = { zero: "zero", none: "None" };

  /** The weight before the first step and after each, where its gradient is missing or zero from `from` on. */
  function trained({ start, gradients, rate, decay }, { from, way, decays }) {
    let [weight, m, v] = [start, 0, 0];
    const found = [start];
    gradients.forEach((own, step) => {
      const frozen = step >= from;
      if (!(frozen && way === "none")) {
        const gradient = frozen ? 0 : own;
        m = 0.9 * m + 0.1 * gradient;
        v = 0.999 * v + 0.001 * gradient ** 2;
        const [mean, square] = [m / (1 - 0.9 ** (step + 1)), v / (1 - 0.999 ** (step + 1))];
        weight *= 1 - rate * (frozen && !decays ? 0 : decay);
        weight -= (rate * mean) / (Math.sqrt(square) + 1e-8);
      }
      found.push(weight);
    });
    return found;
  }

  function summary(data, state) {
    const weights = trained(data, state);
    const [then, now] = [weights[state.from], weights.at(-1)];
    const begins = `Frozen after ${state.from} steps, at ${then.toFixed(5)}.`;
    if (state.way === "none") return `${begins} Nothing moves it: AdamW passes by a weight without a gradient.`;
    const moved = (now - then) / data.rate;
    const causes = [...(state.from ? ["its moments"] : []), ...(state.decays ? ["decay"] : [])];
    const ends = `${begins} After step ${data.gradients.length} it is ${now.toFixed(5)}`;
    if (!causes.length) return `${ends}: there are no moments yet to move it.`;
    const far = `${Math.abs(moved).toFixed(1)} learning rates ${moved < 0 ? "down" : "up"}`;
    return `${ends}: it has moved ${far} since, by ${causes.join(" and by ")}.`;
  }

  function build(box, data) {
    const steps = data.gradients.length;
    const state = { from: 20, way: "zero", decays: true };
    const free = trained(data, { from: steps });
    const [low, high] = [Math.min(...free, data.start - 0.006), Math.max(...free, data.start + 0.006)];
    const margin = (high - low) / 5;
    const x = scale([0, steps], [FRAME.left, FRAME.right]);
    const y = scale([low - margin, high + margin], [FRAME.bottom, FRAME.top]);
    const label =
      "One weight over the steps of a training: dotted as it would go on, and with a line as it goes on when it is frozen";
    const drawing = svg("svg", { viewBox: "0 0 360 246", role: "img", "aria-label": label });
    const result = node("p", { "aria-live": "polite" });
    const hundredths = Array.from({ length: 20 }, (_, n) => Math.ceil(100 * low) / 100 + n / 100);
    const ticks = hundredths.filter((value) => value <= high).map((value) => [value, value.toFixed(2)]);
    const words = (at, text) => svg("text", { "font-size": 12, "text-anchor": "end", x: FRAME.right, ...at }, text);
    const points = (weights, first) => path(weights.map((weight, step) => [x(step + first), y(weight)]));
    function draw(changed) {
      Object.assign(state, changed);
      const weights = trained(data, state);
      const { from } = state;
      const line = (d, look) => svg("path", { d, fill: "none", "stroke-width": 2.5, ...look });
      const stays = `M${x(from)} ${y(weights[from])}H${x(steps)}`;
      drawing.replaceChildren(
        axes({ x, y, box: FRAME, xTicks: [0, 20, 40, steps], yTicks: ticks, xName: "step", yName: "weight" }),
        line(points(free, 0), { stroke: "var(--figure-muted)", "stroke-width": 1.2, "stroke-dasharray": "2 3" }),
        line(`M${x(from)} ${y(weights[from])}V${FRAME.bottom}`, { stroke: "var(--figure-ink)", "stroke-width": 1 }),
        line(stays, { stroke: "var(--figure-accent)", "stroke-width": 1.5, "stroke-dasharray": "6 4" }),
        line(points(weights.slice(0, from + 1), 0), { stroke: "var(--figure-ink)" }),
        line(points(weights.slice(from), from), {
          stroke: state.way === "none" ? "var(--figure-accent)" : "var(--figure-bad)",
        }),
        words(
          { y: FRAME.bottom - 6, x: x(from) + (from > 45 ? -5 : 5), "text-anchor": from > 45 ? "end" : "start" },
          "frozen",
        ),
        words({ y: y(free.at(-1)) - 9 }, "never frozen"),
        // Where there is room for the words, on the side that the other line leaves free.
        state.way === "zero" && from < steps / 2
          ? words({ y: y(weights[from]) + (weights[from] - weights.at(-1) > 2.5 * data.rate ? -8 : 19) }, "where None leaves it")
          : "",
      );
      result.textContent = summary(data, state);
    }
    box.append(
      choice({ label: "a frozen weight's gradient is", options: Object.entries(WAYS), chosen: (way) => draw({ way }) }),
      tick({ label: "decay goes on", value: true, ticked: (decays) => draw({ decays }) }),
      slider({ label: "frozen after step", min: 0, max: steps, value: 20, moved: (from) => draw({ from }) }),
      drawing,
      result,
    );
  }

  Figures.define("frozen-weight", build, { trained, summary });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
