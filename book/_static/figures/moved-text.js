/* A text that the reader drags along the places, and the vector that a model gives it there. */
(function (Figures) {
  "use strict";
  const NARROW = "max-width:32rem;margin:0 auto";
  const [WIDTH, LEFT] = [360, 6];

  /** The place that is nearest to a distance, among so many. */
  const placeAt = (x, step, count) => Math.max(0, Math.min(count - 1, Math.round(x / step)));

  function build(box, data) {
    const { node, svg, choice, tick, draggable } = Figures;
    const tokens = data.orders.plain;
    const count = data.models[0].plain.cosines.length;
    const step = (WIDTH - 2 * LEFT) / (count - 1 + tokens.length);
    let model = data.models[0];
    let order = "plain";
    let by = 0;
    const words = node("p", { "aria-live": "polite" });
    const below = node("div");

    const block = svg("g", {
      role: "slider",
      "aria-label": "The text",
      "aria-valuemin": 0,
      "aria-valuemax": count - 1,
    });
    const size = { viewBox: `0 12 ${WIDTH} 54`, "font-size": 12, style: NARROW };
    const places = svg("svg", size, grid(), block);
    let dragged = 0; // in units of the drawing: it may lie between two places while a pointer moves it
    draggable(block, places, step, ([dx]) => {
      dragged = Math.max(0, Math.min((count - 1) * step, dragged + dx));
      by = placeAt(dragged, step, count);
      draw();
    });
    block.addEventListener("pointerup", () => (dragged = by * step));

    function grid() {
      return Array.from({ length: count - 1 + tokens.length }, (_, i) => [
        svg("rect", {
          x: LEFT + i * step + 0.5,
          y: 22,
          width: step - 1,
          height: 24,
          fill: "none",
          stroke: "var(--figure-faint)",
        }),
        i % 4 ? "" : svg("text", { x: LEFT + (i + 0.5) * step, y: 62, "text-anchor": "middle" }, i),
      ]).flat();
    }

    function draw() {
      const found = model[order];
      block.replaceChildren(
        ...data.orders[order].flatMap((token, i) => [
          svg("rect", {
            x: LEFT + (by + i) * step,
            y: 20,
            width: step,
            height: 28,
            fill: "var(--figure-paper)",
            stroke: "var(--figure-accent)",
            "stroke-width": 2,
          }),
          svg("text", { x: LEFT + (by + i + 0.5) * step, y: 39, "text-anchor": "middle" }, "abcdefgh"[token]),
        ]),
      );
      block.setAttribute("aria-valuenow", by);
      const cosine = found.cosines[by];
      const where = `${by} ${by === 1 ? "place" : "places"}`;
      block.setAttribute("aria-valuetext", `moved by ${where}, cosine ${cosine.toFixed(3)}`);
      below.replaceChildren(bars(found.vectors[by]), curve(found.cosines));
      const how = order === "plain" ? "" : " and shuffled";
      words.replaceChildren(`Moved by ${where}${how}: the cosine with the text at the start is `);
      words.append(node("strong", {}, cosine.toFixed(3)));
    }

    /** The vector's first numbers: outlined where the text stood at first, filled where it is now. */
    function bars(now) {
      const start = model.plain.vectors[0];
      const most = Math.max(...data.models.flatMap((each) => each.plain.vectors.flat().map(Math.abs)));
      const wide = (WIDTH - 2 * LEFT) / start.length;
      const label = "The first numbers of the text's vector, here and at the start";
      const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} 122`, role: "img", "aria-label": label, style: NARROW });
      drawing.append(
        svg(
          "text",
          { x: LEFT, y: 14, "font-size": 12 },
          `first ${start.length} numbers of its vector: ▮ now, ▯ at the start`,
        ),
      );
      start.forEach((value, i) => {
        const bar = (height, wideness, look) => {
          const tall = (46 * height) / most;
          const x = LEFT + (i + 0.5) * wide - wideness / 2;
          drawing.append(
            svg("rect", { x, y: 70 - Math.max(tall, 0), width: wideness, height: Math.abs(tall) + 0.5, ...look }),
          );
        };
        bar(now[i], wide * 0.5, { fill: "var(--figure-accent)" });
        bar(value, wide * 0.86, { fill: "none", stroke: "var(--figure-ink)" });
      });
      return drawing;
    }

    /** The cosine after every move, this one marked. */
    function curve(cosines) {
      const least = 0.84; // a little below the least of all the cosines
      const x = (i) => 44 + ((WIDTH - 60) * i) / (count - 1);
      const y = (value) => 30 + (84 * (1 - value)) / (1 - least);
      const words = (at, text) => svg("text", at, text);
      const points = cosines.map((value, i) => `${x(i)},${y(value)}`).join(" ");
      const label = "Cosine with the text at the start, over the places that it has moved";
      return svg(
        "svg",
        { viewBox: `0 0 ${WIDTH} 150`, role: "img", "aria-label": label, "font-size": 12, style: NARROW },
        [0.85, 0.9, 0.95, 1].flatMap((value) => [
          svg("line", { x1: 38, x2: WIDTH, y1: y(value), y2: y(value), stroke: "var(--figure-faint)" }),
          svg("text", { x: 32, y: y(value) + 4, "text-anchor": "end" }, value.toFixed(2)),
        ]),
        svg("polyline", { points, fill: "none", stroke: "var(--figure-accent)", "stroke-width": 2 }),
        svg("circle", { cx: x(by), cy: y(cosines[by]), r: 6, fill: "var(--figure-accent)" }),
        [0, 4, 8, 12, 16].map((move) => words({ x: x(move), y: 130, "text-anchor": "middle" }, move)),
        words({ x: LEFT, y: 14 }, "cosine with the text at the start"),
        words({ x: x((count - 1) / 2), y: 146, "text-anchor": "middle" }, "places that the text has moved"),
      );
    }

    const turns = data.models.map((each, i) => [String(i), each.turned]);
    const chosen = (i) => ((model = data.models[Number(i)]), draw());
    box.append(choice({ label: "Turned", options: turns, chosen }));
    box.append(tick({ label: "Shuffle the words", ticked: (on) => ((order = on ? "shuffled" : "plain"), draw()) }));
    box.append(
      node("p", { style: "margin:0.5rem 0" }, "Drag the text to other places, or move it with the arrow keys:"),
      places,
      words,
      below,
    );
  }

  Figures.define("moved-text", build, { placeAt });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
