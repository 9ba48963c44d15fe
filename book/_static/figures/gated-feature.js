/* The landscape of a gated feature, with a point to move over it, and the cut through it at that point. */
"use strict";

(function (Figures) {
  const { svg, node, scale, path, axes, draggable } = Figures;
  const FAR = 3; // both looks run from -3 to 3
  const CELLS = 24;
  const signed = (number, digits) =>
    number
      .toFixed(digits)
      .replace(/^-(0\.?0*)$/, "$1")
      .replace("-", "−");

  /** The error function, by its power series, which is exact enough where we draw. */
  function erf(x) {
    let [sum, power] = [0, x];
    for (let n = 0; n < 60; n += 1) {
      sum += power / (2 * n + 1);
      power *= (-x * x) / (n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }

  const below = (a) => (1 + erf(a / Math.SQRT2)) / 2; // the share of a normal distribution below a
  const gelu = (a) => a * below(a);
  const geluSlope = (a) => below(a) + (a * Math.exp((-a * a) / 2)) / Math.sqrt(2 * Math.PI);

  /** The feature, and how fast it grows with either look. */
  function feature(a, b) {
    return { value: gelu(a) * b, alongA: geluSlope(a) * b, alongB: gelu(a) };
  }

  const PLANE = { left: 30, right: 322, top: 26, bottom: 236 };
  const CUT = { left: 30, right: 322, top: 306, bottom: 446 };
  const xOf = scale([-FAR, FAR], [PLANE.left, PLANE.right]);
  const planeY = scale([-FAR, FAR], [PLANE.bottom, PLANE.top]);
  const cutY = scale([-9, 9], [CUT.bottom, CUT.top]);
  const fine = Array.from({ length: 121 }, (_, i) => -FAR + i / 20);

  /** Above zero in the accent's colour, below zero in ink; the stronger, the further from zero. */
  function land() {
    const side = (2 * FAR) / CELLS;
    const size = { width: xOf(side) - xOf(0), height: planeY(0) - planeY(side), "shape-rendering": "crispEdges" };
    return Array.from({ length: CELLS ** 2 }, (_, i) => {
      const [a, b] = [(i % CELLS) * side - FAR, Math.floor(i / CELLS) * side - FAR];
      const height = gelu(a + side / 2) * (b + side / 2);
      const fill = height > 0 ? "var(--figure-accent)" : "var(--figure-ink)";
      const opacity = Math.min(Math.abs(height) / 9, 1) * 0.8;
      return svg("rect", { x: xOf(a), y: planeY(b + side), ...size, fill, "fill-opacity": opacity.toFixed(3) });
    });
  }

  /** Lines of equal height, with the height at their right ends. */
  function contours() {
    return [-8, -4, -2, -1, 1, 2, 4, 8].flatMap((height) => {
      const points = fine.map((a) => [a, height / gelu(a)]).filter(([a, b]) => a > 0 && Math.abs(b) <= FAR);
      const line = path(points.map(([a, b]) => [xOf(a), planeY(b)]));
      const y = planeY(points.at(-1)[1]) + 4;
      return [
        svg("path", { d: line, fill: "none", stroke: "var(--figure-muted)" }),
        svg("text", { x: PLANE.right + 5, y, "font-size": 12 }, signed(height, 0)),
      ];
    });
  }

  function build(box, { features }) {
    const at = { a: 1.5, b: 1.5 };
    const stroke = (colour, more) => svg("path", { fill: "none", stroke: `var(--figure-${colour})`, ...more });
    const plain = stroke("muted", { "stroke-dasharray": "4 3", d: path(fine.map((a) => [xOf(a), cutY(gelu(a))])) });
    const [level, curve, tangent] = [
      stroke("accent", { "stroke-dasharray": "4 3" }),
      stroke("accent", { "stroke-width": 2 }),
      stroke("ink", { "stroke-width": 2.5 }),
    ];
    const dot = (more) => svg("circle", { r: 5, fill: "var(--figure-accent)", stroke: "var(--figure-paper)", ...more });
    const marker = dot({});
    const drawing = svg("svg", {
      viewBox: "0 0 360 482",
      role: "group",
      "aria-label": "A gated feature over its two looks",
    });
    const range = { "aria-valuemin": -FAR, "aria-valuemax": FAR };
    const knob = draggable(
      dot({ r: 9, "stroke-width": 2.5, role: "slider", "aria-label": "the token's two looks", ...range }),
      drawing,
      xOf(0.1) - xOf(0),
      ([right, down]) => draw({ a: at.a + right / (xOf(1) - xOf(0)), b: at.b - down / (planeY(0) - planeY(1)) }),
    );
    const result = node("p", { "aria-live": "polite" });
    const ticks = { xTicks: [-3, 0, 3], yTicks: [-3, 0, 3] };
    const cutTicks = { xTicks: [-3, 0, 3], yTicks: [-9, 0, 9] };
    const known = features.flatMap(([a, b], i) => [
      svg("circle", { cx: xOf(a), cy: planeY(b), r: 3, fill: "var(--figure-ink)" }),
      svg("text", { x: xOf(a) - 12, y: planeY(b) + 12, "font-size": 12.5 }, String(i + 1)),
    ]);
    drawing.append(
      ...land(),
      ...contours(),
      ...known,
      axes({ x: xOf, y: planeY, box: PLANE, ...ticks, xName: "a, first look", yName: "b, second look" }),
      axes({ x: xOf, y: cutY, box: CUT, ...cutTicks, xName: "a", yName: "the cut at this b; dashed: b = 1, GELU" }),
      plain,
      level,
      curve,
      tangent,
      marker,
      knob,
    );
    function draw(changed) {
      for (const [name, value] of Object.entries(changed)) at[name] = Math.min(Math.max(value, -FAR), FAR);
      const { value, alongA, alongB } = feature(at.a, at.b);
      for (const [circle, y] of [
        [knob, planeY(at.b)],
        [marker, cutY(value)],
      ]) {
        circle.setAttribute("cx", xOf(at.a));
        circle.setAttribute("cy", y);
      }
      knob.setAttribute("aria-valuenow", at.a.toFixed(2));
      knob.setAttribute("aria-valuetext", `a ${at.a.toFixed(2)}, b ${at.b.toFixed(2)}`);
      level.setAttribute(
        "d",
        path([
          [PLANE.left, planeY(at.b)],
          [PLANE.right, planeY(at.b)],
        ]),
      );
      curve.setAttribute("d", path(fine.map((a) => [xOf(a), cutY(gelu(a) * at.b)])));
      tangent.setAttribute("d", path([-0.6, 0.6].map((step) => [xOf(at.a + step), cutY(value + step * alongA)])));
      result.textContent =
        `a = ${signed(at.a, 2)} and b = ${signed(at.b, 2)} give ${signed(value, 3)}. ` +
        `Slope along a: ${signed(alongA, 3)}; along b: ${signed(alongB, 3)}, which is GELU(a).`;
    }
    const buttons = features.flatMap(([a, b], i) => [
      node("button", { type: "button", onclick: () => draw({ a, b }) }, `feature ${i + 1}`),
      " ",
    ]);
    draw({});
    box.append(drawing, result, node("p", {}, "The chapter's token: ", ...buttons));
  }

  Figures.define("gated-feature", build, { gelu, feature });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
