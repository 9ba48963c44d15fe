/* A batch whose lengths can be dragged, and how many places it takes: padded, sorted into small batches, packed. */
"use strict";

(function (Figures) {
  const { svg, node, slider, scale, draggable } = Figures;
  const count = (number) => number.toLocaleString("en");
  const sum = (numbers) => numbers.reduce((all, one) => all + one, 0);

  /** The lengths, sorted and cut into batches of at most `size`. */
  function sorted(lengths, size) {
    const order = [...lengths].sort((a, b) => a - b);
    return Array.from({ length: Math.ceil(order.length / size) }, (_, i) => order.slice(i * size, (i + 1) * size));
  }

  /** Places of padded batches, and pairs of places in a layer that sees the whole text. */
  function padded(batches) {
    const squares = batches.map((batch) => [batch.length, Math.max(...batch)]);
    return {
      places: sum(squares.map(([texts, longest]) => texts * longest)),
      pairs: sum(squares.map(([texts, longest]) => texts * longest ** 2)),
    };
  }

  function packed(lengths) {
    return { places: sum(lengths), pairs: sum(lengths.map((length) => length ** 2)) };
  }

  /** The packed row, folded into lines: pieces {text, line, from, to}. */
  function folded(lengths, wide) {
    const pieces = [];
    let start = 0;
    lengths.forEach((length, text) => {
      for (const end = start + length; start < end;) {
        const line = Math.floor(start / wide);
        const to = Math.min(end, (line + 1) * wide);
        pieces.push({ text, line, from: start - line * wide, to: to - line * wide });
        start = to;
      }
    });
    return pieces;
  }

  const LEFT = 8;
  const ROW = 17; // tall enough for a finger
  const LOW = 7;

  function bar(x, y, from, to, height, text) {
    const fill = text === null ? "var(--figure-faint)" : "var(--figure-accent)";
    const opacity = text !== null && text % 2 ? 0.55 : 1; // neighbours in the packed row look different
    return svg("rect", { x: x(from), y, width: x(to) - x(from), height: height - 1.5, fill, "fill-opacity": opacity });
  }

  /** Rows of padded batches, from y on, with a gap between batches. */
  function rectangle(batches, x, y, height) {
    return batches.flatMap((batch, number) =>
      batch.map((length, i) => {
        const at = y + height * (sum(batches.slice(0, number).map((each) => each.length)) + i) + 4 * number;
        return svg("g", {}, bar(x, at, 0, Math.max(...batch), height, null), bar(x, at, 0, length, height, 0));
      }),
    );
  }

  /** The end of a text's bar, which can be dragged; moved(tokens) is told by how much. */
  function handle(number, drawing, x, most, moved) {
    const knob = svg("circle", {
      r: 6.5,
      cy: 24 + ROW * number + 7.5,
      fill: "var(--figure-paper)",
      stroke: "var(--figure-accent)",
      "stroke-width": 2.5,
      role: "slider",
      "aria-label": `length of text ${number + 1}`,
      "aria-valuemin": 1,
      "aria-valuemax": most,
    });
    return draggable(knob, drawing, x(10) - x(0), ([right]) => moved(right / (x(1) - x(0))));
  }

  function title(y, name, { places }, tokens) {
    const waste = places - tokens;
    const text = `${name}: ${count(places)} places, ${count(waste)} pads (${Math.round((100 * waste) / places)} %)`;
    return svg("text", { x: LEFT, y, "font-size": 12.5 }, text);
  }

  function build(box, { lengths, batch, most }) {
    const at = { lengths: [...lengths], batch };
    const x = scale([0, most], [LEFT, 345]);
    const below = 24 + ROW * lengths.length + 24; // where the sorted batches begin
    const bottom = below + LOW * lengths.length + 4 * lengths.length + 24; // where the packed row begins
    const label = "The lengths of the texts as bars to drag, and below them the same texts sorted and packed";
    const drawing = svg("svg", {
      viewBox: `0 0 360 ${bottom + LOW * lengths.length}`,
      role: "group",
      "aria-label": label,
    });
    const bars = svg("g");
    const result = node("p", { "aria-live": "polite" });
    const knobs = lengths.map((_, number) => handle(number, drawing, x, most, (more) => resize(number, more)));
    drawing.append(bars, ...knobs);
    const button = (text, chosen) =>
      node("button", { type: "button", onclick: () => draw({ lengths: chosen() }) }, text);
    function resize(number, more) {
      const length = Math.min(Math.max(at.lengths[number] + more, 1), most);
      draw({ lengths: Object.assign([...at.lengths], { [number]: length }) });
    }
    function draw(changed) {
      Object.assign(at, changed); // lengths are whole when they are drawn, and in between as the pointer left them
      const now = at.lengths.map(Math.round);
      const groups = sorted(now, at.batch);
      const ways = { padded: padded([now]), sorted: padded(groups), packed: packed(now) };
      const wide = Math.max(...now);
      bars.replaceChildren(
        title(14, "padded", ways.padded, sum(now)),
        ...rectangle([now], x, 24, ROW),
        title(below - 8, `sorted, by ${at.batch}`, ways.sorted, sum(now)),
        ...rectangle(groups, x, below, LOW),
        title(bottom - 8, "packed", ways.packed, sum(now)),
        ...folded(now, wide).map(({ text, line, from, to }) => bar(x, bottom + LOW * line, from, to, LOW, text)),
      );
      knobs.forEach((knob, i) => {
        knob.setAttribute("cx", x(now[i]));
        knob.setAttribute("aria-valuenow", now[i]);
      });
      const times = (what, key) => `${(ways[what][key] / ways.packed[key]).toFixed(1)} times`;
      result.textContent =
        `${count(sum(now))} tokens. Padded, they take ${times("padded", "places")} as many places as packed, ` +
        `and in global layers ${times("padded", "pairs")} the pairs; ` +
        `sorted, ${times("sorted", "places")} and ${times("sorted", "pairs")}.`;
    }
    box.append(
      slider({
        label: "texts in a sorted batch",
        min: 1,
        max: lengths.length,
        value: batch,
        moved: (value) => draw({ batch: value }),
      }),
      drawing,
      result,
      button("the chapter's lengths", () => [...lengths]),
      " ",
      button("all alike", () => lengths.map(() => Math.round(sum(lengths) / lengths.length))),
    );
  }

  Figures.define("padded-and-packed", build, { sorted, padded, packed, folded });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
