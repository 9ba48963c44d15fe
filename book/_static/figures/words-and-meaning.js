/* A search by words, by meaning, or by a mix of both, whose share the reader slides. */
(function (Figures) {
  "use strict";
  const SHOWN = 5;
  const TOP = 24; // room over the bars for their name
  const NARROW = "max-width:32rem;margin:0 auto";

  /** The documents by falling score; of equal ones the question's own comes last, as the chapter counts ties. */
  function ranked(documents, share) {
    const scored = documents.map((document) => {
      const [byMeaning, byWords] = [share * document.cosine, (1 - share) * document.tfidf];
      return { ...document, byMeaning, byWords, score: byMeaning + byWords };
    });
    return scored.sort((a, b) => b.score - a.score || Number(a.own) - Number(b.own));
  }

  function build(box, data) {
    const { node, svg, slider, choice } = Figures;
    const steps = data.shares.length - 1;
    let [asked, step] = [data.questions[0], steps];
    const curves = node("div");
    const list = node("div");
    const words = node("p", { "aria-live": "polite" });

    function draw() {
      const found = ranked(asked.documents, data.shares[step]);
      curves.replaceChildren(plot());
      list.replaceChildren(hits(found.slice(0, SHOWN)));
      const rank = found.findIndex((document) => document.own) + 1;
      const own = rank <= SHOWN ? `at rank ${rank}` : `not among the first ${SHOWN}`;
      const recalls = data.hits.map(({ k, counts }) => `recall@${k} ${(counts[step] / data.count).toFixed(3)}`);
      words.replaceChildren(
        "Its own document is ",
        node("strong", {}, own),
        `. All ${data.count} questions: ${recalls.join(", ")}.`,
      );
    }

    /** Recall over the share of meaning; a line down marks the share that is chosen. */
    function plot() {
      const [left, right, top, bottom] = [34, 282, 30, 140];
      const x = (i) => left + ((right - left) * i) / steps;
      const y = (recall) => bottom - ((bottom - top) * (recall - 0.4)) / 0.6;
      const drawing = svg("svg", {
        viewBox: "0 0 360 178",
        role: "img",
        "font-size": 13,
        style: NARROW,
        "aria-label": "Recall at 1, 5 and 10 over the share of meaning",
      });
      for (const tick of [0.4, 0.6, 0.8, 1])
        drawing.append(
          svg("line", { x1: left, x2: right, y1: y(tick), y2: y(tick), stroke: "var(--figure-faint)" }),
          svg("text", { x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, tick),
        );
      drawing.append(
        svg("line", {
          x1: x(step),
          x2: x(step),
          y1: top - 4,
          y2: bottom,
          stroke: "var(--figure-ink)",
          "stroke-dasharray": "3 3",
        }),
      );
      for (const { k, counts } of data.hits) {
        const recalls = counts.map((count) => count / data.count);
        const points = recalls.map((recall, i) => `${x(i)},${y(recall)}`).join(" ");
        drawing.append(
          svg("polyline", { points, fill: "none", stroke: "var(--figure-accent)", "stroke-width": k === 1 ? 3 : 1.5 }),
          svg("circle", { cx: x(step), cy: y(recalls[step]), r: 4, fill: "var(--figure-accent)" }),
          svg("text", { x: right + 6, y: y(recalls[steps]) + (k === 10 ? 0 : 8) }, `recall@${k}`),
        );
      }
      drawing.append(
        svg("text", { x: 0, y: 14, "font-weight": 600 }, `Recall over all ${data.count} questions`),
        svg("text", { x: left, y: bottom + 18 }, "words alone"),
        svg("text", { x: right, y: bottom + 18, "text-anchor": "end" }, "meaning alone"),
      );
      return drawing;
    }

    /** Bars of two parts: what meaning gives is filled, what words give is only outlined. */
    function hits(found) {
      const most = Math.max(found[0].score, 1e-9);
      const label = found
        .map((document, i) => `${i + 1}. ${document.title}${document.own ? ", its own" : ""}`)
        .join("; ");
      const drawing = svg("svg", {
        viewBox: `0 0 360 ${TOP + 44 * found.length + 20}`,
        role: "img",
        "aria-label": label,
        "font-size": 12,
        style: NARROW,
      });
      found.forEach((document, i) => {
        const y = TOP + 44 * i;
        const long = (part) => (300 * Math.max(part, 0)) / most;
        const name = `${i + 1}. ${document.own ? "★ " : ""}${document.title}`;
        drawing.append(
          svg("text", { x: 0, y: y + 13 }, name),
          svg("rect", { x: 0, y: y + 19, width: long(document.byMeaning), height: 13, fill: "var(--figure-accent)" }),
          svg("rect", {
            x: long(document.byMeaning),
            y: y + 19.5,
            width: long(document.byWords),
            height: 12,
            fill: "none",
            stroke: "var(--figure-accent)",
          }),
          svg("text", { x: 358, y: y + 31, "text-anchor": "end" }, document.score.toFixed(2)),
        );
      });
      drawing.append(
        svg(
          "text",
          { x: 0, y: 13, "font-size": 13, "font-weight": 600 },
          "The first five for this question, with scores",
        ),
        svg(
          "text",
          { x: 0, y: TOP + 44 * found.length + 13 },
          "★ its own · filled: from meaning · outlined: from words",
        ),
      );
      return drawing;
    }

    const questions = data.questions.map((each, i) => [String(i), each.question]);
    const asking = choice({
      label: "Question",
      options: questions,
      chosen: (i) => ((asked = data.questions[Number(i)]), draw()),
    });
    asking.style.marginRight = 0;
    asking.style.maxWidth = asking.querySelector("select").style.maxWidth = "100%";
    box.append(
      asking,
      slider({
        label: "Share of meaning in the score",
        min: 0,
        max: steps,
        value: steps,
        shown: (i) => `${Math.round(100 * data.shares[i])} %`,
        moved: (i) => ((step = i), draw()),
      }),
    );
    box.append(curves, list, words);
  }

  Figures.define("words-and-meaning", build, { ranked });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
