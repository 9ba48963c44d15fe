/* The lattice of a word: the reader cuts it, piece by piece, and sees what the unigram model gives the cut. */
(function (Figures) {
  "use strict";
  const SPACE = "▁";
  // A rim of the page's colour keeps a name legible on the arcs.
  const HALO = "paint-order: stroke; stroke: var(--figure-paper); stroke-width: 4px";

  /** [start, end, log probability] of every piece in a word; a character is never missing. */
  function edges(word, scores) {
    const unknown = Math.min(...Object.values(scores)) - 10;
    const found = [];
    for (let start = 0; start < word.length; start++)
      for (let end = start + 1; end <= word.length; end++) {
        const piece = word.slice(start, end);
        if (piece in scores || end === start + 1) found.push([start, end, scores[piece] ?? unknown]);
      }
    return found;
  }

  /** The best cuts, [score, piece, piece, …] each, best first: those of a place are made of those of the places before. */
  function bestCuts(word, scores, count) {
    const cuts = Array.from({ length: word.length + 1 }, () => []);
    cuts[0] = [[0]];
    for (let end = 1; end <= word.length; end++) {
      const ways = edges(word, scores).filter((edge) => edge[1] === end);
      cuts[end] = ways
        .flatMap(([start, , score]) =>
          cuts[start].map(([sum, ...rest]) => [sum + score, ...rest, word.slice(start, end)]),
        )
        .sort((a, b) => b[0] - a[0])
        .slice(0, count);
    }
    return cuts[word.length];
  }

  /** Of all cuts: their number, the logarithm of their probabilities' sum. */
  function allCuts(word, scores) {
    const [ways, sums] = [[1], [1]];
    for (let place = 1; place <= word.length; place++) [ways[place], sums[place]] = [0, 0];
    for (const [start, end, score] of edges(word, scores)) {
      ways[end] += ways[start];
      sums[end] += sums[start] * Math.exp(score);
    }
    return { ways: ways[word.length], logarithm: Math.log(sums[word.length]) };
  }

  /** The logarithm of a cut's probability, its pieces, and which of them the vocabulary lacks. */
  function cutAt(word, places, scores) {
    const ends = [...[...places].sort((a, b) => a - b), word.length];
    const pieces = ends.map((end, i) => word.slice(i ? ends[i - 1] : 0, end));
    const missing = pieces.filter((piece) => !(piece in scores));
    return { pieces, missing, score: pieces.reduce((sum, piece) => sum + (scores[piece] ?? -Infinity), 0) };
  }

  const minus = (value) => value.toFixed(2).replace("-", "−");
  const percent = (share) =>
    share < 0.00001 ? "< 0.001 %" : `${(100 * share).toFixed(share < 0.001 ? 3 : share < 0.1 ? 1 : 0)} %`;

  function build(box, data) {
    const { node, svg, choice } = Figures;
    let word = data.words[0];
    let places = new Set();
    const { scores } = data;
    const picture = node("div");
    const letters = node("div", {
      role: "group",
      "aria-label": "Where to cut",
      style: "position:relative;max-width:32rem;height:2.2rem;margin:0 auto",
    });
    const words = node("p", { "aria-live": "polite" });
    const table = node("div");

    function best() {
      places = new Set();
      let place = 0;
      for (const piece of bestCuts(word, scores, 1)[0].slice(1, -1)) places.add((place += piece.length));
      draw();
    }

    function draw() {
      const all = allCuts(word, scores);
      const { pieces, missing, score } = cutAt(word, places, scores);
      picture.replaceChildren(lattice(pieces));
      letters.replaceChildren(...[...word].flatMap((_, i) => (i ? [knife(i)] : [])));
      const share = Math.exp(score - all.logarithm);
      words.replaceChildren(
        `Your cut, ${pieces.join(" + ")}: `,
        node(
          "strong",
          {},
          missing.length
            ? `no cut, since ${missing.join(", ")} is no piece`
            : `log probability ${minus(score)}, ${percent(share)} of all ${all.ways} cuts together`,
        ),
      );
      const rows = bestCuts(word, scores, 5).map(([sum, ...cut]) =>
        node(
          "tr",
          {},
          node("td", {}, cut.join(" + ")),
          node("td", {}, minus(sum)),
          node("td", {}, percent(Math.exp(sum - all.logarithm))),
        ),
      );
      const head = ["best cuts", "log p", "share"].map((name) => node("th", { scope: "col" }, name));
      table.replaceChildren(
        node(
          "table",
          { style: "margin:0.5rem auto;font-size:0.9rem" },
          node("thead", {}, node("tr", {}, head)),
          node("tbody", {}, rows),
        ),
      );
    }

    /** Where a place of the word lies in the drawing, in percent of its width: a knife stands under it. */
    const along = (place) => (100 * (10 + (340 * place) / word.length)) / 360;

    function knife(place) {
      const cut = places.has(place);
      return node(
        "button",
        {
          type: "button",
          "aria-pressed": String(cut),
          "aria-label": `Cut between ${word.slice(0, place)} and ${word.slice(place)}`,
          style: `position:absolute;left:${along(place)}%;transform:translateX(-50%);width:1.8rem;padding:0.2rem 0`,
          onclick: () => {
            if (!places.delete(place)) places.add(place);
            draw();
            letters.querySelectorAll("button")[place - 1].focus();
          },
        },
        cut ? "|" : "·",
      );
    }

    /** Arcs over the pieces that the vocabulary has, those of the reader's cut thick and named. */
    function lattice(pieces) {
      const step = 340 / word.length;
      const bottom = 150;
      const label = `The pieces in ${word}, cut as ${pieces.join(" + ")}`;
      const drawing = svg("svg", {
        viewBox: "0 8 360 168",
        role: "img",
        "aria-label": label,
        "font-size": 13,
        style: "max-width:32rem;margin:0 auto",
      });
      const starts = pieces.map((_, i) => pieces.slice(0, i).join("").length);
      for (const [start, end] of edges(word, scores)) {
        if (!(word.slice(start, end) in scores)) continue;
        const chosen = starts.some((place, i) => place === start && pieces[i].length === end - start);
        const height = 14 + (112 * (end - start)) / word.length;
        const [x, radius] = [10 + start * step, ((end - start) * step) / 2];
        drawing.append(
          svg("path", {
            d: `M ${x} ${bottom} a ${radius} ${height} 0 0 1 ${2 * radius} 0`,
            fill: "none",
            stroke: `var(--figure-${chosen ? "accent" : "muted"})`,
            "stroke-width": chosen ? 4 : 0.8,
          }),
        );
        if (chosen)
          drawing.append(
            svg(
              "text",
              { x: x + radius, y: bottom - height - 6, "text-anchor": "middle", "font-weight": "bold", style: HALO },
              word.slice(start, end),
            ),
          );
      }
      for (let i = 0; i <= word.length; i++)
        drawing.append(svg("circle", { cx: 10 + i * step, cy: bottom, r: 3.5, fill: "var(--figure-ink)" }));
      [...word].forEach((letter, i) =>
        drawing.append(svg("text", { x: 10 + (i + 0.5) * step, y: bottom + 22, "text-anchor": "middle" }, letter)),
      );
      return drawing;
    }

    box.append(
      choice({
        label: "Word",
        options: data.words.map((each) => [each, each.replace(SPACE, "")]),
        chosen: (value) => ((word = value), best()),
      }),
    );
    const hint = node(
      "p",
      { style: "margin:0.25rem 0;text-align:center" },
      "Press to cut at a point (|), or to join (·).",
    );
    box.append(node("button", { type: "button", onclick: best }, "The best cut"), picture, letters, hint, words, table);
  }

  Figures.define("unigram-lattice", build, { edges, bestCuts, allCuts, cutAt });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
