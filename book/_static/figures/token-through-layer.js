/* One token on its way through one layer of a model, step by step, in numbers that you can work out again. They come as
   whole numbers: thousandths, but for what says otherwise. */
"use strict";

(function (Figures) {
  const { node, svg, choice, path, scale } = Figures;
  const HEAD_SIZE = 32;

  const decimal = (digits) => (number) => number / 10 ** digits;
  const [of, fine] = [decimal(3), decimal(4)]; // thousandths, ten-thousandths
  const rounded = (number, digits = 3) => Math.round(number * 10 ** digits) / 10 ** digits;

  /** A number with its digits, and the sign that numbers have in print. */
  function written(number, digits = 3) {
    const text = rounded(number, digits).toFixed(digits);
    return (Number(text) ? text : (0).toFixed(digits)).replace("-", "−");
  }

  /** What each of a head's features adds to a score, and what is left for all others. */
  function scoreParts(query, key, score) {
    const parts = query.map((number, i) => rounded((number * key[i]) / Math.sqrt(HEAD_SIZE), 4));
    return { parts, others: rounded(parts.reduce((left, part) => left - part, score), 4) };
  }

  /** Softmax by hand: powers of e, the largest of them 1, and their shares. */
  function softmax(scores) {
    const largest = Math.max(...scores);
    const powers = scores.map((score) => rounded(Math.exp(score - largest), 5));
    const sum = powers.reduce((one, other) => one + other, 0);
    return { powers, sum, weights: powers.map((power) => rounded(power / sum)) };
  }

  const mix = (weights, values) => rounded(weights.reduce((sum, weight, i) => sum + weight * values[i], 0));

  /** A sum and its layer norm, feature by feature. */
  function addAndNorm(into, { added, scale, shift, about: [mean, variance] }) {
    const sums = into.map((number, i) => rounded(number + of(added[i])));
    const deviation = rounded(Math.sqrt(decimal(6)(variance)), 4);
    const normed = sums.map((sum) => rounded((sum - fine(mean)) / deviation));
    return { sums, deviation, normed, out: normed.map((number, i) => rounded(number * of(scale[i]) + of(shift[i]))) };
  }

  /** The share of a normal distribution below x, by the series of the error function. */
  function below(x) {
    if (Math.abs(x) > 6) return x > 0 ? 1 : 0;
    const z = x / Math.SQRT2;
    let [term, sum] = [z, z];
    for (let n = 1; Math.abs(term) > 1e-17; n++) {
      term *= (-z * z) / n;
      sum += term / (2 * n + 1);
    }
    return rounded(0.5 + sum / Math.sqrt(Math.PI), 4);
  }

  const gelu = (x) => rounded(x * below(x));

  const said = (...sentences) => sentences.join(" ");
  const list = (numbers, digits) => numbers.map((number) => written(number, digits));

  /** Rows of [name, cell, …] under their heads; the rows that `strong` numbers are results. */
  function table(heads, rows, strong = []) {
    const line = ([name, ...cells], i) => {
      const style = strong.includes(i) ? "font-weight: 700" : false;
      return node("tr", {}, node("th", { scope: "row" }, name), ...cells.map((cell) => node("td", { style }, cell)));
    };
    const top = node("tr", {}, ...heads.map((head) => node("th", { scope: "col" }, head)));
    return node("table", { class: "figure-sums" }, node("thead", {}, top), node("tbody", {}, ...rows.map(line)));
  }

  const bar = (share) => node("span", { class: "figure-bar", style: `width: ${(3 * share).toFixed(3)}rem` });

  const named = (tokens, at) => `${tokens[at]} (${at + 1})`;

  function arrives({ row }) {
    const heads = ["feature", ...row.features];
    return [
      `It comes in as a vector of 384 numbers; its length is ${written(of(row.lengths[0]))}. Here are four of them.`,
      table(heads, [["in", ...list(row.into.map(of))]]),
    ];
  }

  function projected({ row }) {
    const rows = ["query", "key", "value"].map((name, i) => {
      return [name, ...list(row.head[i].map(of))];
    });
    const text = said(
      "Three matrices, each with a bias, make three vectors for head 9.",
      "Here are the first four of 32 features.",
    );
    const [query, key, value] = list(row.lengths.slice(1, 4).map(of));
    const lengths = `The query's length is ${query}, the key's ${key}, the value's ${value}.`;
    return [text, table(["feature", 0, 1, 2, 3], rows), node("p", {}, lengths)];
  }

  /** The one step with a choice of its own: the token that is looked at. */
  function scored({ tokens, row, rows, place }) {
    const found = node("div", { "aria-live": "polite" });
    const query = row.head[0].map(of);
    function against(at) {
      const [key, score] = [rows[at].head[1].map(of), fine(row.scores[at])];
      const { parts, others } = scoreParts(query, key, score);
      const lines = parts.map((part, i) => [i, written(query[i]), written(key[i]), written(part, 4)]);
      const ends = [["the other 28", "", "", written(others, 4)], ["score", "", "", written(score, 4)]];
      found.replaceChildren(table(["feature", "query", "key", "product / √32"], [...lines, ...ends], [5]));
    }
    const most = row.weights.indexOf(Math.max(...row.weights));
    const options = tokens.map((_, at) => [String(at), named(tokens, at)]);
    const chosen = (at) => against(Number(at));
    const text = said(
      `The query of ${named(tokens, place)} meets a key:`,
      "32 products, each divided by √32, add up to the score.",
    );
    return [text, choice({ label: "Token looked at", options, value: String(most), chosen }), found];
  }

  function weighed({ tokens, row }) {
    const scores = row.scores.map(fine);
    const { powers, sum } = softmax(scores);
    const rows = scores.map((score, at) => {
      const weight = of(row.weights[at]);
      return [named(tokens, at), written(score, 4), written(powers[at], 5), written(weight), bar(weight)];
    });
    const text = said(
      "Softmax takes the largest score off each and raises e to what is left.",
      `Each of these powers, divided by their sum, ${written(sum, 5)}, is a weight.`,
    );
    return [text, table(["token", "score", "power", "weight", ""], rows)];
  }

  function mixed({ tokens, row }) {
    const lines = tokens.map((_, at) => {
      return [named(tokens, at), written(of(row.weights[at])), ...list(row.values[at].map(of))];
    });
    const text = "Each token's value times its weight, all added up, is the context. Here are two of its 32 features.";
    const heads = ["token", "weight", ...row.mixed.map((feature) => `value, ${feature}`)];
    return [text, table(heads, [...lines, ["context", "", ...list(row.context.map(of))]], [lines.length])];
  }

  function normed(into, part, features, name) {
    const { sums, deviation, normed: even } = addAndNorm(into, part);
    const [mean, variance, after, spread] = part.about;
    const rows = [
      ["in", ...list(into)],
      [`+ ${name}`, ...list(part.added.map(of))],
      ["= sum", ...list(sums)],
      ["normed", ...list(even)],
      ["× scale", ...list(part.scale.map(of))],
      ["+ shift", ...list(part.shift.map(of))],
      ["= out", ...list(part.out.map(of))],
    ];
    const all = said(
      `All 384 sums have mean ${written(fine(mean), 4)} and variance ${written(decimal(6)(variance), 6)};`,
      `its root, the standard deviation, is ${written(deviation, 4)}.`,
      "Less the mean and divided by the deviation, they are normed: mean 0, variance 1.",
      `After scale and shift the mean is ${written(of(after))}, the variance ${written(of(spread))}.`,
    );
    return [table(["feature", ...features], rows, [2, 6]), node("p", {}, all)];
  }

  function attended({ row }) {
    const text = "The contexts of all 12 heads go through one more matrix. What it gives is added to what came in.";
    return [text, ...normed(row.into.map(of), row.first, row.features, "heads")];
  }

  function activated({ row }) {
    const [before, after] = [row.before.map(of), row.after.map(of)];
    const rows = before.map((x, i) => [row.wide[i], written(x), written(below(x), 4), written(after[i])]);
    const [x, y] = [scale([-4, 4], [10, 230]), scale([-0.5, 4], [98, 4])];
    const curve = Array.from({ length: 81 }, (_, i) => -4 + i / 10).map((at) => [x(at), y(at * below(at))]);
    const stroke = { fill: "none", stroke: "var(--figure-muted)" };
    const inside = before.filter((number) => Math.abs(number) <= 4);
    const label = "The curve of GELU, and on it the features of the table that are between −4 and 4";
    const drawing = svg(
      "svg",
      { viewBox: "0 0 240 104", role: "img", style: "max-width: 20rem", "aria-label": label },
      svg("path", { ...stroke, d: path([[10, y(0)], [230, y(0)]]), "stroke-width": 0.6 }),
      svg("path", { ...stroke, d: path(curve) }),
      inside.map((number) => svg("circle", { cx: x(number), cy: y(gelu(number)), r: 4, fill: "var(--figure-accent)" })),
    );
    const text = said(
      "A matrix makes 1,536 features of the 384. GELU multiplies each by Φ of it, which is near 1 for large ones",
      "and near 0 for those far below zero. Here are four, from small to large.",
    );
    return [text, table(["feature", "before", "Φ", "after"], rows), drawing];
  }

  function leaves({ row }) {
    const [start, end] = [row.lengths[0], row.lengths[4]].map((length) => written(of(length)));
    const text = "A matrix makes 384 features of the 1,536. They are added to what attention left, and normed again.";
    const way = said(
      `The vector's length was ${start} and is ${end};`,
      `the cosine of what came in and what goes out is ${written(of(row.cosine))}.`,
    );
    return [text, ...normed(row.first.out.map(of), row.second, row.features, "network"), node("p", {}, way)];
  }

  const STEPS = [
    ["In", arrives],
    ["Query, key, value", projected],
    ["Scores", scored],
    ["Weights", weighed],
    ["Mix", mixed],
    ["Add and norm", attended],
    ["GELU", activated],
    ["Add and norm, out", leaves],
  ];

  function build(box, { sentences }) {
    const state = { sentence: 0, place: 2, step: 0 };
    const [tokens, told] = [node("span"), node("div", { "aria-live": "polite", style: "min-height: 12rem" })];
    const buttons = STEPS.map(([name], step) => {
      const style = "margin: 0.15rem 0.25rem 0.15rem 0";
      return node("button", { type: "button", style, onclick: () => show({ step }) }, `${step + 1} ${name}`);
    });

    function show(change) {
      Object.assign(state, change);
      const sentence = sentences[state.sentence];
      const [name, draw] = STEPS[state.step];
      buttons.forEach((button, step) => button.setAttribute("aria-pressed", step === state.step));
      const [text, ...drawn] = draw({ ...sentence, place: state.place, row: sentence.rows[state.place] });
      const title = `${name}: ${named(sentence.tokens, state.place)}. `;
      told.replaceChildren(node("p", {}, node("strong", {}, title), text), ...drawn);
    }

    const options = sentences.map(({ text }, number) => [String(number), text]);
    const list = choice({
      label: "Sentence",
      options,
      chosen(number) {
        state.sentence = Number(number);
        const names = sentences[state.sentence].tokens;
        const places = names.map((_, at) => [String(at), named(names, at)]);
        const chosen = (place) => show({ place: Number(place) });
        tokens.replaceChildren(choice({ label: "Token", options: places, value: "2", chosen }));
      },
    });
    box.append(list, tokens, node("div", { role: "group", "aria-label": "Steps of the layer" }, ...buttons), told);
  }

  Figures.define("token-through-layer", build, { scoreParts, softmax, mix, addAndNorm, below, gelu, written });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
