/* The gradient of a sampled softmax, averaged over sets of negatives that are drawn here, beside that of the whole softmax. */
"use strict";

(function (Figures) {
  const { svg, node, slider, choice, scale, path, axes } = Figures;
  const SIZES = [2, 3, 4, 5, 7, 10, 14, 20, 30, 50, 70, 100, 140, 190, 280, 400, 700, 1000];
  const SHOWN = 10; // words
  const FORMS = {
    "unique, E": { unique: true },
    "repeats, m q, hits removed": { correction: (m, share) => m * share },
    "repeats, m q, hits kept": { correction: (m, share) => m * share, keepHits: true },
    "repeats, not corrected": { correction: () => 1 },
  };

  /** Numbers from 0 to 1 that look random and follow from a seed (mulberry32), so that nothing jumps when a slider moves. */
  function generator(seed) {
    let state = seed * 0x9e3779b9;
    return () => {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
  }

  const signed = (number) => number.toFixed(2).replace("-", "−");

  function logUniform(words) {
    return Array.from({ length: words }, (_, k) => Math.log((k + 2) / (k + 1)) / Math.log(words + 1));
  }

  /** How often each word is among m negatives, and what its exponential is divided by. */
  function drawn(form, m, seed, q) {
    const [random, counts] = [generator(seed), new Array(q.length).fill(0)];
    let [different, tries] = [0, 0];
    while (form.unique ? different < m : tries < m) {
      const word = Math.min(Math.floor((q.length + 1) ** random()) - 1, q.length - 1);
      tries += 1;
      different += counts[word] === 0 ? 1 : 0;
      counts[word] = form.unique ? 1 : counts[word] + 1;
    }
    const divisors = q.map((share) =>
      form.unique ? -Math.expm1(tries * Math.log1p(-share)) : form.correction(m, share),
    );
    return { counts, divisors };
  }

  /** The gradient in the scores, given as exponentials, where `answer` is right. */
  function gradient(exponentials, answer, { counts, divisors }, keepHits) {
    const found = exponentials.map((value, word) => (counts[word] * value) / divisors[word]);
    if (!keepHits) found[answer] = 0;
    found[answer] += exponentials[answer] / divisors[answer];
    const total = found.reduce((sum, value) => sum + value);
    return found.map((value, word) => value / total - (word === answer ? 1 : 0));
  }

  /** Every word once, and nothing to correct. */
  function whole(exponentials, answer) {
    const ones = exponentials.map(() => 1);
    return gradient(exponentials, answer, { counts: ones, divisors: ones }, false);
  }

  /** Over so many sets: the mean gradient, its standard deviation, and how far the mean is from the whole softmax's. */
  function averaged(scores, answer, name, m, sets) {
    const [form, q, exponentials] = [FORMS[name], logUniform(scores.length), scores.map(Math.exp)];
    const [sum, squares] = [0, 1].map(() => new Array(scores.length).fill(0));
    for (let set = 0; set < sets; set += 1) {
      gradient(exponentials, answer, drawn(form, m, set + 1, q), form.keepHits).forEach((slope, word) => {
        sum[word] += slope / sets;
        squares[word] += slope ** 2 / sets;
      });
    }
    const right = whole(exponentials, answer);
    const spread = sum.map((mean, word) => Math.sqrt(Math.max(0, squares[word] - mean ** 2)));
    return { mean: sum, spread, right, off: Math.max(...sum.map((mean, word) => Math.abs(mean - right[word]))) };
  }

  function bars({ mean, spread, right }, answer) {
    const [x, y] = [scale([-0.5, SHOWN - 0.5], [40, 352]), scale([-1, 0.5], [170, 24])];
    const bar = (word, value, width, look) =>
      svg("rect", {
        x: x(word) - width / 2,
        width,
        y: Math.min(y(value), y(0)),
        height: Math.abs(y(value) - y(0)),
        ...look,
      });
    const of = (word) => [
      bar(word, right[word], 24, { fill: "var(--figure-faint)", stroke: "var(--figure-muted)" }),
      bar(word, mean[word], 9, { fill: "var(--figure-accent)" }),
      svg("path", {
        d: `M${x(word)} ${y(mean[word] - spread[word])}V${y(mean[word] + spread[word])}`,
        stroke: "var(--figure-ink)",
      }),
    ];
    const words = Array.from({ length: SHOWN }, (_, word) => word);
    const box = { left: 40, right: 352, top: 24, bottom: 170 };
    const frame = axes({
      x,
      y,
      box,
      xTicks: words,
      yTicks: [0.5, 0, -0.5, -1],
      xName: "word",
      yName: "gradient: whole softmax (wide), mean (narrow)",
    });
    const zero = svg("path", { d: `M40 ${y(0)}H352`, stroke: "var(--figure-muted)" });
    const name = svg("text", { x: x(answer) + 18, y: y(-0.25), "font-size": 12 }, "the answer: its score is to rise");
    return [frame, zero, ...words.map(of).flat(), name];
  }

  function curves(errors, name, m, off) {
    const logs = scale([Math.log(2), Math.log(1000)], [40, 338]);
    const [x, y] = [(size) => logs(Math.log(size)), scale([0, 0.5], [345, 242])];
    const line = ([sizes, values], look) =>
      svg("path", { d: path(sizes.map((size, i) => [x(size), y(values[i])])), fill: "none", ...look });
    const box = { left: 40, right: 352, top: 242, bottom: 345 };
    const names = {
      box,
      xTicks: [2, 10, 50, 200, [1000, "1,000"]],
      yTicks: [0, 0.25, 0.5],
      xName: "negatives",
      yName: "error of the mean, at the word where it is largest",
    };
    return [
      axes({ x, y, ...names }),
      ...Object.values(errors).map((each) => line(each, { stroke: "var(--figure-muted)", "stroke-width": 1, "stroke-dasharray": "2 3" })),
      line(errors[name], { stroke: "var(--figure-accent)", "stroke-width": 2.5 }),
      svg("circle", {
        cx: x(m),
        cy: y(Math.min(off, 0.52)),
        r: 5,
        fill: "var(--figure-paper)",
        stroke: "var(--figure-ink)",
        "stroke-width": 2,
      }),
    ];
  }

  function build(box, { answer, models, errors }) {
    const state = { model: "confident", name: "unique, E", place: SIZES.indexOf(20), sets: 100 };
    const label =
      "Bars: the mean gradient at the first words, and the whole softmax's. A curve: the error over the number of negatives";
    const drawing = svg("svg", { viewBox: "0 0 360 380", role: "img", "aria-label": label });
    const result = node("p", { "aria-live": "polite" });
    function draw(changed) {
      Object.assign(state, changed);
      const { model, name, sets } = state;
      const all = models[model].length;
      const m = FORMS[name].unique ? Math.min(SIZES[state.place], all - 10) : SIZES[state.place];
      const found = averaged(models[model], answer, name, m, sets);
      drawing.replaceChildren(...bars(found, answer), ...curves(errors[model], name, m, found.off));
      const limited = m === SIZES[state.place] ? "" : ` (there are ${all} words)`;
      result.textContent =
        `${m.toLocaleString("en")} negatives${limited}, ${sets === 1 ? "one set" : `the mean of ${sets} sets`}: at word ${answer}, the answer, ` +
        `${signed(found.mean[answer])}, and the whole softmax has ${signed(found.right[answer])}. ` +
        `The mean is off by up to ${found.off.toFixed(2)}` +
        (sets === 1 ? "." : `; one set strays from it by ${found.spread[answer].toFixed(2)}.`);
    }
    const options = (names) => names.map((name) => [String(name), String(name)]);
    box.append(
      choice({ label: "model", options: options(Object.keys(models)), chosen: (model) => draw({ model }) }),
      choice({ label: "form", options: options(Object.keys(FORMS)), chosen: (name) => draw({ name }) }),
      choice({
        label: "sets",
        value: "100",
        options: options([1, 10, 100, 400]),
        chosen: (sets) => draw({ sets: Number(sets) }),
      }),
      slider({
        label: "negatives",
        min: 0,
        max: SIZES.length - 1,
        value: state.place,
        shown: (place) => SIZES[place].toLocaleString("en"),
        moved: (place) => draw({ place }),
      }),
      drawing,
      result,
    );
  }

  Figures.define("sampled-gradient", build, { averaged, drawn, gradient, logUniform, whole, FORMS });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
