/* A line to mistype: which of its words, pieces and windows of characters are still there. */
"use strict";

(function (Figures) {
  const { node, choice } = Figures;
  const SLIPS = {
    swap: "swapped with the next",
    drop: "left out",
    double: "typed twice",
    neighbour: "missed for its neighbour",
  };
  const MOST = 3; // slips in a word: the pieces of words further off are not in the page's list

  /** The word with one slip at its nth letter. */
  function slipped(word, n, kind, neighbours) {
    const [before, letter, after] = [word.slice(0, n), word[n], word.slice(n + 1)];
    if (kind === "swap") {
      const at = Math.max(0, Math.min(n, word.length - 2)); // the last letter has one before it only
      return (
        word.slice(0, at) +
        word
          .slice(at, at + 2)
          .split("")
          .reverse()
          .join("") +
        word.slice(at + 2)
      );
    }
    if (kind === "drop") return before + after || word;
    return before + (kind === "double" ? letter + letter : neighbours[letter]) + after;
  }

  /** WordPiece: again and again the longest piece that the list has. */
  function pieces(word, list) {
    const found = [];
    let start = 0;
    while (start < word.length) {
      let end = word.length;
      const piece = () => (start ? "##" : "") + word.slice(start, end);
      while (end > start && !list.has(piece())) end -= 1;
      if (end === start) return ["[UNK]"];
      found.push(piece());
      start = end;
    }
    return found;
  }

  function windows(text) {
    return Array.from({ length: Math.max(1, text.length - 4) }, (_, n) => text.slice(n, n + 5));
  }

  /** How many of these parts there were, and how many of them are still there. */
  function survivors(before, after) {
    const left = [...after];
    const there = before.filter((part) => left.includes(part) && left.splice(left.indexOf(part), 1));
    return [there.length, before.length];
  }

  function counts(text, typed, list) {
    const cut = (line) => line.split(" ").flatMap((word) => pieces(word, list));
    return {
      words: survivors(text.split(" "), typed.split(" ")),
      pieces: survivors(cut(text), cut(typed)),
      windows: survivors(windows(text), windows(typed)),
    };
  }

  /** A line below that is whole if what stands above is known from the text as it was, and broken if not. */
  function ground(known) {
    return known ? "3px solid var(--figure-accent)" : "3px dotted var(--figure-bad)";
  }

  /** A word: a button for each letter, over the window around it, and below them the word's pieces. */
  function wordBox(typed, start, word, known, pressed) {
    const middle = (n) => typed.slice(n - 2, n + 3);
    const looks = (n) => {
      const whole = n >= 2 && n + 2 < typed.length;
      const line = whole ? ground(known.windows.has(middle(n))) : "1px solid var(--figure-faint)";
      return (
        "min-width: 1.6em; padding: 0.15rem 0; border: 1px solid var(--figure-faint); border-radius: 0.2rem 0.2rem 0 0; " +
        `border-bottom: ${line}`
      );
    };
    const letters = [...word].map((letter, n) => {
      return node("button", { type: "button", style: looks(start + n), onclick: () => pressed(n) }, letter);
    });
    const below = pieces(word, known.list).map((piece) => {
      return node(
        "span",
        { style: `margin: 0 0.4em 0 0.2em; border-bottom: ${ground(known.pieces.has(piece))}` },
        piece,
      );
    });
    const look = "display: inline-block; margin: 0.3rem 0.6rem 0.3rem 0; vertical-align: top";
    return node(
      "div",
      { style: look },
      node("div", {}, ...letters),
      node("div", { style: "font-size: 0.85rem" }, ...below),
    );
  }

  function build(box, { text, list, neighbours }) {
    const original = text.split(" ");
    const known = { list: new Set(list), windows: new Set(windows(text)) };
    known.pieces = new Set(original.flatMap((word) => pieces(word, known.list)));
    let [words, slips, kind] = [[...original], original.map(() => 0), "swap"];
    const line = node("div", { role: "group", "aria-label": "the letters; press one to mistype it" });
    const result = node("p", { "aria-live": "polite" });

    function press(place, n) {
      if (slips[place] === MOST) {
        result.textContent = `“${words[place]}” has ${MOST} slips, which is as many as a word takes here. ${left()}`;
        return;
      }
      const worse = slipped(words[place], n, kind, neighbours);
      slips[place] += worse === words[place] ? 0 : 1;
      words[place] = worse;
      draw();
      const buttons = line.children[place].querySelectorAll("button");
      buttons[Math.min(n, buttons.length - 1)].focus();
    }

    function draw() {
      const typed = words.join(" ");
      const starts = words.map((_, place) => words.slice(0, place).join(" ").length + (place ? 1 : 0));
      line.replaceChildren(
        ...words.map((word, place) => wordBox(typed, starts[place], word, known, (n) => press(place, n))),
      );
      result.textContent = left();
    }

    function left() {
      const said = Object.entries(counts(text, words.join(" "), known.list)).map(([name, [there, all]]) => {
        return `${there} of ${all} ${name}${name === "windows" ? " of five characters" : ""}`;
      });
      return `Still there: ${said.join(", ")}.`;
    }

    function again() {
      [words, slips] = [[...original], original.map(() => 0)];
      draw();
    }

    draw();
    box.append(
      choice({
        label: "A letter that you press is",
        options: Object.entries(SLIPS),
        chosen: (chosen) => (kind = chosen),
      }),
      node("button", { type: "button", onclick: again }, "As it was"),
      line,
      node(
        "p",
        { style: "font-size: 0.85rem; color: var(--figure-muted)" },
        "The line under a letter is for the five characters around it, and the words below are the pieces. " +
          "Whole line: there before. Dotted line: new.",
      ),
      result,
    );
  }

  Figures.define("own-typos", build, { slipped, pieces, windows, counts });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
