/* Four measures of a ranking that the reader puts in order, and marks. */
(function (Figures) {
  "use strict";

  const discount = (rank) => 1 / Math.log2(rank + 1);
  const gain = (relevance) => relevance.reduce((sum, value, i) => sum + value * discount(i + 1), 0);

  /** The measures of a row of marks, best rank first, all of them within the first k. Each is 0 where nothing is an
      answer: the chapter's code refuses such a query, but a reader may pass through one. */
  function measures(found, k) {
    const answers = found.filter((mark) => mark > 0).length;
    const ranks = found.flatMap((mark, i) => (mark > 0 && i < k ? [i + 1] : []));
    const ideal = gain([...found].sort((a, b) => b - a).slice(0, k));
    const precisions = ranks.reduce((sum, rank, i) => sum + (i + 1) / rank, 0);
    return {
      recall: answers ? ranks.length / answers : 0,
      reciprocal: ranks.length ? 1 / ranks[0] : 0,
      average: answers ? precisions / Math.min(answers, k) : 0,
      ndcg: answers ? gain(found.slice(0, k)) / ideal : 0,
    };
  }

  /** The same as sums, in words. */
  function sums(found, k) {
    const answers = found.filter((mark) => mark > 0).length;
    const ranks = found.flatMap((mark, i) => (mark > 0 && i < k ? [i + 1] : []));
    const ideal = [...found].sort((a, b) => b - a).slice(0, k);
    const share = ranks.map((rank, i) => `${i + 1}/${rank}`).join(" + ") || "0";
    return {
      recall: `${ranks.length} of ${answers}`,
      reciprocal: ranks.length ? `1 / ${ranks[0]}` : "no answer",
      average: `(${share}) / ${Math.min(answers, k)}`,
      ndcg: `${gain(found.slice(0, k)).toFixed(2)} / ${gain(ideal).toFixed(2)}`,
    };
  }

  const NAMES = { recall: "recall", reciprocal: "reciprocal rank", average: "average precision", ndcg: "nDCG" };
  const GRADES = [
    ["0", "no answer"],
    ["1", "half an answer"],
    ["2", "an answer"],
  ];

  function build(box, data) {
    const { node, svg, slider, choice } = Figures;
    let rows = [];
    let k = data.k;
    const list = node("ol", { style: "list-style:none;padding:0;margin:0.5rem 0" });
    const picture = node("div");
    const words = node("p", { "aria-live": "polite" });

    function restart(index) {
      rows = data.rankings[Number(index)].documents.map(([text, mark]) => ({ text, mark: 2 * mark }));
      listed();
      measured();
    }

    function listed() {
      list.replaceChildren(...rows.map(item));
    }

    function item(row, i) {
      const grade = choice({
        label: "Mark",
        options: GRADES,
        value: String(row.mark),
        chosen: (value) => {
          row.mark = Number(value);
          measured();
        },
      });
      grade.style.margin = "0";
      grade.querySelector("select").setAttribute("aria-label", `Mark of “${row.text}”`);
      const arrow = (by, sign, where) =>
        node(
          "button",
          {
            type: "button",
            disabled: !(i + by in rows),
            onclick: () => moved(i, by),
            style: "min-width:2.25rem",
            "aria-label": `Move “${row.text}” ${where}, from rank ${i + 1}`,
          },
          sign,
        );
      const line = i === k - 1 ? "3px dashed var(--figure-accent)" : "1px solid var(--figure-faint)";
      return node(
        "li",
        {
          style:
            "display:flex;flex-wrap:wrap;gap:0 1rem;align-items:center;justify-content:space-between;" +
            `padding:0.35rem 0;border-bottom:${line}`,
        },
        node("div", { style: "flex:1 1 12rem" }, node("strong", {}, `${i + 1}. `), row.text),
        node(
          "div",
          { style: "display:flex;flex-wrap:wrap;gap:0.35rem;align-items:center" },
          arrow(-1, "▲", "up"),
          arrow(1, "▼", "down"),
          grade,
        ),
      );
    }

    function moved(i, by) {
      [rows[i], rows[i + by]] = [rows[i + by], rows[i]];
      listed();
      measured();
      // The button that was pressed is gone: the one at the document's new place goes on, or its neighbour at an end.
      const pressed = list.children[i + by].querySelectorAll("button")[by < 0 ? 0 : 1];
      (pressed.disabled ? pressed.parentNode.querySelector("button:enabled") : pressed).focus();
    }

    function measured() {
      if (!rows.length) return;
      const found = rows.map((row) => row.mark / 2);
      const [values, how] = [measures(found, k), sums(found, k)];
      const label = Object.keys(NAMES)
        .map((name) => `${NAMES[name]} ${values[name].toFixed(3)}`)
        .join(", ");
      const drawing = svg("svg", {
        viewBox: "0 0 360 172",
        role: "img",
        "aria-label": label,
        "font-size": 13,
        style: "max-width:32rem;margin:0 auto",
      });
      Object.keys(NAMES).forEach((name, i) => {
        const y = 43 * i;
        drawing.append(
          svg("text", { x: 0, y: y + 14 }, `${NAMES[name]} at ${k} = ${how[name]}`),
          svg("rect", { x: 0, y: y + 20, width: 290, height: 12, fill: "var(--figure-faint)" }),
          svg("rect", { x: 0, y: y + 20, width: 290 * values[name], height: 12, fill: "var(--figure-accent)" }),
          svg("text", { x: 360, y: y + 31, "text-anchor": "end", "font-weight": "bold" }, values[name].toFixed(3)),
        );
      });
      picture.replaceChildren(drawing);
      words.textContent = found.some((mark) => mark > 0)
        ? `At ${k}: ${label}.`
        : "Nothing is an answer: such a query has no measures, and is left out of the mean.";
    }

    const options = data.rankings.map((each, i) => [String(i), each.name]);
    box.append(node("p", {}, `Query: ${data.query}`));
    box.append(choice({ label: "Start from", options, chosen: restart }));
    box.append(
      slider({
        label: "k, how far the reader looks",
        min: 1,
        max: rows.length,
        value: k,
        moved: (value) => ((k = value), listed(), measured()),
      }),
    );
    box.append(list, picture, words);
  }

  Figures.define("ranking-measures", build, { measures });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
