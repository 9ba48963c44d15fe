/* A contrastive batch cut into parts: what is seen of its cosines, what loss that is, and what it takes. */
"use strict";

(function (Figures) {
  const { svg, node, choice } = Figures;
  const SIDE = 41;
  const [LEFT, TOP] = [26, 48];
  const WAYS = {
    parts: "cut the loss, too",
    cached: "GradCache: cut the network only",
  };

  /** The mean over the parts of the cross entropy of each query with the documents of its part. */
  function loss(cosines, size, scale) {
    const rows = cosines.map((row, query) => {
      const first = query - (query % size);
      const scores = row.slice(first, first + size).map((cosine) => scale * cosine);
      const most = Math.max(...scores);
      const total = scores.reduce((sum, score) => sum + Math.exp(score - most), 0);
      return most + Math.log(total) - scale * row[query];
    });
    return rows.reduce((sum, value) => sum + value) / rows.length;
  }

  /** What a way of cutting sees and takes. Going back is counted as two passes forward. */
  function facts({ cosines, scale }, size, way) {
    const all = cosines.length;
    const block = way === "cached" ? all : size;
    return {
      block,
      loss: loss(cosines, block, scale),
      seen: all * block,
      held: way === "cached" ? size : 2 * size, // texts: a chunk of one side, or the parts of both
      passes: way === "cached" ? 4 : 3,
    };
  }

  function square(cosine, row, column, block, size) {
    const [x, y] = [LEFT + column * SIDE, TOP + row * SIDE];
    const seen = Math.floor(row / block) === Math.floor(column / block);
    const shade = { fill: seen ? "var(--figure-accent)" : "none", "fill-opacity": 0.75 * Math.max(0, cosine) };
    const text = {
      x: x + SIDE / 2,
      y: y + SIDE / 2 + 4,
      "text-anchor": "middle",
      "font-size": 12,
      "fill-opacity": seen ? 1 : 0.45,
    };
    return [
      svg("rect", { x, y, width: SIDE, height: SIDE, stroke: "var(--figure-faint)", ...shade }),
      svg("text", text, seen ? (Math.round(100 * cosine) / 100 + 0).toFixed(2).replace("-", "−") : "·"),
      ...(row % size || column
        ? []
        : [
            svg("path", {
              d: `M${LEFT - 7} ${y + 3}v${size * SIDE - 6}`,
              stroke: "var(--figure-ink)",
              "stroke-width": 3,
            }),
          ]),
      ...(column % size || row
        ? []
        : [
            svg("path", {
              d: `M${x + 3} ${TOP - 7}h${size * SIDE - 6}`,
              stroke: "var(--figure-ink)",
              "stroke-width": 3,
            }),
          ]),
    ];
  }

  function outlines(all, block) {
    return Array.from({ length: all / block }, (_, n) => {
      const [x, y] = [LEFT, TOP].map((start) => start + n * block * SIDE);
      return svg("rect", {
        x,
        y,
        width: block * SIDE,
        height: block * SIDE,
        fill: "none",
        stroke: "var(--figure-ink)",
        "stroke-width": 2.5,
      });
    });
  }

  function summary(data, size, way) {
    const { block, loss, seen, held, passes } = facts(data, size, way);
    const all = data.cosines.length;
    const wrong = block === 2 ? "1 wrong document" : `${block - 1} wrong documents`;
    return (
      `The loss sees ${seen} of ${all ** 2} cosines: ${wrong} for each query. It is ${loss.toFixed(4)}. ` +
      `Held for the way back is what ${held} ${held === 1 ? "text needs" : "texts need"}, at most. ` +
      `Time: ${passes} units for each text, where forward is one and back two.`
    );
  }

  function build(box, data) {
    const all = data.cosines.length;
    const state = { size: 2, way: "parts" };
    const width = LEFT + all * SIDE + 6;
    const label = `The cosines of ${all} queries (rows) with ${all} documents (columns); outlined is what the loss sees`;
    const drawing = svg("svg", { viewBox: `0 0 ${width} ${TOP + all * SIDE + 6}`, role: "img", "aria-label": label });
    const result = node("p", { "aria-live": "polite" });
    function draw(changed) {
      Object.assign(state, changed);
      const { size, way } = state;
      const { block } = facts(data, size, way);
      drawing.replaceChildren(
        svg("text", { x: LEFT, y: 14, "font-size": 12.5 }, "cosines of queries (rows) and documents (columns)"),
        svg("text", { x: LEFT, y: 32, "font-size": 12.5 }, "bars: what goes through the network together"),
        ...data.cosines.flatMap((row, query) =>
          row.flatMap((cosine, place) => square(cosine, query, place, block, size)),
        ),
        ...outlines(all, block),
      );
      result.textContent = summary(data, size, way);
    }
    const sizes = Array.from({ length: Math.log2(all) + 1 }, (_, n) => 2 ** n);
    box.append(
      choice({
        label: "pairs at a time",
        value: "2",
        options: sizes.map((size) => [String(size), size === all ? `all ${size}` : String(size)]),
        chosen: (size) => draw({ size: Number(size) }),
      }),
      choice({ label: "how", options: Object.entries(WAYS), chosen: (way) => draw({ way }) }),
      drawing,
      result,
    );
  }

  Figures.define("cut-batch", build, { loss, facts, summary });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
