/* Labels as answers: the reader changes the question, takes off what the labels bring along, and the temperature. */
(function (Figures) {
  "use strict";
  const NARROW = "max-width:32rem;margin:0 auto";

  /** The labels' probabilities: of their logarithms a part of the empty text's is taken off, then a softmax with a
      temperature. All of the part and a temperature of 1 is the chapter's calibration. */
  function probabilities(logs, prior, part, temperature) {
    const logits = logs.map((log, i) => (log - part * prior[i]) / temperature);
    const largest = Math.max(...logits);
    const raised = logits.map((logit) => Math.exp(logit - largest));
    const sum = raised.reduce((a, b) => a + b, 0);
    return raised.map((value) => value / sum);
  }

  const best = (values) => values.indexOf(Math.max(...values));

  /** Which of the texts get their own label. */
  function right(asked, answers, part) {
    return asked.logs.map((logs, i) => best(probabilities(logs, asked.prior, part, 1)) === answers[i]);
  }

  function build(box, data) {
    const { node, svg, slider, choice } = Figures;
    let [asked, text, part, temperature] = [data.templates[0], data.start, 0, 1];
    const picture = node("div");
    const marks = node("div");
    const words = node("p", { "aria-live": "polite" });

    function draw() {
      const logs = asked.logs[text];
      const found = probabilities(logs, asked.prior, part, temperature);
      picture.replaceChildren(bars(found, probabilities(asked.prior, asked.prior, 0, 1)));
      const correct = right(asked, data.answers, part);
      marks.replaceChildren(row(correct));
      const mass = logs.reduce((sum, log) => sum + Math.exp(log), 0);
      words.replaceChildren(
        "The answer is ",
        node("strong", {}, `${data.labels[best(found)]}, ${Math.max(...found).toFixed(2)}`),
        `; right is ${data.labels[data.answers[text]]}. All five labels together have ${mass.toFixed(3)} of the probability. `,
        `Of ten texts, ${correct.filter(Boolean).length} are right.`,
      );
    }

    /** Filled: this text. The outline behind: the empty text, as it is. */
    function bars(found, empty) {
      const label = data.labels.map((name, i) => `${name} ${found[i].toFixed(2)}`).join(", ");
      const height = 28 * data.labels.length + 18;
      const viewBox = `0 0 360 ${height}`;
      const drawing = svg("svg", { viewBox, role: "img", "aria-label": label, "font-size": 13, style: NARROW });
      data.labels.forEach((name, i) => {
        const y = 28 * i;
        const own = i === data.answers[text];
        drawing.append(
          svg("text", { x: 0, y: y + 17, "font-weight": own ? "bold" : "normal" }, `${name}${own ? " ✓" : ""}`),
          svg("rect", { x: 76, y: y + 5, width: 240 * found[i], height: 16, fill: "var(--figure-accent)" }),
          svg("rect", {
            x: 76,
            y: y + 2,
            width: 240 * empty[i],
            height: 22,
            fill: "none",
            stroke: "var(--figure-ink)",
          }),
          svg("text", { x: 358, y: y + 17, "text-anchor": "end" }, found[i].toFixed(2)),
        );
      });
      const note = "filled: this text · outlined: an empty text · ✓ right";
      drawing.append(svg("text", { x: 0, y: height - 4, "font-size": 12 }, note));
      return drawing;
    }

    function row(correct) {
      const buttons = correct.map((fine, i) =>
        node(
          "button",
          {
            type: "button",
            style: "min-width:1.9rem;padding:0.2rem 0;margin:0.1rem",
            "aria-pressed": String(i === text),
            "aria-label": `Text ${i + 1}, ${fine ? "right" : "wrong"}: ${data.texts[i]}`,
            onclick: () => {
              text = i;
              draw();
              marks.querySelectorAll("button")[i].focus();
            },
          },
          `${i + 1}${fine ? "✓" : "✗"}`,
        ),
      );
      // Under the buttons, which must not move when a text has two lines.
      const shown = node("p", { style: "margin:0.5rem 0;min-height:3rem" });
      shown.append(node("strong", {}, `Text ${text + 1}: `), data.texts[text]);
      return node("div", { role: "group", "aria-label": "Texts" }, buttons, shown);
    }

    const templates = data.templates.map((each, i) => [String(i), each.template.replace("\n", " ⏎ ")]);
    const asking = choice({
      label: "Question",
      options: templates,
      chosen: (i) => ((asked = data.templates[Number(i)]), draw()),
    });
    asking.style.marginRight = 0;
    asking.style.maxWidth = asking.querySelector("select").style.maxWidth = "100%";
    box.append(asking, marks);
    box.append(
      slider({
        label: "Calibration",
        min: 0,
        max: 1,
        step: 0.1,
        value: 0,
        shown: (value) => `${Math.round(100 * value)} % taken off`,
        moved: (value) => ((part = value), draw()),
      }),
      slider({
        label: "Temperature",
        min: 0.25,
        max: 4,
        step: 0.25,
        value: 1,
        moved: (value) => ((temperature = value), draw()),
      }),
      picture,
      words,
    );
  }

  Figures.define("zero-shot-wording", build, { probabilities, right });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
