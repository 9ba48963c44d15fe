/* A word in pieces, try by try: WordPiece with the whole vocabulary of the chapter's model. */
"use strict";

(function (Figures) {
  const { node, slider } = Figures;
  const LONGEST = 100; // characters of a word that is still cut
  const PUNCTUATION = /[!-/:-@[-`{-~\p{P}]/u;
  const BORDERS = {
    found: "2px solid var(--figure-accent)",
    known: "2px solid var(--figure-accent)",
    unknown: "2px dashed var(--figure-bad)",
  };

  /** A list as the chapter shortens it: a capital for how many letters of the word before go, then the new ones. */
  function lengthened(text) {
    const words = new Set();
    let word = "";
    for (const [, gone, rest] of text.matchAll(/([A-T])([^A-T]*)/g)) {
      word = word.slice(0, word.length - (gone.charCodeAt(0) - 65)) + rest;
      words.add(word);
    }
    return words;
  }

  /** The vocabulary: whether a word may begin with these letters, and whether it may go on with them. */
  function read({ signs, pairs, lists, characters }) {
    const plain = [...signs].reduceRight((text, sign, i) => text.split(sign).join(pairs[i]), lists);
    const [beginnings, others] = plain.split(" ").map(lengthened);
    for (const character of characters) [beginnings, others].forEach((list) => list.add(character));
    return { beginnings, others };
  }

  /** Lower case, without accents, cut at blanks and around punctuation and Chinese characters, as before the pieces. */
  function words(text) {
    const bare = text
      .normalize("NFD")
      .replace(/\p{Mn}/gu, "")
      .toLowerCase();
    const apart = [...bare].map((sign) =>
      PUNCTUATION.test(sign) || /\p{Script=Han}/u.test(sign) ? ` ${sign} ` : sign,
    );
    return apart.join("").split(/\s+/).filter(Boolean);
  }

  /** All tries for a word: what was found before, the letters tried, whether they are a piece, the letters behind. */
  function triesFor(word, { beginnings, others }) {
    const letters = [...word];
    const tries = [];
    let [found, start] = [[], 0];
    while (letters.length <= LONGEST && start < letters.length) {
      const [mark, list] = start ? ["##", others] : ["", beginnings];
      let end = letters.length + 1;
      let known = false;
      while (!known && --end > start) {
        const tried = letters.slice(start, end).join("");
        known = list.has(tried);
        tries.push({ found, tried: mark + tried, known, rest: letters.slice(end).join("") });
      }
      if (!known) return { tries, pieces: ["[UNK]"] };
      found = [...found, tries.at(-1).tried];
      start = end;
    }
    return { tries, pieces: start ? found : ["[UNK]"] };
  }

  const cut = (text, vocabulary) => words(text).map((word) => triesFor(word, vocabulary));

  function boxed(text, kind) {
    const space = "padding: 0 0.35rem; margin: 0.15rem 0.25rem 0.15rem 0";
    const style = `display: inline-block; border: ${BORDERS[kind]}; border-radius: 0.3rem; ${space}`;
    return node("span", { style: kind === "known" ? `${style}; font-weight: 600` : style }, text);
  }

  /** A try in words, for those who hear it and those who see it. */
  function told({ tried, known, rest, found }) {
    if (known) return `${tried} is in the vocabulary, and is cut off.`;
    const last = [...tried.replace(/^##/, "")].length === 1;
    return last
      ? `${tried} is not in the vocabulary, and nothing is shorter: the whole word becomes [UNK].`
      : `${tried} is not in the vocabulary. Try one letter less.`;
  }

  function build(box, data) {
    const vocabulary = read(data);
    const letters = node("p", {
      style: "font-family: monospace; min-height: 4rem; overflow-wrap: anywhere; margin: 0.5rem 0",
    });
    const step = node("p", { "aria-live": "polite", style: "min-height: 3rem; margin: 0.25rem 0" });
    const result = node("output", { "aria-live": "polite", style: "font-family: monospace" });
    const tries = node("div");
    const input = node("input", {
      type: "text",
      value: "unpronounceable",
      maxlength: 120,
      size: 24,
      autocapitalize: "off",
      autocomplete: "off",
      spellcheck: "false",
      style: "max-width: 100%",
      oninput: typed,
    });

    function show(all, number) {
      const { found, tried, known, rest } = all[number - 1];
      letters.replaceChildren(
        ...found.map((piece) => boxed(piece, "found")),
        boxed(tried, known ? "known" : "unknown"),
        rest,
      );
      step.textContent = told(all[number - 1]);
    }

    function typed() {
      const cuts = cut(input.value, vocabulary);
      const all = cuts.flatMap((one) => one.tries);
      result.textContent = cuts.flatMap((one) => one.pieces).join(" ");
      letters.replaceChildren();
      step.textContent = cuts.length && !all.length ? `More than ${LONGEST} characters: [UNK] without a try.` : "";
      tries.replaceChildren(...(all.length ? [sliderOf(all)] : []));
    }

    function sliderOf(all) {
      const shown = (number) => `${number} of ${all.length}`;
      return slider({
        label: "Try",
        min: 1,
        max: all.length,
        value: Math.min(5, all.length),
        shown,
        moved: (number) => show(all, number),
      });
    }

    typed();
    box.style.textAlign = "left"; // centred, the letters would jump from try to try
    box.append(
      node("label", {}, "A word, or several: ", input),
      tries,
      letters,
      step,
      node("p", {}, "All pieces: ", result),
    );
  }

  Figures.define("greedy-cut", build, { read, words, cut, told });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
