/* Three arrows to move: their dot products, their lengths and their cosines. */
"use strict";

(function (Figures) {
  const { node, svg, path, plane } = Figures;
  const NAMES = ["a", "b", "c"];
  const PAIRS = [
    [0, 1],
    [0, 2],
    [1, 2],
  ];
  const COLORS = ["accent", "ink", "muted"];

  const dot = (one, other) => one[0] * other[0] + one[1] * other[1];
  const length = (arrow) => Math.sqrt(dot(arrow, arrow));

  /** Divided by its length, or by the chapter's smallest length: zero stays zero. */
  function normalized(arrow) {
    const divisor = Math.max(length(arrow), 1e-12);
    return arrow.map((number) => number / divisor);
  }

  const cosine = (one, other) => dot(normalized(one), normalized(other));

  function written(number, digits) {
    const text = number.toFixed(digits);
    return (Number(text) ? text : (0).toFixed(digits)).replace("-", "−");
  }

  const inDegrees = (value) => (Math.acos(Math.min(Math.max(value, -1), 1)) * 180) / Math.PI;

  function drawnArrow(number, [from, tip, short]) {
    const stroke = `var(--figure-${COLORS[number]})`;
    const end = normalized([tip[0] - from[0], tip[1] - from[1]]);
    const corner = (side) => [tip[0] - 11 * end[0] - side * 5 * end[1], tip[1] - 11 * end[1] + side * 5 * end[0]];
    return [
      svg("path", { d: path([from, tip]), stroke, "stroke-width": 2 }),
      svg("path", { d: path([corner(1), tip, corner(-1)]), fill: "none", stroke, "stroke-width": 2 }),
      svg("path", { d: path([from, short]), stroke, "stroke-width": 6, "stroke-linecap": "round" }),
    ];
  }

  /** A place to touch at the tip of an arrow, with its name. */
  function tip(name) {
    const text = svg("text", { x: 12, y: -8, "font-size": 17, "font-weight": 700 }, name);
    return svg("g", {}, svg("circle", { r: 20, fill: "transparent" }), text);
  }

  function row(tag, cells) {
    return node(
      "tr",
      {},
      cells.map((cell) => node(tag, { style: "text-align: right; min-width: 0; padding: 0.2rem 0.35rem" }, cell)),
    );
  }

  function build(box, { arrows: given }) {
    const arrows = given.map((arrow) => [...arrow]);
    const label = "Three arrows from one point, and a circle of radius one on which they end once they are normalized";
    const { drawing, at, movable } = plane({ x: [-4.6, 5], y: [-3.4, 3.8], unit: 37, label });
    const [cx, cy] = at([0, 0]);
    const circle = svg("circle", {
      cx,
      cy,
      r: 37,
      fill: "none",
      stroke: "var(--figure-muted)",
      "stroke-dasharray": "5 4",
    });
    const lines = svg("g");
    const rows = node("tbody");
    const lengths = node("p", { style: "margin: 0.25rem 0" });
    const invited = "Drag a tip: first make its arrow longer, then turn it. Which columns change?";
    const told = node("p", { "aria-live": "polite", style: "margin: 0.25rem 0; min-height: 3rem" }, invited);

    function pairRow([i, j]) {
      const value = cosine(arrows[i], arrows[j]);
      const cells = [written(dot(arrows[i], arrows[j]), 2), written(value, 2), `${Math.round(inDegrees(value))}°`];
      return row("td", [`${NAMES[i]} and ${NAMES[j]}`, ...cells]);
    }

    function redraw() {
      lines.replaceChildren(...arrows.flatMap((arrow, i) => drawnArrow(i, [[0, 0], arrow, normalized(arrow)].map(at))));
      rows.replaceChildren(...PAIRS.map(pairRow));
      const each = NAMES.map((name, i) => `${name} ${written(length(arrows[i]), 2)}`);
      lengths.textContent = `Lengths: ${each.join(", ")}.`;
    }

    const tips = arrows.map((arrow, i) => {
      const handle = tip(NAMES[i]);
      movable(handle, `Tip of ${NAMES[i]}`, arrow, (place) => {
        arrows[i] = place;
        redraw();
        const cosines = PAIRS.filter((pair) => pair.includes(i)).map(([one, other]) => {
          return `${NAMES[one]} and ${NAMES[other]} ${written(cosine(arrows[one], arrows[other]), 2)}`;
        });
        told.textContent = `You moved ${NAMES[i]}. Its cosines: ${cosines.join(", ")}.`;
      });
      return handle;
    });
    drawing.append(circle, lines, ...tips);
    redraw();
    const head = node("thead", {}, row("th", ["pair", "dot product", "cosine", "angle"]));
    box.append(drawing, lengths, node("table", {}, head, rows), told);
  }

  Figures.define("three-arrows", build, { dot, length, normalized, cosine, written });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
