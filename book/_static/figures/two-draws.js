/* The tokens of a sentence as darts on the unit square: one draw chooses, the other decides what becomes of a token. */
"use strict";

(function (Figures) {
  const { svg, node, slider, scale, axes } = Figures;
  const FATES = ["masked", "random", "kept"];
  const BOX = { left: 58, right: 346, top: 16, bottom: 304 };
  const X = scale([0, 1], [BOX.left, BOX.right]);
  const Y = scale([0, 1], [BOX.bottom, BOX.top]);

  /** What becomes of each token: "masked", "random", "kept", or "" if it is not chosen. Shares are parts of one. */
  function fates({ chosen, action }, special, { choose, mask, random }) {
    return chosen.map((draw, i) => {
      if (special[i] || draw >= choose) return "";
      if (action[i] < mask) return "masked";
      return action[i] < mask + random ? "random" : "kept";
    });
  }

  function counts(found) {
    return FATES.map((fate) => found.filter((each) => each === fate).length);
  }

  /** What the model reads. */
  function reads(tokens, words, found, maskToken) {
    return tokens.map((token, i) => ({ masked: maskToken, random: words[i] })[found[i]] || token);
  }

  /** The strip of the chosen, cut in three, with the names and bounds of its parts. */
  function strip({ choose, mask, random }) {
    const cuts = [0, mask, mask + random, 1];
    const look = { fill: "var(--figure-faint)", stroke: "var(--figure-accent)", "stroke-width": 1.5 };
    return FATES.flatMap((fate, i) => {
      const [low, high] = [Y(cuts[i]), Y(cuts[i + 1])];
      const name = svg(
        "text",
        { x: BOX.left - 6, y: (low + high) / 2 + 4, "font-size": 12.5, "text-anchor": "end" },
        fate,
      );
      const part = svg("rect", { x: X(0), y: high, width: X(choose) - X(0), height: low - high, ...look });
      return low - high > 12 ? [part, name] : [part];
    });
  }

  /** A dart. Its shape tells the fate: filled, a diamond, hollow; small dots were not chosen. */
  function dart(x, y, fate, token, special) {
    const accent = { stroke: "var(--figure-accent)", "stroke-width": 2 };
    const shapes = {
      masked: () => svg("circle", { cx: x, cy: y, r: 5, fill: "var(--figure-accent)", ...accent }),
      random: () => svg("path", { d: `M${x} ${y - 7}l7 7l-7 7l-7 -7z`, fill: "var(--figure-accent)", ...accent }),
      kept: () => svg("circle", { cx: x, cy: y, r: 5, fill: "var(--figure-paper)", ...accent }),
      "": () =>
        svg("circle", {
          cx: x,
          cy: y,
          r: 3,
          stroke: "var(--figure-muted)",
          fill: special ? "var(--figure-paper)" : "var(--figure-muted)",
        }),
    };
    const label = fate ? [svg("text", { x: x + 9, y: y + 4, "font-size": 12.5, "font-weight": 600 }, token)] : [];
    return [shapes[fate](), ...label];
  }

  /** The sentence as the model reads it; what was chosen stands out, with what it was. */
  function sentence(tokens, read, found) {
    const notes = { masked: (i) => tokens[i], random: (i) => `was ${tokens[i]}`, kept: () => "kept" };
    return read.flatMap((word, i) =>
      found[i] ? [node("strong", {}, word), ` (${notes[found[i]](i)}) `] : [`${word} `],
    );
  }

  function build(box, { tokens, special, maskToken, throws, shares }) {
    const at = { ...shares, number: 0 };
    const free = special.filter((each) => !each).length;
    const moving = svg("g");
    const label = "The tokens as darts on a square, with the strip of the chosen ones on the left";
    const frame = axes({ x: X, y: Y, box: BOX, xTicks: [0, 0.5, 1], xName: "the draw that chooses" });
    const upwards = svg("text", { x: 2, y: 10, "font-size": 12 }, "\u2191 the draw that decides what becomes of it");
    const drawing = svg("svg", { viewBox: "0 0 360 342", role: "img", "aria-label": label }, moving, frame, upwards);
    const text = node("p");
    const result = node("p", { "aria-live": "polite" });
    function draw(changed) {
      Object.assign(at, changed);
      const now = { ...at, random: Math.min(at.random, 1 - at.mask) };
      const { chosen, action, word } = throws[at.number];
      const found = fates(throws[at.number], special, now);
      const darts = tokens.flatMap((token, i) => dart(X(chosen[i]), Y(action[i]), found[i], token, special[i]));
      moving.replaceChildren(...strip(now), ...darts);
      text.replaceChildren("The model reads: ", ...sentence(tokens, reads(tokens, word, found, maskToken), found));
      const average = [now.mask, now.random, 1 - now.mask - now.random].map((share) => free * now.choose * share);
      const said = counts(found).map((count, i) => `${count} ${FATES[i]} (${Math.abs(average[i]).toFixed(1)})`);
      result.textContent = `Throw ${at.number + 1}, of ${free} tokens (in brackets the average): ${said.join(", ")}.`;
    }
    const percent = (label, name) =>
      slider({
        label,
        min: 0,
        max: 100,
        value: 100 * shares[name],
        shown: (value) => `${value} %`,
        moved: (value) => draw({ [name]: value / 100 }),
      });
    const again = () => draw({ number: (at.number + 1) % throws.length });
    box.append(
      percent("chosen", "choose"),
      percent("of these, masked", "mask"),
      percent("of these, a random word (the rest is kept)", "random"),
      node("button", { type: "button", onclick: again }, "throw again"),
      drawing,
      node(
        "p",
        {},
        "Filled: masked. Diamond: a random word. Ring: kept. Small: not chosen; small rings: special tokens.",
      ),
      text,
      result,
    );
  }

  Figures.define("two-draws", build, { fates, counts, reads });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
