/* One training in three frameworks: the reader picks a step, and enlarges how far two of the curves are from the third. */
(function (Figures) {
  "use strict";
  const NARROW = "max-width:34rem;margin:0 auto";
  const [LEFT, RIGHT, TOP, BOTTOM] = [34, 352, 10, 190];
  const [LEAST, MOST] = [3.6, 5.4]; // of the losses that are drawn
  const LOOKS = {
    torch: { stroke: "var(--port-torch)", "stroke-width": 1.2 },
    mlx: { stroke: "var(--port-mlx)", "stroke-width": 1.6, "stroke-dasharray": "6 4" },
    candle: { stroke: "var(--port-rust)", "stroke-width": 2.2, "stroke-dasharray": "1 4", "stroke-linecap": "round" },
  };
  const FINE = 1e-9; // the differences are stored as whole numbers of it

  /** What the last of the 24 bits of a float32 of this size is worth. */
  const lastPlace = (value) => 2 ** (Math.floor(Math.log2(Math.abs(value))) - 23);

  /** A curve with its distance from the first made so many times as large. */
  const enlarged = (losses, apart, times) => losses.map((loss, i) => loss + times * apart[i] * FINE);

  /** The first step, counted from 1, from which on the curves stay so far apart at least once; null if they never are. */
  function firstApart(apart, distance) {
    const place = apart.findIndex((each) => Math.abs(each) * FINE >= distance);
    return place < 0 ? null : place + 1;
  }

  function build(box, data) {
    const { node, svg, slider } = Figures;
    const { losses } = data;
    const curves = { torch: losses.map(() => 0), ...data.apart };
    let [step, power] = [1, 0];
    const picture = node("div");
    const table = node("div");
    const words = node("p", { "aria-live": "polite" });
    const x = (i) => LEFT + ((RIGHT - LEFT) * i) / (losses.length - 1);
    const y = (loss) => BOTTOM - ((BOTTOM - TOP) * (Math.max(LEAST, Math.min(MOST, loss)) - LEAST)) / (MOST - LEAST);

    function draw() {
      const times = 10 ** power;
      const label = `Losses of three trainings over ${losses.length} steps, their differences ${times} times as large`;
      const size = { viewBox: "0 0 360 232", "font-size": 12, style: NARROW };
      const drawing = svg("svg", { ...size, role: "img", "aria-label": label }, axes());
      for (const [name, apart] of Object.entries(curves)) {
        const points = enlarged(losses, apart, times).map((loss, i) => `${x(i).toFixed(1)},${y(loss).toFixed(1)}`);
        drawing.append(svg("polyline", { points: points.join(" "), fill: "none", ...LOOKS[name] }));
      }
      drawing.append(...marks());
      picture.replaceChildren(drawing);
      told(times);
    }

    /** The loss without a network, and those on held-out text; over the curves, lest these cover them. */
    function marks() {
      const look = { "stroke-width": 1.2, stroke: "var(--figure-ink)" };
      const halo = { "paint-order": "stroke", stroke: "var(--figure-paper)", "stroke-width": 5 };
      const dot = { r: 4, fill: "var(--figure-paper)", stroke: "var(--figure-ink)", "stroke-width": 1.5 };
      return [
        svg("path", { d: `M${LEFT} ${y(data.by_frequency)}H${RIGHT}`, ...look }),
        ...Object.entries(data.held).map(([at, loss]) => svg("circle", { cx: x(at - 1), cy: y(loss), ...dot })),
        svg("text", { x: RIGHT, y: y(5.1), "text-anchor": "end", ...halo }, "level line: by frequency; ○ held-out text"),
      ];
    }

    function axes() {
      const parts = [4, 4.5, 5].flatMap((loss) => [
        svg("line", { x1: LEFT, x2: RIGHT, y1: y(loss), y2: y(loss), stroke: "var(--figure-faint)" }),
        svg("text", { x: LEFT - 5, y: y(loss) + 4, "text-anchor": "end" }, loss.toFixed(1)),
      ]);
      parts.push(svg("text", { x: 0, y: 14 }, "loss"));
      const here = x(step - 1);
      parts.push(svg("line", { x1: here, x2: here, y1: TOP, y2: BOTTOM, stroke: "var(--figure-ink)" }));
      parts.push(svg("text", { x: LEFT, y: BOTTOM + 16 }, "1"));
      parts.push(svg("text", { x: RIGHT, y: BOTTOM + 16, "text-anchor": "end" }, `step ${losses.length}`));
      let place = LEFT;
      for (const name of Object.keys(curves)) {
        parts.push(svg("line", { x1: place, x2: place + 34, y1: 224, y2: 224, fill: "none", ...LOOKS[name] }));
        parts.push(svg("text", { x: place + 40, y: 228 }, name));
        place += 108;
      }
      return parts;
    }

    function told(times) {
      const loss = losses[step - 1];
      const rows = Object.entries(curves).map(([name, apart]) => {
        const units = (apart[step - 1] * FINE) / lastPlace(loss);
        return node(
          "tr",
          {},
          node("th", { scope: "row" }, name),
          node("td", {}, (loss + apart[step - 1] * FINE).toFixed(7)),
          node("td", {}, name === "torch" ? "" : `${units > 0 ? "+" : ""}${units.toFixed(1)}`.replace("-", "−")),
        );
      });
      const titles = [`step ${step}`, "loss", "from torch, in units in the last place"];
      const head = titles.map((text) => node("th", { scope: "col" }, text));
      table.replaceChildren(
        node(
          "table",
          { style: "margin:0.5rem auto" },
          node("thead", {}, node("tr", {}, head)),
          node("tbody", {}, rows),
        ),
      );
      const visible = (MOST - LEAST) / 100;
      const seen = Object.keys(data.apart).map((name) => firstApart(data.apart[name], visible / times));
      const first = Math.min(...seen.map((each) => each ?? Infinity));
      const drawn = times === 1 ? "As they are" : `Made ${times.toLocaleString("en")} times as large`;
      words.textContent = Number.isFinite(first)
        ? `${drawn}, differences can be seen from step ${first} on.`
        : `${drawn}, no difference is large enough to be seen.`;
    }

    box.append(
      slider({ label: "Step", min: 1, max: losses.length, value: 1, moved: (value) => ((step = value), draw()) }),
      slider({
        label: "Differences made larger",
        min: 0,
        max: 6,
        value: 0,
        shown: (value) => (value ? `${(10 ** value).toLocaleString("en")} times` : "not at all"),
        moved: (value) => ((power = value), draw()),
      }),
      picture,
      words,
      table,
    );
  }

  Figures.define("three-trainings", build, { lastPlace, enlarged, firstApart });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
