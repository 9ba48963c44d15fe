/* The stream and its gradient over the layers of a deep stack, in pre-norm and post-norm, for several sizes of Wo. */
"use strict";

(function (Figures) {
  const { svg, node, slider, scale, path, axes } = Figures;
  const LOOKS = {
    "pre-norm": { stroke: "var(--figure-accent)" },
    "post-norm": { stroke: "var(--figure-ink)", "stroke-dasharray": "5 3" },
  };
  const FORMS = Object.keys(LOOKS);

  /** A number with two or three digits that count. */
  function short(number) {
    if (number >= 1000) return Math.round(number).toLocaleString("en");
    return number.toFixed(number < 10 ? 2 : number < 100 ? 1 : 0);
  }

  /** How many times larger the gradient is at the bottom than at the top. */
  function growth(gradient) {
    return gradient[0] / gradient.at(-1);
  }

  /** By how much it grows with each layer on its way down the lower half. */
  function factor(gradient) {
    const half = (gradient.length - 1) / 2;
    return (gradient[0] / gradient[half]) ** (1 / half);
  }

  /** A panel with a line and a marker for each form; show(lines, layer) moves them. */
  function panel([left, right], yScale, depth, yTicks, yName) {
    const box = { left, right, top: 26, bottom: 226 };
    const [x, y] = [scale([0, depth], [left, right]), yScale([box.bottom, box.top])];
    const lines = FORMS.map((form) => svg("path", { fill: "none", "stroke-width": 2, ...LOOKS[form] }));
    const markers = FORMS.map((form) =>
      svg("circle", { r: 4.5, fill: LOOKS[form].stroke, stroke: "var(--figure-paper)" }),
    );
    const rule = svg("line", { y1: box.top, y2: box.bottom, stroke: "var(--figure-muted)", "stroke-dasharray": "1 3" });
    const frame = axes({ x, y, box, xTicks: [0, depth / 2, depth], yTicks, xName: "after layer", yName });
    function show(numbers, layer) {
      rule.setAttribute("x1", x(layer));
      rule.setAttribute("x2", x(layer));
      numbers.forEach((line, i) => {
        lines[i].setAttribute("d", path(line.map((value, at) => [x(at), y(value)])));
        markers[i].setAttribute("cx", x(layer));
        markers[i].setAttribute("cy", y(line[layer]));
      });
    }
    return { drawn: svg("g", {}, frame, rule, ...lines, ...markers), show };
  }

  function build(box, { depth, strengths, curves }) {
    const at = { strength: strengths.indexOf(1), layer: depth / 2 };
    const logarithmic = (range) => (value) => scale([-2, 5], range)(Math.log10(value));
    const powers = [
      [0.01, "0.01"],
      [1, "1"],
      [100, "100"],
      [10000, "10⁴"],
    ];
    const size = panel([24, 158], (range) => scale([0, 15], range), depth, [0, 5, 10, 15], "size of the stream");
    const gradient = panel([216, 350], logarithmic, depth, powers, "of its gradient");
    const label = "Two panels over the layers: the size of the stream, and of the gradient there";
    const legend = FORMS.flatMap((form, i) => [
      svg("line", { x1: 40 + 160 * i, x2: 70 + 160 * i, y1: 276, y2: 276, "stroke-width": 2, ...LOOKS[form] }),
      svg("text", { x: 78 + 160 * i, y: 280, "font-size": 12.5 }, form),
    ]);
    const drawing = svg("svg", { viewBox: "0 0 360 290", role: "img", "aria-label": label });
    drawing.append(size.drawn, gradient.drawn, ...legend);
    const [here, overall] = [node("p", { "aria-live": "polite" }), node("p", { "aria-live": "polite" })];
    function draw(changed) {
      Object.assign(at, changed);
      const [pre, post] = FORMS.map((form) => curves[form][at.strength]);
      size.show([pre.size, post.size], at.layer);
      gradient.show([pre.gradient, post.gradient], at.layer);
      const both = (name) => [pre, post].map((curve) => short(curve[name][at.layer]));
      const [sizes, slopes] = [both("size"), both("gradient")];
      here.textContent =
        `After ${at.layer} layers: stream ${sizes[0]} in pre-norm, ${sizes[1]} in post-norm; ` +
        `gradient ${slopes[0]} and ${slopes[1]}.`;
      const [up, down] = [pre, post].map((curve) => short(growth(curve.gradient)));
      overall.textContent =
        `From the top to the bottom the gradient becomes ${up} times as large in pre-norm, and ${down} times ` +
        `in post-norm, where it is ${factor(post.gradient).toFixed(2)} times as large with each layer of the lower half.`;
    }
    box.append(
      slider({
        label: "size of Wo, where 1 keeps the size of vectors",
        min: 0,
        max: strengths.length - 1,
        value: at.strength,
        shown: (index) => String(strengths[index]),
        moved: (index) => draw({ strength: index }),
      }),
      slider({ label: "after layer", min: 0, max: depth, value: at.layer, moved: (layer) => draw({ layer }) }),
      drawing,
      here,
      overall,
    );
  }

  Figures.define("norm-over-depth", build, { growth, factor, short });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
