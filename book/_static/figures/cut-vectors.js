/* Vectors of nine sentences, cut: which pairs pass a threshold, by dot product or by cosine. */
(function (Figures) {
  "use strict";
  const NARROW = "max-width:30rem;margin:0 auto";
  const SUBJECTS = ["cats", "rates", "pasta"]; // three sentences on each, in this order

  /** The products of vectors as cosines, which are those of the vectors scaled to length one. */
  function scaled(products) {
    const lengths = products.map((row, i) => Math.sqrt(row[i]));
    return products.map((row, i) => row.map((value, j) => value / lengths[i] / lengths[j]));
  }

  /** How many pairs pass, of those on one subject and of those on two. */
  function passing(scores, threshold, subjects = SUBJECTS.length) {
    const size = scores.length / subjects;
    const counts = { same: 0, other: 0 };
    scores.forEach((row, i) =>
      row.slice(0, i).forEach((value, j) => {
        if (value > threshold) counts[Math.floor(i / size) === Math.floor(j / size) ? "same" : "other"] += 1;
      }),
    );
    return counts;
  }

  /** Two digits without the zero before them, and without a minus before nothing. */
  const short = (value) =>
    value
      .toFixed(2)
      .replace("-0.00", "0.00")
      .replace(/^(-?)0/, "$1")
      .replace("-", "−");

  function build(box, data) {
    const { node, svg, slider, tick } = Figures;
    let [size, threshold, normalize] = [data.sizes.length - 1, 0.4, false];
    const picture = node("div");
    const heading = node("p", { style: "margin:0.25rem 0" });
    const words = node("p", { "aria-live": "polite" });

    function draw() {
      const products = data.products[size];
      const scores = normalize ? scaled(products) : products;
      const { same, other } = passing(scores, threshold);
      picture.replaceChildren(matrix(scores));
      const length = normalize ? 1 : Math.sqrt(products[0][0]);
      heading.replaceChildren(
        node("strong", {}, normalize ? "Cosines" : "Dot products"),
        " of nine sentences. Framed: on one subject. Filled: over the threshold.",
      );
      words.replaceChildren(
        `The first sentence's vector has a length of ${length.toFixed(2)}. Over ${threshold.toFixed(2)} are `,
        node("strong", {}, `${same} of 9 related pairs and ${other} of 27 unrelated`),
        ".",
      );
    }

    /** The lower half of the matrix of pairs; a pair that passes is filled, in a frame if the two are related. */
    function matrix(scores) {
      const [left, top, cell] = [46, 6, 34];
      const label = `Scores of the pairs of nine sentences, cut to ${data.sizes[size]} numbers`;
      const drawing = svg("svg", {
        viewBox: "0 0 360 344",
        role: "img",
        "aria-label": label,
        "font-size": 12,
        style: NARROW,
      });
      scores.forEach((row, i) => {
        const y = top + i * cell;
        drawing.append(svg("text", { x: left - 6, y: y + 21, "text-anchor": "end" }, i + 1));
        drawing.append(svg("text", { x: left + (i + 0.5) * cell, y: 332, "text-anchor": "middle" }, i + 1));
        row.slice(0, i + 1).forEach((value, j) => drawing.append(pair(value, left + j * cell, y, cell, i, j)));
      });
      SUBJECTS.forEach((name, n) =>
        drawing.append(svg("text", { x: left + (3 * n + 1.2) * cell, y: top + 3 * n * cell + 21 }, name)),
      );
      return drawing;
    }

    function pair(value, x, y, cell, i, j) {
      const related = Math.floor(i / 3) === Math.floor(j / 3);
      const passes = value > threshold && i !== j;
      const color = related ? "var(--figure-accent)" : "var(--figure-bad)";
      const frame = { x: x + 1.5, y: y + 1.5, width: cell - 3, height: cell - 3 };
      const fill = passes ? color : "none";
      return svg(
        "g",
        {},
        svg("title", {}, `${data.texts[j]} / ${data.texts[i]}`),
        svg("rect", { ...frame, fill, "fill-opacity": 0.35, stroke: related ? color : "var(--figure-faint)" }),
        svg(
          "text",
          { x: x + cell / 2, y: y + 21, "text-anchor": "middle", "font-weight": passes ? "bold" : "normal" },
          short(value),
        ),
      );
    }

    const names = data.texts.map((text) => node("li", {}, text));
    box.append(
      slider({
        label: "Numbers that are kept",
        min: 0,
        max: data.sizes.length - 1,
        value: size,
        shown: (i) => String(data.sizes[i]),
        moved: (i) => ((size = i), draw()),
      }),
      slider({
        label: "Threshold",
        min: 0,
        max: 0.8,
        step: 0.05,
        value: threshold,
        shown: (value) => value.toFixed(2),
        moved: (value) => ((threshold = value), draw()),
      }),
      tick({ label: "Scale to length one after the cut", ticked: (on) => ((normalize = on), draw()) }),
      heading,
      picture,
      words,
      node("details", {}, node("summary", {}, "The nine sentences"), node("ol", { style: "text-align:left" }, names)),
    );
  }

  Figures.define("cut-vectors", build, { scaled, passing });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
