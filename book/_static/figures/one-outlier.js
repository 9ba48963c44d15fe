/* Numbers of one group in eight bits: how large one of them is, and how many share its scale, decides what becomes of the others. */
"use strict";

(function (Figures) {
  const { svg, node, slider, choice, scale } = Figures;
  const HIGH = 1.4; // what the drawing shows of either side, in standard deviations
  const x = (place) => 30 + place * 10.2;
  const y = scale([HIGH, -HIGH], [34, 216]);

  const SIZES = [1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 140]; // of the large one, to choose from beside its own

  /** What comes back of the values, where so many neighbours share a scale. */
  function cameBack(values, size) {
    const found = [];
    for (let first = 0; first < values.length; first += size) {
      const group = values.slice(first, first + size);
      const step = stepOf(group);
      found.push(...group.map((value) => (step ? Math.round(value / step) * step : 0)));
    }
    return found;
  }

  function stepOf(group) {
    return Math.max(...group.map(Math.abs)) / 127;
  }

  /** The values with the large one replaced, what comes back, and what is lost of the others. */
  function tried({ values, large }, size, outlier) {
    const given = values.map((value, place) => (place === large ? outlier : value));
    const back = cameBack(given, size);
    const kept = given.map((value, place) => [value, back[place]]).filter((_, place) => place !== large);
    const length = (numbers) => Math.hypot(...numbers);
    const first = large - (large % size);
    return {
      given,
      back,
      step: stepOf(given.slice(first, first + size)),
      off: length(kept.map(([one, other]) => one - other)) / length(kept.map(([one]) => one)),
      zeros: kept.filter(([one, other]) => one !== 0 && other === 0).length,
    };
  }

  /** A bar for what a number was, and a dot, or a cross where nothing is left, for what came back. */
  function mark(place, was, back, isLarge) {
    const off = Math.abs(was) > HIGH;
    const [from, to] = [y(0), y(Math.max(-HIGH, Math.min(HIGH, was)))];
    const color = isLarge ? "var(--figure-ink)" : "var(--figure-muted)";
    const bar = { x: x(place) - 3.5, width: 7, y: Math.min(from, to), height: Math.abs(from - to), fill: color };
    const drawn = [svg("rect", { ...bar, "fill-opacity": isLarge ? 1 : 0.45 })];
    if (off) drawn.push(svg("path", { d: `M${x(place) - 6} 36l6 -11l6 11z`, fill: color }));
    else if (back === 0 && was !== 0) {
      const cross = `M${x(place) - 3.5} ${y(0) - 3.5}l7 7m0 -7l-7 7`;
      drawn.push(svg("path", { d: cross, stroke: "var(--figure-bad)", "stroke-width": 2 }));
    } else drawn.push(svg("circle", { cx: x(place), cy: y(back), r: 3.5, fill: "var(--figure-accent)" }));
    return svg("g", {}, drawn);
  }

  /** A line at each whole number of steps, if they are not too near each other to be told apart. */
  function grid(step, first, size) {
    const [left, right] = [x(first) - 5, x(first + size - 1) + 5];
    const lines =
      step < 0.06 ? [] : Array.from({ length: 2 * Math.floor(HIGH / step) + 1 }, (_, i) => i - Math.floor(HIGH / step));
    return lines.map((n) =>
      svg("path", { d: `M${left} ${y(n * step)}H${right}`, stroke: "var(--figure-muted)", "stroke-width": 0.6 }),
    );
  }

  function words(number) {
    return number < 0.1 ? number.toPrecision(2) : number.toFixed(2);
  }

  function build(box, data) {
    const { values, large } = data;
    const sizes = [...SIZES, values[large]];
    const at = { size: 32, outlier: values[large] };
    const label = `${values.length} neighbours of one weight: bars are what they were, dots are what came back, crosses are lost`;
    const drawing = svg("svg", { viewBox: "0 0 360 236", role: "img", "aria-label": label });
    const result = node("p", { "aria-live": "polite" });
    const said = (size) => String(Number(size.toFixed(1)));
    const text = (at, content) => svg("text", { "font-size": 12, ...at }, content);
    function draw(changed) {
      Object.assign(at, changed);
      const { given, back, step, off, zeros } = tried(data, at.size, at.outlier);
      const ends = Array.from({ length: values.length / at.size }, (_, n) => n * at.size);
      drawing.replaceChildren(
        ...[1, 0, -1].map((n) => text({ x: 18, y: y(n) + 4, "text-anchor": "end" }, String(n).replace("-", "−"))),
        svg("path", { d: `M22 ${y(0)}H354`, stroke: "var(--figure-muted)" }),
        ...grid(step, large - (large % at.size), at.size),
        ...given.map((was, place) => mark(place, was, back[place], place === large)),
        ...ends.map((n) =>
          svg("path", {
            d: `M${x(n) - 4} 222v6H${x(n + at.size - 1) + 4}v-6`,
            fill: "none",
            stroke: "var(--figure-ink)",
          }),
        ),
        text({ x: 0, y: 12 }, "standard deviations"),
        text({ x: x(large) - 12, y: 32, "text-anchor": "end" }, `the large one: ${said(at.outlier)}`),
      );
      result.textContent =
        `In the group of the large one a step is ${words(step)} standard deviations. Of the ${values.length - 1} others, ` +
        `${zeros} ${zeros === 1 ? "comes" : "come"} back as zero, and together they are off by ` +
        `${(100 * off).toFixed(off < 0.1 ? 1 : 0)}%. ` +
        `A number takes ${8 + 32 / at.size} bits.`;
    }
    box.append(
      slider({
        label: "the large one, in standard deviations",
        min: 0,
        max: sizes.length - 1,
        value: sizes.length - 1,
        shown: (place) => said(sizes[place]),
        moved: (place) => draw({ outlier: sizes[place] }),
      }),
      choice({
        label: "one scale for",
        value: "32",
        options: ["32", "16", "8", "4"].map((size) => [size, `${size} numbers`]),
        chosen: (size) => draw({ size: Number(size) }),
      }),
      drawing,
      result,
    );
  }

  Figures.define("one-outlier", build, { cameBack, tried });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
