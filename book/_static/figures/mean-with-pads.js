/* Tokens and pads as points to move, and two means: over the tokens, and over everything. */
"use strict";

(function (Figures) {
  const { node, svg, path, plane } = Figures;
  const STAR = "M0-11L2.6-3.6L10.5-3.4L4.2 1.4L6.5 8.9L0 4.4L-6.5 8.9L-4.2 1.4L-10.5-3.4L-2.6-3.6Z";
  // A rim of the page's colour keeps a name legible on lines and other names.
  const HALO = "paint-order: stroke; stroke: var(--figure-paper); stroke-width: 4px";
  const CROSS = "M-7-7L7 7M-7 7L7-7";

  /** Mean pooling as the chapter writes it, for one text: over the positions whose mask is 1. */
  function mean(points, mask) {
    const count = Math.max(
      mask.reduce((sum, one) => sum + one, 0),
      1e-9,
    );
    return [0, 1].map((feature) => points.reduce((sum, point, t) => sum + (mask[t] ? point[feature] : 0), 0) / count);
  }

  const written = (point) => point.map((number) => number.toFixed(1).replace("-", "−")).join(", ");
  const apart = (one, other) => Math.hypot(one[0] - other[0], one[1] - other[1]);

  /** A full dot for a token, an open one for a pad, with a larger place to touch around it. */
  function dot(name, real) {
    return svg(
      "g",
      {},
      svg("circle", { r: 18, fill: "transparent" }),
      svg("circle", {
        r: 7,
        fill: `var(--figure-${real ? "ink" : "paper"})`,
        stroke: `var(--figure-${real ? "ink" : "muted"})`,
        "stroke-width": 2.5,
      }),
      svg("text", { y: -13, "text-anchor": "middle", "font-size": 13, style: HALO }, name),
    );
  }

  function marker(d, color, name, above) {
    const attributes =
      color === "accent" ? { fill: "var(--figure-accent)" } : { stroke: "var(--figure-bad)", "stroke-width": 5 };
    const text = {
      y: above ? -16 : 24,
      "text-anchor": "middle",
      "font-size": 13,
      "font-weight": 600,
      style: `fill: var(--figure-${color}); ${HALO}`,
    };
    return svg("g", { style: "pointer-events: none" }, svg("path", { d, ...attributes }), svg("text", text, name));
  }

  function build(box, { points: given, mask }) {
    const points = given.map((point) => [...point]);
    const everything = mask.map(() => 1);
    const { drawing, at, movable } = plane({
      x: [-0.8, 10.7],
      y: [-2.2, 7.4],
      unit: 32,
      label: "Five points, tokens and pads, and their two means",
    });
    const spokes = svg("g", { fill: "none" });
    const right = marker(STAR, "accent", "mean of the tokens", true); // below it would cover the name of a token
    const wrong = marker(CROSS, "bad", "mean with pads");
    const told = node("p", { "aria-live": "polite" });

    function redraw() {
      const [inside, all] = [mean(points, mask), mean(points, everything)];
      const spoke = (point, center, style) => svg("path", { d: path([point, center].map(at)), ...style });
      spokes.replaceChildren(
        ...points.map((point) => spoke(point, all, { stroke: "var(--figure-bad)", "stroke-dasharray": "2 4" })),
        ...points.filter((_, t) => mask[t]).map((point) => spoke(point, inside, { stroke: "var(--figure-accent)" })),
      );
      right.setAttribute("transform", `translate(${at(inside).join(" ")})`);
      wrong.setAttribute("transform", `translate(${at(all).join(" ")})`);
      const line = (name, point) => [name, node("output", {}, `(${written(point)})`)];
      told.replaceChildren(
        ...line("Mean of the tokens ", inside),
        "; ",
        ...line("with the pads ", all),
        ". They lie ",
        node("output", {}, apart(inside, all).toFixed(1)),
        " apart.",
      );
    }

    const dots = points.map((point, t) => {
      const name = mask[t] ? `token ${t + 1}` : "pad";
      const handle = dot(name, mask[t]);
      movable(handle, name, point, (place) => {
        points[t] = place;
        redraw();
      });
      return handle;
    });
    drawing.append(spokes, ...dots, right, wrong);
    redraw();
    box.append(drawing, told);
  }

  Figures.define("mean-with-pads", build, { mean, written, apart });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
