/* A seeded fault, layer by layer: its largest error against the gate, and beside it the cosine. */
"use strict";

(function (Figures) {
  const { node, svg, choice, scale, path } = Figures;
  const SUPERSCRIPTS = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };
  const LEFT = 98;
  const RIGHT = 290;
  const TOP = 46;
  const ROW = 34;
  const x = scale([-7, 1], [LEFT, RIGHT]); // of the error's power of ten
  const y = (row) => TOP + ROW * (row + 0.5);

  /** The report counts layers from 0; before them come the embeddings. */
  const nameOf = (place) => (place ? `layer ${place - 1}` : "embeddings");

  /** An error that is no number, null, is beyond every gate. */
  const isBeyond = (error, gate) => error === null || error > gate;

  /** The first place beyond its gate, or -1. */
  const firstBeyond = (errors, gates) => errors.findIndex((error, place) => isBeyond(error, gates[place]));

  /** A cosine to three digits, as a test would print it. */
  const shown = (cosine) => (cosine === null ? "NaN" : cosine.toFixed(3));

  const horizontal = (error) => (error === null ? RIGHT : Math.min(x(Math.log10(error)), RIGHT));

  function power(exponent) {
    return `10${[...String(exponent)].map((sign) => SUPERSCRIPTS[sign]).join("")}`;
  }

  function words(at, text, style = "") {
    return svg("text", { "font-size": 13, style, ...at }, text);
  }

  /** What stays: names of the rows, powers of ten, the gate. */
  function ground(gates) {
    const bottom = TOP + ROW * gates.length;
    const powers = [-6, -4, -2, 0].map((exponent) => [
      svg("line", { x1: x(exponent), x2: x(exponent), y1: TOP, y2: bottom, stroke: "var(--figure-faint)" }),
      words({ x: x(exponent), y: bottom + 18, "text-anchor": "middle" }, power(exponent)),
    ]);
    const corners = gates.flatMap((gate, row) =>
      [TOP + ROW * row, TOP + ROW * (row + 1)].map((at) => [x(Math.log10(gate)), at]),
    );
    return [
      ...powers.flat(),
      svg("path", {
        d: path(corners),
        fill: "none",
        stroke: "var(--figure-bad)",
        "stroke-width": 2,
        "stroke-dasharray": "6 3",
      }),
      words({ x: x(Math.log10(gates[0])), y: TOP - 8, "text-anchor": "middle" }, "the gate", "fill: var(--figure-bad)"),
      words({ x: 326, y: TOP - 8, "text-anchor": "middle", "font-weight": 600 }, "cosine"),
      words({ x: 326, y: TOP - 23, "text-anchor": "middle", "font-weight": 600 }, "worst"),
      words({ x: (LEFT + RIGHT) / 2, y: bottom + 38, "text-anchor": "middle" }, "largest error (× beyond the gate)"),
      ...gates.map((_, row) => words({ x: LEFT - 12, y: y(row) + 4, "text-anchor": "end" }, nameOf(row))),
    ];
  }

  /** A dot where the error is within the gate, a cross where it is beyond. */
  function mark(error, gate, row) {
    const at = `translate(${horizontal(error)} ${y(row)})`;
    if (!isBeyond(error, gate)) return svg("circle", { transform: at, r: 5, fill: "var(--figure-ink)" });
    return svg("path", { transform: at, d: "M-5-5L5 5M-5 5L5-5", stroke: "var(--figure-bad)", "stroke-width": 3 });
  }

  function marks({ errors, cosines }, gates) {
    const line = path(errors.map((error, row) => [horizontal(error), y(row)]));
    return [
      svg("path", { d: line, fill: "none", stroke: "var(--figure-muted)" }),
      ...errors.map((error, row) => mark(error, gates[row], row)),
      ...cosines.map((cosine, row) => words({ x: 326, y: y(row) + 4, "text-anchor": "middle" }, shown(cosine))),
    ];
  }

  /** In words what the drawing shows. */
  function verdict({ errors, cosines }, gates) {
    const first = firstBeyond(errors, gates);
    if (first < 0) return "Every layer stays within its gate, and the cosines are 1.000.";
    const where = first ? `in layer ${first - 1}` : "in the embeddings";
    if (errors[first] === null) return `First beyond the gate ${where}: the result is not a number.`;
    const times = Number((errors[first] / gates[first]).toPrecision(2)).toLocaleString("en");
    const worst = Math.min(...cosines);
    return (
      `First beyond the gate ${where}, by a factor of ${times}. ` +
      `The lowest cosine of all layers is ${worst.toFixed(4)}: ` +
      `a test at 0.995 ${worst > 0.995 ? "passes" : "fails"}.`
    );
  }

  function build(box, { gate, faults }) {
    const moving = svg("g");
    const height = TOP + ROW * gate.length + 46;
    const drawing = svg("svg", {
      viewBox: `0 0 360 ${height}`,
      role: "img",
      style: "max-width: 34rem; margin: 0 auto",
    });
    drawing.append(...ground(gate), moving);
    const told = node("p", { "aria-live": "polite" });
    const list = choice({
      label: "What is wrong",
      options: faults.map((fault, number) => [String(number), fault.story]),
      value: "1",
      chosen(number) {
        const fault = faults[number];
        moving.replaceChildren(...marks(fault, gate));
        // A phone cuts the chosen line of a list, so the whole of it is said here.
        told.replaceChildren(
          node("strong", {}, `With ${fault.story}: `.replace("With nothing is", "With nothing")),
          verdict(fault, gate),
        );
        const beyond = fault.errors.map(
          (error, row) => `${nameOf(row)} ${isBeyond(error, gate[row]) ? "beyond" : "within"}`,
        );
        drawing.setAttribute("aria-label", `Errors by layer against the gate: ${beyond.join(", ")}.`);
      },
    });
    list.style.display = "block";
    list.querySelector("select").style.width = "100%";
    box.append(list, drawing, told);
  }

  Figures.define("faults-by-layer", build, { firstBeyond, shown, verdict, power, nameOf });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
