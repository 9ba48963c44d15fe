/* A text cut into steps of one size: which characters a position holds, and on which it depends. */
"use strict";

(function (Figures) {
  const { svg, node, slider, choice, tick } = Figures;
  const ROW = 32; // characters in a row of the drawing
  const WIDTH = 10.6;
  const HEIGHT = 34;
  const FILL = "·"; // what is put in front

  /** First and last character that a position holds, and that it depends on, where `length` are there. */
  function reach({ length, block, base, attends }, position) {
    const own = [position * block, Math.min((position + 1) * block, length) - 1];
    const aside = (base - 1) / 2;
    const seen = attends ? [0, length - 1] : [Math.max(0, own[0] - aside), Math.min(length - 1, own[1] + aside)];
    return { own, seen };
  }

  /** How many words there are, and how many have letters in more than one position. */
  function wordsCut(text, block) {
    const words = [...text.matchAll(/[^\s·]+/g)].map((found) => [found.index, found.index + found[0].length - 1]);
    const held = (character) => Math.floor(character / block);
    return { words: words.length, cut: words.filter(([first, last]) => held(first) !== held(last)).length };
  }

  function summary({ text, block, base, attends, asked }) {
    const { length } = text;
    const positions = Math.ceil(length / block);
    const position = Math.floor(asked / block);
    const { own, seen } = reach({ length, block, base, attends }, position);
    const count = ([first, last]) => last - first + 1;
    const { words, cut } = wordsCut(text, block);
    const split = block === 1 ? "Each holds one character." : `${cut} of ${words} words are in more than one position.`;
    return (
      `Position ${position} holds ${count(own)} and depends on ${count(seen)} characters. ${positions} positions have ` +
      `${(positions ** 2).toLocaleString("en")} scores a head. ${split}`
    );
  }

  /** One character, on a ground that says whether the position holds it (dark, with a line) or only depends on it (light). */
  function cell(character, place, { own, seen }, block) {
    const [x, y] = [8 + (place % ROW) * WIDTH, 6 + Math.floor(place / ROW) * HEIGHT];
    const inside = ([first, last]) => first <= place && place <= last;
    const drawn = [];
    if (inside(seen)) {
      const opacity = inside(own) ? 0.38 : 0.16;
      drawn.push(
        svg("rect", { x, y, width: WIDTH, height: 24, fill: "var(--figure-accent)", "fill-opacity": opacity }),
      );
    }
    if (inside(own)) {
      drawn.push(svg("path", { d: `M${x} ${y + 25}h${WIDTH}`, stroke: "var(--figure-accent)", "stroke-width": 3 }));
    }
    if (block > 1 && place % block === 0) {
      drawn.push(svg("path", { d: `M${x} ${y - 3}v30`, stroke: "var(--figure-ink)", "stroke-width": 1.5 }));
    }
    const look = {
      x: x + WIDTH / 2,
      y: y + 17,
      "font-size": 13,
      "text-anchor": "middle",
      style: "font-family: monospace",
    };
    return [...drawn, svg("text", look, character)];
  }

  function build(box, { text, factors, bases, base }) {
    const state = { block: factors.at(-1), base, attends: false, asked: 41, front: 0 };
    const rows = Math.ceil(text.length / ROW);
    const label = `A text of ${text.length} characters, cut into positions; marked is what one position holds and depends on`;
    const drawing = svg("svg", { viewBox: `0 0 356 ${rows * HEIGHT + 24}`, role: "img", "aria-label": label });
    const result = node("p", { "aria-live": "polite" });
    function draw(changed) {
      Object.assign(state, changed);
      const moved = (FILL.repeat(state.front) + text).slice(0, text.length);
      const asked = Math.min(state.asked + state.front, text.length - 1); // the same letter, wherever it went
      const marks = reach({ ...state, length: text.length }, Math.floor(asked / state.block));
      const key = svg(
        "text",
        { x: 8, y: rows * HEIGHT + 16, "font-size": 12 },
        "underlined: the position's own; light: also read",
      );
      drawing.replaceChildren(
        ...[...moved].flatMap((character, place) => cell(character, place, marks, state.block)),
        key,
      );
      result.textContent = summary({ ...state, text: moved, asked });
    }
    const options = (numbers, said) => numbers.map((number) => [String(number), said(number)]);
    box.append(
      choice({
        label: "shortened",
        value: String(state.block),
        options: options([1, ...factors], (by) => (by === 1 ? "not at all" : `by ${by}`)),
        chosen: (block) => draw({ block: Number(block) }),
      }),
      choice({
        label: "the base reads",
        value: String(base),
        options: options(bases, (number) => (number === 1 ? "1 character" : `${number} characters`)),
        chosen: (chosen) => draw({ base: Number(chosen) }),
      }),
      tick({ label: "after attention", ticked: (attends) => draw({ attends }) }),
      slider({
        label: "the position of character",
        min: 0,
        max: text.length - 1,
        value: 41,
        shown: (place) => `${place}, “${text[place]}”`,
        moved: (asked) => draw({ asked }),
      }),
      slider({ label: "letters put in front", min: 0, max: 15, value: 0, moved: (front) => draw({ front }) }),
      drawing,
      result,
    );
  }

  Figures.define("shortened-text", build, { reach, wordsCut, summary });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
