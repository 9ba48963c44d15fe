/* Pairs of sentences on two scales: their cosine by the mean over the tokens, and by the pooler. */
"use strict";

(function (Figures) {
  const { node, svg, choice, scale } = Figures;
  const WAYS = [
    ["mean", "Mean", 52],
    ["pooler", "Pooler", 122],
  ];
  const x = scale([-0.2, 1], [14, 346]);
  const ORDINALS = { 1: "st", 2: "nd", 3: "rd" };

  /** All pairs of different sentences, with both cosines. */
  function pairsOf({ sentences, mean, pooler, related }) {
    const is = (one, other) => related.some(([a, b]) => a === one && b === other);
    return sentences.flatMap((_, one) =>
      sentences.flatMap((_, other) =>
        one < other
          ? [{ one, other, mean: mean[one][other], pooler: pooler[one][other], related: is(one, other) }]
          : [],
      ),
    );
  }

  /** The pair of two sentences, in whatever order; none for a sentence with itself. */
  const pairOf = (pairs, a, b) => pairs.find(({ one, other }) => one === Math.min(a, b) && other === Math.max(a, b));

  /** Its place among all pairs, the most alike first. */
  const rank = (pairs, pair, way) => 1 + pairs.filter((each) => each[way] > pair[way]).length;

  function ordinal(number) {
    const teens = number % 100 > 10 && number % 100 < 14;
    return `${number}${(!teens && ORDINALS[number % 10]) || "th"}`;
  }

  const written = (number) => number.toFixed(2).replace("-", "−").replace("−0.00", "0.00");

  const words = (at, text) => svg("text", { "font-size": 13, ...at }, text);

  /** A related pair is a diamond, any other a circle, the chosen one is large and has its number over it. */
  function mark(pair, way, y, chosen) {
    const [at, size] = [x(pair[way]), chosen ? 9 : 5];
    const fill = chosen ? "var(--figure-accent)" : "none";
    const look = { fill, stroke: `var(--figure-${chosen ? "accent" : "muted"})`, "stroke-width": 1.5 };
    const shape = pair.related
      ? svg("path", { ...look, d: `M${at - size} ${y}L${at} ${y - size}L${at + size} ${y}L${at} ${y + size}Z` })
      : svg("circle", { ...look, cx: at, cy: y, r: size - 1 });
    const number = { x: at, y: y - 14, "text-anchor": "middle", "font-weight": 700 };
    return chosen ? [shape, words(number, written(pair[way]))] : [shape];
  }

  function scaleOf(pairs, [way, , y], pair) {
    const line = svg("path", { d: `M14 ${y}H346`, stroke: "var(--figure-faint)" });
    const others = pairs.filter((each) => each !== pair).flatMap((each) => mark(each, way, y, false));
    const last = pair ? mark(pair, way, y, true) : [];
    return [words({ x: 14, y: y - 30, "font-weight": 600 }, `Cosine by the ${way}`), line, ...others, ...last];
  }

  function build(box, data) {
    const pairs = pairsOf(data);
    const state = { first: 0, second: 1 };
    const style = "max-width: 32rem; margin: 0.5rem auto";
    const drawing = svg("svg", { viewBox: "0 0 360 186", role: "img", style });
    const told = node("p", { "aria-live": "polite", style: "min-height: 3rem" });
    const ticks = [0, 0.2, 0.4, 0.6, 0.8, 1].map((tick) =>
      words({ x: x(tick), y: 154, "text-anchor": "middle", "aria-hidden": "true" }, tick),
    );
    const key = words({ x: 14, y: 178 }, "◇ two sentences on one subject   ○ on different ones");

    function show() {
      const pair = pairOf(pairs, state.first, state.second);
      drawing.replaceChildren(...WAYS.flatMap((way) => scaleOf(pairs, way, pair)), ...ticks, key);
      const said = pair
        ? WAYS.map(([way, name]) => {
            return `${name}: ${written(pair[way])}, the ${ordinal(rank(pairs, pair, way))} of ${pairs.length} pairs.`;
          })
        : ["The same sentence twice has the cosine 1 either way."];
      told.textContent = said.join(" ");
      drawing.setAttribute("aria-label", `Cosines of all pairs on two scales. ${told.textContent}`);
    }

    const lists = ["first", "second"].map((which) => {
      const options = data.sentences.map((text, number) => [String(number), text]);
      const chosen = (number) => {
        state[which] = Number(number);
        show();
      };
      const label = `${which === "first" ? "First" : "Second"} sentence`;
      const list = choice({ label, options, value: String(state[which]), chosen });
      list.style.display = "block";
      return list;
    });
    box.append(...lists, drawing, told);
  }

  Figures.define("pooler-and-mean", build, { pairsOf, pairOf, rank, ordinal, written });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
