/* A text with pads, and its mean with and without the mask: what each token adds, and which cosines come out. */
"use strict";

(function (Figures) {
  const { node, svg, slider, tick } = Figures;
  const ROW = 19;
  const LEFT = 70;
  const FULL = 210; // the length of a bar for a share of FULL_SHARE
  const FULL_SHARE = 0.25;
  const TOP = 24; // room for the name of what the bars show

  const sum = (numbers) => numbers.reduce((one, other) => one + other, 0);
  const written = (number) => (Math.abs(number) < 0.005 ? "0.00" : number.toFixed(2).replace("-", "−"));

  /** Of each of the first `count` vectors, its share in their mean: what it adds along the mean's direction. */
  function shares(products, count) {
    const added = products.slice(0, count).map((row) => sum(row.slice(0, count)));
    return added.map((one) => one / sum(added));
  }

  /** The cosine of the mean of the first `count` vectors with a vector of length one, from products only. */
  function cosine(products, withOther, count) {
    const squared = sum(products.slice(0, count).map((row) => sum(row.slice(0, count))));
    return sum(withOther.slice(0, count)) / Math.sqrt(squared);
  }

  function row(name, share, place, isPad) {
    const y = TOP + ROW * (place + 0.5);
    const text = (at, words) => svg("text", { y: y + 4.5, "font-size": 13, ...at }, words);
    const color = `var(--figure-${isPad ? "bad" : "accent"})`;
    const width = Math.max((FULL * share) / FULL_SHARE, 0);
    return [
      text({ x: LEFT - 8, "text-anchor": "end" }, name),
      svg("rect", { x: LEFT, y: y - 6.5, width, height: 13, fill: color, "fill-opacity": isPad ? 0.75 : 1 }),
      text({ x: LEFT + width + 6 }, share === null ? "masked" : `${(100 * share).toFixed(1)} %`),
    ];
  }

  function build(box, data) {
    const { words, products, sentences, with_sentences: withSentences, with_itself: withItself } = data;
    const most = products.length - words.length;
    const state = { pads: 4, masked: true };
    const drawing = svg("svg", {
      role: "img",
      style: "max-width: 30rem; margin: 0 auto",
    });
    const told = node("ul", { "aria-live": "polite", style: "text-align: left" });

    function redraw() {
      const total = words.length + state.pads;
      const count = state.masked ? words.length : total;
      const found = shares(products, count);
      const names = [...words, ...Array(state.pads).fill("[PAD]")];
      drawing.setAttribute("viewBox", `0 0 360 ${TOP + ROW * names.length + 4}`);
      drawing.replaceChildren(
        svg("text", { x: LEFT, y: 15, "font-size": 13, "font-weight": 600 }, "share in the mean"),
        ...names.flatMap((name, place) => row(name, place < count ? found[place] : null, place, place >= words.length)),
      );
      const ofPads = 100 * sum(found.slice(words.length));
      drawing.setAttribute(
        "aria-label",
        `Share of each token in the mean; ${state.pads} pads have ${Math.round(ofPads)} percent.`,
      );
      const others = sentences.map((text, i) => [`Cosine with ${text} `, withSentences.map((both) => both[i])]);
      const lines = [["Cosine with its own right vector ", withItself], ...others];
      told.replaceChildren(
        node("li", {}, "The pads' share in the mean ", node("output", {}, `${Math.round(ofPads)} %`)),
        ...lines.map(([text, other]) =>
          node("li", {}, text, node("output", {}, written(cosine(products, other, count)))),
        ),
      );
    }

    const pads = slider({
      label: "Pads after the sentence",
      min: 0,
      max: most,
      value: state.pads,
      moved(number) {
        state.pads = number;
        redraw();
      },
    });
    const mask = tick({
      label: "Mask the pads in the mean",
      value: state.masked,
      ticked(on) {
        state.masked = on;
        redraw();
      },
    });
    box.append(pads, mask, told, drawing);
  }

  Figures.define("pads-let-in", build, { shares, cosine, written });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
