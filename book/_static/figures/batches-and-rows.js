/* The texts of a collection, in batches: how much of the work is on pads, and how fast the products are with so many rows. */
"use strict";

(function (Figures) {
  const { svg, node, choice, tick, scale } = Figures;
  const [LEFT, RIGHT, TOP] = [8, 352, 24];
  const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

  /** As the chapter counts: two for each weight and token, four for each pair of tokens and each feature. */
  function operations(tokens, { hidden, wide, layers }) {
    return layers * (2 * tokens * (4 * hidden ** 2 + 2 * hidden * wide) + 4 * tokens ** 2 * hidden);
  }

  /** Operations a second with so many rows, between those that were measured along a logarithmic scale. */
  function speed(rows, measured) {
    const last = measured.at(-1);
    const place = Math.min(Math.max(rows, measured[0][0]), last[0]);
    const after = Math.max(
      1,
      measured.findIndex(([count]) => count >= place),
    );
    const [[low, slow], [high, fast]] = [measured[after - 1], measured[after]];
    return slow + ((fast - slow) * Math.log(place / low)) / Math.log(high / low);
  }

  function batches(lengths, size, sorted) {
    const order = sorted ? [...lengths].sort((one, other) => other - one) : lengths;
    return Array.from({ length: Math.ceil(order.length / size) }, (_, n) => order.slice(n * size, (n + 1) * size));
  }

  /** What one batch costs: its rows, operations with and without pads, and seconds. */
  function cost(batch, packed, { shape, measured }) {
    const longest = Math.max(...batch);
    const rows = packed ? sum(batch) : batch.length * longest;
    const needed = sum(batch.map((tokens) => operations(tokens, shape)));
    const done = packed ? needed : batch.length * operations(longest, shape);
    return { rows, needed, done, seconds: done / speed(rows, measured) };
  }

  function total(data, { size, sorted, packed }) {
    const costs = batches(data.lengths, size, sorted).map((batch) => cost(batch, packed, data));
    const [needed, done, seconds] = ["needed", "done", "seconds"].map((name) => sum(costs.map((one) => one[name])));
    const rows = costs.map((one) => one.rows).sort((one, other) => one - other);
    return { needed, done, seconds, rows: rows[rows.length >> 1], rate: data.lengths.length / seconds };
  }

  /** A line for each text, whole where its tokens are and thin where pads are, and a bracket beside each batch. */
  function lines(data, { size, sorted, packed }) {
    const x = scale([0, Math.max(...data.lengths)], [LEFT + 10, RIGHT]);
    const step = 240 / data.lengths.length;
    let y = TOP;
    return batches(data.lengths, size, sorted).flatMap((batch) => {
      const start = y;
      const end = Math.max(...batch);
      const drawn = batch.flatMap((length) => {
        y += step;
        const pads = !packed && length < end;
        const line = (from, to, look) => svg("path", { d: `M${x(from)} ${y - step / 2}H${x(to)}`, ...look });
        return [
          line(0, length, { stroke: "var(--figure-accent)", "stroke-width": step * 0.8 }),
          ...(pads
            ? [line(length, end, { stroke: "var(--figure-bad)", "stroke-width": 0.9, "stroke-dasharray": "3 2" })]
            : []),
        ];
      });
      const bracket = `M${LEFT + 5} ${start + 0.5}h-5V${y - 0.5}h5`;
      return [...drawn, svg("path", { d: bracket, fill: "none", stroke: "var(--figure-ink)" })];
    });
  }

  /** How long it takes: on texts, and on pads. */
  function timeBar(found, longest) {
    const x = scale([0, longest], [LEFT, RIGHT]);
    const own = (found.seconds * found.needed) / found.done;
    const bar = (from, to, look) =>
      svg("rect", { x: x(from), width: Math.max(0, x(to) - x(from)), y: 308, height: 16, ...look });
    return [
      svg(
        "text",
        { x: LEFT, y: 302, "font-size": 12.5 },
        `time: ${own.toFixed(2)} s on texts (full), ${(found.seconds - own).toFixed(2)} s on pads (dashed)`,
      ),
      bar(0, own, { fill: "var(--figure-accent)" }),
      bar(own, found.seconds, {
        fill: "none",
        stroke: "var(--figure-bad)",
        "stroke-width": 1.5,
        "stroke-dasharray": "3 2",
      }),
    ];
  }

  function summary(data, state) {
    const { needed, done, seconds, rows, rate } = total(data, state);
    const billions = (count) => (count / 1e9).toFixed(0);
    return (
      `${billions(needed)} billion operations for the texts and ${billions(done - needed)} for pads. A product has ${rows.toLocaleString("en")} rows ` +
      `(the median), at which ${billions(speed(rows, data.measured))} billion a second were measured. Products alone would take ` +
      `${seconds.toFixed(2)}\u00a0s: ${rate.toFixed(0)} texts a second.`
    );
  }

  function build(box, data) {
    const state = { size: 32, sorted: false, packed: false };
    const slowest = Math.max(
      ...[1, 8, 32, 96].map((size) => total(data, { size, sorted: false, packed: false }).seconds),
    );
    const label = `${data.lengths.length} texts as lines, in batches: as long as they have tokens, and dashed where they are padded`;
    const drawing = svg("svg", { viewBox: "0 0 360 330", role: "img", "aria-label": label });
    const result = node("p", { "aria-live": "polite" });
    function draw(changed) {
      Object.assign(state, changed);
      const name = svg(
        "text",
        { x: LEFT, y: 14, "font-size": 12.5 },
        "a line: a text; dashed: pads; a bracket: a batch",
      );
      const ends = [
        svg("text", { x: LEFT + 10, y: 279, "font-size": 12.5 }, "0"),
        svg(
          "text",
          { x: RIGHT, y: 279, "font-size": 12.5, "text-anchor": "end" },
          `${Math.max(...data.lengths)} tokens`,
        ),
      ];
      drawing.replaceChildren(name, ...ends, ...lines(data, state), ...timeBar(total(data, state), slowest));
      result.textContent = summary(data, state);
    }
    box.append(
      choice({
        label: "texts at a time",
        value: "32",
        options: [1, 8, 32, 96].map((size) => [String(size), String(size)]),
        chosen: (size) => draw({ size: Number(size) }),
      }),
      tick({ label: "sorted by length", ticked: (sorted) => draw({ sorted }) }),
      tick({ label: "packed, no pads", ticked: (packed) => draw({ packed }) }),
      drawing,
      result,
    );
  }

  Figures.define("batches-and-rows", build, { operations, speed, batches, cost, total, summary });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
