/* The same logits read by softmax, by sigmoid and as they are; the reader moves the logits and the threshold. */
(function (Figures) {
  "use strict";
  const ROW = 26;
  const [LEFT, WIDTH, PANEL] = [66, 360, 96]; // names on the left, then a panel for each reading

  const sigmoid = (logit) => 1 / (1 + Math.exp(-logit));

  function softmax(logits) {
    const largest = Math.max(...logits);
    const raised = logits.map((logit) => Math.exp(logit - largest));
    const sum = raised.reduce((a, b) => a + b, 0);
    return raised.map((value) => value / sum);
  }

  /** What each reading makes of the logits, in the order of the still figure. */
  const readings = (logits) => ({ softmax: softmax(logits), sigmoid: logits.map(sigmoid), none: [...logits] });

  const over = (values, threshold) => values.flatMap((value, i) => (value > threshold ? [i] : []));

  const minus = (value) => String(value).replace("-", "−");

  function build(box, data) {
    const { node, svg, slider } = Figures;
    const logits = [...data.logits];
    let [added, threshold] = [0, data.threshold];
    const picture = node("div");
    const words = node("div", { "aria-live": "polite", style: "margin:0.5rem 0" });

    function draw() {
      const now = logits.map((logit) => logit + added);
      const height = 40 + ROW * now.length;
      const label = `Three readings of the logits ${now.map((logit) => logit.toFixed(1)).join(", ")}`;
      const drawing = svg("svg", {
        viewBox: `0 0 ${WIDTH} ${height}`,
        role: "img",
        "aria-label": label,
        "font-size": 13,
        style: "max-width:32rem;margin:0 auto",
      });
      data.names.forEach((name, i) => drawing.append(svg("text", { x: 0, y: 40 + ROW * i }, name)));
      Object.entries(readings(now)).forEach(([name, values], n) => drawing.append(...panel(name, values, n)));
      picture.replaceChildren(drawing);
      const passing = Object.entries(readings(now)).map(([name, values]) => {
        const named = over(values, threshold).map((i) => data.names[i]);
        const answer = node("strong", {}, named.join(", ") || "nothing");
        return node("div", {}, `Over ${threshold.toFixed(2)} with ${name}: `, answer);
      });
      words.replaceChildren(...passing);
    }

    function panel(name, values, n) {
      const x = LEFT + n * (PANEL + 3);
      const room = PANEL - 44; // the rest is for the number
      // Logits have a scale of their own, from -8 to 8 with zero in the middle.
      const place = (value) => (name === "none" ? (room * (Math.max(-8, Math.min(8, value)) + 8)) / 16 : room * value);
      const zero = place(0);
      const line = x + place(threshold);
      const parts = [svg("text", { x, y: 14, "font-weight": "bold" }, name)];
      values.forEach((value, i) => {
        const y = 26 + ROW * i;
        const end = place(value);
        const passes = value > threshold;
        const color = passes ? "var(--figure-accent)" : "var(--figure-muted)";
        parts.push(
          svg("rect", {
            x: x + Math.min(zero, end),
            y,
            width: Math.max(Math.abs(end - zero), 1),
            height: 18,
            fill: passes ? color : "none",
            stroke: color,
          }),
          svg(
            "text",
            { x: x + room + 3, y: y + 14, "font-weight": passes ? "bold" : "normal" },
            minus(value.toFixed(2)),
          ),
        );
      });
      parts.push(
        svg("line", {
          x1: line,
          x2: line,
          y1: 20,
          y2: 26 + ROW * values.length,
          stroke: "var(--figure-bad)",
          "stroke-width": 2,
          "stroke-dasharray": "3 3",
        }),
      );
      return parts;
    }

    const sliders = node("div", {
      style: "display:grid;grid-template-columns:repeat(auto-fit,minmax(min(16rem,100%),1fr));column-gap:1.5rem",
    });
    box.append(picture, words, sliders);
    data.names.forEach((name, i) => {
      const moved = (value) => ((logits[i] = value), draw());
      sliders.append(
        slider({ label: `Logit of ${name}`, min: -5, max: 5, step: 0.5, value: logits[i], shown: minus, moved }),
      );
    });
    const signed = (value) => (value > 0 ? `+${value}` : minus(value));
    sliders.append(
      slider({
        label: "Added to all three",
        min: -3,
        max: 3,
        step: 0.5,
        value: 0,
        shown: signed,
        moved: (value) => ((added = value), draw()),
      }),
    );
    sliders.append(
      slider({
        label: "Threshold (dotted)",
        min: 0.05,
        max: 0.95,
        step: 0.05,
        value: threshold,
        shown: (value) => value.toFixed(2),
        moved: (value) => ((threshold = value), draw()),
      }),
    );
  }

  Figures.define("three-readings", build, { readings, over });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
