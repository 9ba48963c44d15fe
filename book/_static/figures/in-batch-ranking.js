/* In-batch ranking: a batch's cosines become probabilities, a loss and gradients, by a scale that the reader slides. */
(function (Figures) {
  "use strict";
  const SCALES = [1, 1.5, 2, 3, 4, 5, 7, 10, 15, 20, 30, 40, 50, 70, 100];
  const WIDTH = 360;
  const LEFT = 30;
  const SIDE = 232; // of the matrix
  const TOP = 42;

  /** The probability of each answer to each question, and each question's loss. */
  function probabilities(cosines, scale) {
    const rows = cosines.map((row) => {
      const largest = Math.max(...row);
      const raised = row.map((cosine) => Math.exp(scale * (cosine - largest)));
      const sum = raised.reduce((a, b) => a + b, 0);
      return { p: raised.map((value) => value / sum), total: Math.log(sum) + scale * largest };
    });
    return { p: rows.map((row) => row.p), losses: rows.map((row, i) => row.total - scale * cosines[i][i]) };
  }

  /** The length of the loss's gradient in each question's vector. Products of vectors are enough for that: the gradient
      is a sum of answers, so its square needs theirs with each other, and its part along the question the cosines. */
  function gradientLengths(p, cosines, amongAnswers, scale) {
    const n = p.length;
    return p.map((row, i) => {
      const weights = row.map((value, j) => (scale / n) * (value - (i === j ? 1 : 0)));
      const along = dot(weights, cosines[i]);
      const square = dot(
        weights,
        amongAnswers.map((products) => dot(weights, products)),
      );
      return Math.sqrt(Math.max(square - along * along, 0));
    });
  }

  const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
  const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
  const short = (value) => value.toFixed(2).replace(/^0/, "");

  function build(box, data) {
    const { node, svg, slider, choice } = Figures;
    let batch = data.batches[0];
    let scale = data.scale;
    let asked = 0;
    const picture = node("div");
    const words = node("p", { "aria-live": "polite" });
    const asking = node("span");

    function draw() {
      const { p, losses } = probabilities(batch.cosines, scale);
      const lengths = gradientLengths(p, batch.cosines, batch.among, scale);
      const label = `Probabilities of ${p.length} answers to ${p.length} questions at scale ${scale}`;
      const drawing = svg("svg", {
        viewBox: `0 0 ${WIDTH} 430`,
        role: "img",
        "aria-label": label,
        "font-size": 12,
        style: "max-width:32rem;margin:0 auto",
      });
      drawing.append(...matrix(p), ...bars(lengths), ...curve(mean(losses)));
      picture.replaceChildren(drawing);
      const others = p[asked].map((value, j) => (j === asked ? -1 : value));
      const nearest = others.indexOf(Math.max(...others));
      words.replaceChildren(
        `Loss ${mean(losses).toFixed(3)}. “${batch.questions[asked]}” gives its own answer `,
        node("strong", {}, p[asked][asked].toFixed(3)),
        ` and pushes hardest, with ${others[nearest].toFixed(3)}, `,
        `answer ${nearest + 1}: “${batch.answers[nearest]}”`,
      );
    }

    function matrix(p) {
      const cell = SIDE / p.length;
      const parts = [svg("text", { x: 0, y: 14 }, "questions (rows), answers (columns)")];
      p.forEach((row, i) => {
        const y = TOP + i * cell;
        const middle = y + cell / 2 + 4;
        parts.push(svg("text", { x: LEFT + (i + 0.5) * cell, y: TOP - 6, "text-anchor": "middle" }, i + 1));
        parts.push(svg("text", { x: LEFT - 6, y: middle, "text-anchor": "end" }, `${i === asked ? "▸" : ""}${i + 1}`));
        row.forEach((value, j) => {
          const x = LEFT + j * cell;
          const color = i === j ? "var(--figure-accent)" : "var(--figure-bad)";
          parts.push(
            // The filled part of the cell is its probability: the eye needs no colour for it.
            svg("rect", { x, y: y + cell * (1 - value), width: cell, height: cell * value, fill: color, opacity: 0.4 }),
            svg("rect", {
              x: x + 1,
              y: y + 1,
              width: cell - 2,
              height: cell - 2,
              fill: "none",
              stroke: i === j ? color : "var(--figure-faint)",
              "stroke-width": i === j ? 2 : 1,
            }),
            svg("text", { x: x + cell / 2, y: middle, "text-anchor": "middle" }, short(value)),
          );
        });
      });
      return parts;
    }

    function bars(lengths) {
      const cell = SIDE / lengths.length;
      const x = LEFT + SIDE + 10;
      const most = Math.max(...lengths, 1e-9);
      const parts = [svg("text", { x, y: 14 }, "length of"), svg("text", { x, y: TOP - 12 }, "the gradient")];
      lengths.forEach((length, i) => {
        const y = TOP + i * cell;
        const width = (44 * length) / most;
        parts.push(svg("rect", { x, y: y + cell / 2 - 6, width, height: 12, fill: "var(--figure-muted)" }));
        parts.push(svg("text", { x: x + width + 4, y: y + cell / 2 + 4 }, length.toFixed(2)));
      });
      return parts;
    }

    /** The loss at all scales, on a logarithmic axis, and the place of this one. */
    function curve(now) {
      const [bottom, height] = [404, 92];
      const found = SCALES.map((each) => mean(probabilities(batch.cosines, each).losses));
      const most = Math.max(...found, Math.log(batch.cosines.length));
      const x = (each) => LEFT + 6 + ((WIDTH - LEFT - 30) * Math.log(each)) / Math.log(100);
      const y = (value) => bottom - (height * value) / most;
      const knowing = y(Math.log(batch.cosines.length));
      return [
        svg("line", { x1: LEFT, x2: WIDTH, y1: bottom, y2: bottom, stroke: "var(--figure-muted)" }),
        svg("line", {
          x1: LEFT,
          x2: WIDTH,
          y1: knowing,
          y2: knowing,
          stroke: "var(--figure-muted)",
          "stroke-dasharray": "2 4",
        }),
        svg("text", { x: WIDTH, y: knowing - 4, "text-anchor": "end" }, "guessing: log n"),
        svg("polyline", {
          points: SCALES.map((each, i) => `${x(each)},${y(found[i])}`).join(" "),
          fill: "none",
          stroke: "var(--figure-accent)",
          "stroke-width": 2,
        }),
        svg("circle", { cx: x(scale), cy: y(now), r: 6, fill: "var(--figure-accent)" }),
        svg("text", { x: 0, y: bottom - height + 4 }, "loss"),
        svg("text", { x: LEFT - 6, y: bottom + 4, "text-anchor": "end" }, "0"),
        ...[1, 10, 100].map((each) => svg("text", { x: x(each), y: bottom + 17, "text-anchor": "middle" }, each)),
        svg("text", { x: x(32), y: bottom + 17, "text-anchor": "middle" }, "scale"),
      ];
    }

    function askAgain() {
      const options = batch.questions.map((text, i) => [String(i), `${i + 1}`]);
      const chosen = (value) => ((asked = Number(value)), draw());
      // The third of the chapter's four pairs is the one that still has something to learn.
      asking.replaceChildren(choice({ label: "Question", options, value: "2", chosen }));
    }

    const batches = data.batches.map((each, i) => [String(i), each.name]);
    const taken = (value) => ((batch = data.batches[Number(value)]), askAgain());
    const shown = (i) => `${SCALES[i]}, a temperature of ${Number((1 / SCALES[i]).toPrecision(2))}`;
    const moved = (i) => ((scale = SCALES[i]), draw());
    box.append(choice({ label: "Batch", options: batches, chosen: taken }), asking);
    box.append(
      slider({ label: "Scale", min: 0, max: SCALES.length - 1, value: SCALES.indexOf(data.scale), shown, moved }),
    );
    box.append(picture, words);
    draw();
  }

  Figures.define("in-batch-ranking", build, { probabilities, gradientLengths });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
