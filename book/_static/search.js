/* Finding a section, and marking in it what was looked for.

   What is here computes and knows nothing of a page, except for the last part, which marks the
   words on the page where a result leads. The page that searches is search_page.js; what it
   searches, search_index.js, is written when the book is built (book/_extensions/section_index.py).
   No library and no request: a book that is opened from a folder searches itself. */

(function (root) {
  "use strict";

  // The kinds of entries, as section_index.py numbers them.
  const SECTION = 0;
  const TERM = 1;
  const EXERCISE = 2;
  const REFERENCE = 3;

  // What a word is worth by where it stands: in a heading most, then in the name of a term and
  // in its definition, then in prose, and least in code.
  const HEADING = { [SECTION]: 100, [TERM]: 90, [EXERCISE]: 40, [REFERENCE]: 20 };
  const PROSE = { [SECTION]: 10, [TERM]: 25, [EXERCISE]: 8, [REFERENCE]: 5 };
  const PAGE_TITLE = 8;
  const CODE = 4;

  const WHOLE_WORD = 1;
  const SYNONYM = 0.8;
  const BEGINNING = 0.5;
  // A shorter beginning would find half of the book.
  const SHORTEST_BEGINNING = 3;
  // Words that stand together as they were typed, `rope_tables` above all, are what was meant.
  const AS_TYPED = 2;

  const STOP_WORDS = new Set(
    ("a an and are as at be but by can do does for from has have how if in into is it its not of " +
      "on or so than that the their then there these they this to was what when where which who " +
      "why will with you").split(" "),
  );
  const WORD = /[\p{L}\p{N}]+(?:[’'](?:s|t|re|ll|ve)\b)?/gu;

  /* Words ------------------------------------------------------------------------------------ */

  /** Lower case, without accents: "Łukasz" keeps its bar, "Clavié" loses its accent. */
  function fold(text) {
    const lower = text.toLowerCase();
    // Most of a text is plain, and plain text is spared the slow way.
    return /[^\x00-\x7f]/.test(lower) ? lower.normalize("NFKD").replace(/\p{M}/gu, "") : lower;
  }

  /** A word without the endings that a reader would not care about: plural, -ing, -ed, -e.
      It need be no word: it only has to be the same for all forms of one. */
  function stem(word) {
    let stemmed = word.replace(/[’'].*$/, "");
    if (/[^a-z]/.test(stemmed) || stemmed.length < 4) return stemmed;
    if (/(?:ch|sh|ss|x|zz)es$/.test(stemmed)) stemmed = stemmed.slice(0, -2);
    else if (/[^aeiou]ies$/.test(stemmed)) stemmed = stemmed.slice(0, -3) + "y";
    else if (/[^sui]s$/.test(stemmed)) stemmed = stemmed.slice(0, -1);
    const shortened = stemmed.replace(/(?:ing|ed)$/, "");
    const isRest = shortened.length >= 3 && /[aeiouy]/.test(shortened);
    if (isRest && shortened !== stemmed && !/[eo]ed$/.test(stemmed)) {
      // "padding" and "pad" are one word, "pooling" and "pool" as well
      stemmed = shortened.replace(/([bdgmnprt])\1$/, "$1");
    }
    return stemmed.length > 4 ? stemmed.replace(/e$/, "") : stemmed;
  }

  /** The words of a text: each with its stem, and where it begins and ends. */
  function tokens(text) {
    return Array.from(text.matchAll(WORD), (found) => ({
      stem: stem(fold(found[0])),
      start: found.index,
      end: found.index + found[0].length,
    }));
  }

  function stems(text) {
    return tokens(text).map((token) => token.stem);
  }

  /** The words of a query that say something, or all of them where none does. */
  function wordsOfQuery(query) {
    const all = tokens(query).map((token) => ({
      stem: token.stem,
      shown: query.slice(token.start, token.end),
    }));
    const telling = all.filter((word) => !STOP_WORDS.has(fold(word.shown)));
    return telling.length ? telling : all;
  }

  /* The index -------------------------------------------------------------------------------- */

  /** Where every word stands: a map from its stem to a map from entries to counts. */
  function buildIndex(sections) {
    const index = {
      sections,
      places: new Map(),
      shown: new Map(),
      titleLengths: [],
      groups: sections.synonyms.map((group) => group.map(stems)),
    };
    const known = new Map(); // a book has a hundred thousand words, but not so many different ones
    const stemOf = (word) => {
      if (!known.has(word)) known.set(word, stem(fold(word)));
      return known.get(word);
    };
    const add = (text, number, field) => {
      const found = text.match(WORD) || [];
      for (const word of found) {
        const key = stemOf(word);
        if (!index.places.has(key)) index.places.set(key, new Map());
        if (!index.shown.has(key)) index.shown.set(key, word.toLowerCase());
        const entries = index.places.get(key);
        if (!entries.has(number)) entries.set(number, { title: 0, page: 0, prose: 0, code: 0 });
        entries.get(number)[field] += 1;
      }
      return found.length;
    };
    sections.entries.forEach(([page, , , title, prose, code], number) => {
      index.titleLengths.push(add(title.replace(/^[\d.]+ /, ""), number, "title"));
      add(sections.pages[page][1], number, "page");
      add(prose, number, "prose");
      add(code, number, "code");
    });
    return index;
  }

  /** The entries that have a word, or a word that begins with it: a map to the word's score. */
  function scoresOfWord(index, word) {
    const scores = new Map();
    for (const [key, entries] of index.places) {
      const isBeginning = word.length >= SHORTEST_BEGINNING && key.startsWith(word);
      if (key !== word && !isBeginning) continue;
      const strength = key === word ? WHOLE_WORD : BEGINNING;
      const rarity = Math.log(1 + index.sections.entries.length / entries.size);
      for (const [number, counts] of entries) {
        const score = strength * rarity * worth(index, number, counts);
        const before = scores.get(number);
        scores.set(number, {
          score: Math.max(score, before ? before.score : 0),
          inTitle: counts.title > 0 || Boolean(before && before.inTitle),
        });
      }
    }
    return scores;
  }

  /** The worth of a word's places in an entry, without how rare the word is. */
  function worth(index, number, counts) {
    const kind = index.sections.entries[number][2];
    // a heading of one word is more about that word than one of seven is
    const share = counts.title / Math.max(1, index.titleLengths[number]);
    const often = (count) => (count ? 1 + Math.log2(count) / 2 : 0);
    return (
      (counts.title ? HEADING[kind] * (0.4 + 0.6 * share) : 0) +
      PROSE[kind] * often(counts.prose) +
      CODE * often(counts.code) +
      (counts.page ? PAGE_TITLE : 0)
    );
  }

  /** The entries that have all of some words: each with the sum of the words' scores. */
  function scoresOfAll(index, words) {
    const [first, ...rest] = words.map((word) => scoresOfWord(index, word));
    const scores = new Map();
    for (const [number, { score }] of first) {
      const others = rest.map((one) => one.get(number));
      if (others.every(Boolean)) {
        scores.set(number, others.reduce((sum, other) => sum + other.score, score));
      }
    }
    return scores;
  }

  /* The search ------------------------------------------------------------------------------- */

  /** What a query asks for: its words in order, where several that have a synonym count as one.
      Each need is a list of phrases, of which the first is what was typed. */
  function needsOf(index, query) {
    const words = wordsOfQuery(query).map((word) => word.stem);
    const needs = [];
    for (let at = 0; at < words.length; ) {
      const { length, group } = synonymAt(index.groups, words, at);
      const typed = words.slice(at, at + length);
      const others = group.filter((phrase) => phrase.join(" ") !== typed.join(" "));
      needs.push([typed, ...others]);
      at += length;
    }
    return needs;
  }

  /** The longest phrase at a place of a query that has synonyms, and these. */
  function synonymAt(groups, words, at) {
    let found = { length: 1, group: [] };
    for (const group of groups) {
      for (const phrase of group) {
        const isHere = phrase.every((word, offset) => words[at + offset] === word);
        const isLonger = phrase.length > found.length || !found.group.length;
        if (isHere && isLonger) found = { length: phrase.length, group };
      }
    }
    return found;
  }

  function scoresOfNeed(index, phrases) {
    const scores = new Map();
    phrases.forEach((phrase, place) => {
      const strength = place ? SYNONYM : WHOLE_WORD;
      for (const [number, score] of scoresOfAll(index, phrase)) {
        scores.set(number, Math.max(strength * score, scores.get(number) || 0));
      }
    });
    return scores;
  }

  /** The entries for a query, the best first. Those that have all that was asked for, or, where
      none has, those that have some of it: `complete` says which. */
  function find(index, query) {
    const needs = needsOf(index, query);
    const met = new Map();
    for (const phrases of needs) {
      for (const [number, score] of scoresOfNeed(index, phrases)) {
        const before = met.get(number) || { number, needs: 0, score: 0 };
        met.set(number, { number, needs: before.needs + 1, score: before.score + score });
      }
    }
    const found = Array.from(met.values());
    const typed = fold(query.trim());
    if (/[^\p{L}\p{N}]/u.test(typed)) {
      found.forEach((one) => { one.score *= hasAsTyped(index, one.number, typed) ? AS_TYPED : 1; });
    }
    const most = found.reduce((highest, one) => Math.max(highest, one.needs), 0);
    const results = found
      .filter((one) => one.needs === most)
      .sort((one, other) => other.score - one.score || one.number - other.number);
    return { results, complete: most === needs.length, phrases: phrasesToMark(needs) };
  }

  function hasAsTyped(index, number, typed) {
    const [, , , title, prose, code] = index.sections.entries[number];
    return [title, prose, code].some((text) => fold(text).includes(typed));
  }

  /** What is marked: each word that was typed, and each synonym as a whole. */
  function phrasesToMark(needs) {
    const phrases = needs.flatMap(([typed, ...others]) => [
      ...typed.map((word) => [word]),
      ...others,
    ]);
    const written = new Map(phrases.map((phrase) => [phrase.join(" "), phrase]));
    return Array.from(written.values());
  }

  /** A word of the book that is nearly a word of the query, for "did you mean". */
  function nearest(index, word) {
    const wanted = fold(word);
    const allowed = wanted.length > 6 ? 2 : 1;
    if (wanted.length < 4 || index.places.has(stem(wanted))) return null;
    let best = null;
    for (const [key, entries] of index.places) {
      const known = index.shown.get(key);
      if (Math.abs(known.length - wanted.length) > allowed) continue;
      const distance = edits(wanted, known);
      const isAsNear = best && distance === best.distance && entries.size > best.size;
      if (distance <= allowed && (!best || distance < best.distance || isAsNear)) {
        best = { distance, size: entries.size, shown: known };
      }
    }
    return best && best.shown;
  }

  /** How many letters have to be put in, taken out, exchanged, or swapped with the next. */
  function edits(one, other) {
    let earlier = null;
    let before = Array.from({ length: other.length + 1 }, (_, place) => place);
    for (let i = 1; i <= one.length; i += 1) {
      const row = [i];
      for (let j = 1; j <= other.length; j += 1) {
        const differs = one[i - 1] === other[j - 1] ? 0 : 1;
        row[j] = Math.min(before[j] + 1, row[j - 1] + 1, before[j - 1] + differs);
        const isSwap = i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
        if (isSwap) row[j] = Math.min(row[j], earlier[j - 2] + 1);
      }
      earlier = before;
      before = row;
    }
    return before[other.length];
  }

  /* What is shown ---------------------------------------------------------------------------- */

  /** Where phrases stand in a text: pairs of begin and end, with the phrase's number. */
  function marks(text, phrases) {
    const words = tokens(text);
    const found = [];
    for (let at = 0; at < words.length; at += 1) {
      let longest = null;
      phrases.forEach((phrase, number) => {
        const isHere = phrase.every((word, offset) => {
          const there = words[at + offset];
          return there && (there.stem === word || beginsWith(there.stem, word));
        });
        if (isHere && (!longest || phrase.length > longest.length)) {
          longest = { length: phrase.length, number };
        }
      });
      if (longest) {
        const last = at + longest.length - 1;
        found.push({ start: words[at].start, end: words[last].end, phrase: longest.number });
        at = last;
      }
    }
    return found;
  }

  function beginsWith(word, beginning) {
    return beginning.length >= SHORTEST_BEGINNING && word.startsWith(beginning);
  }

  /** A text as pieces, of which those that are to be marked say so. */
  function pieces(text, found) {
    const parts = [];
    let at = 0;
    for (const { start, end } of found) {
      if (start > at) parts.push({ text: text.slice(at, start), marked: false });
      parts.push({ text: text.slice(start, end), marked: true });
      at = end;
    }
    if (at < text.length) parts.push({ text: text.slice(at), marked: false });
    return parts;
  }

  /** The part of a text with most of what was looked for, cut between words. */
  function excerpt(text, phrases, length = 230) {
    const found = marks(text, phrases);
    const start = bestStart(text, found, length);
    const end = cutBefore(text, start + length);
    const shown = text.slice(start, end);
    const parts = pieces(shown, marks(shown, phrases));
    if (start > 0) parts.unshift({ text: "… ", marked: false });
    if (end < text.length) parts.push({ text: " …", marked: false });
    return parts;
  }

  function bestStart(text, found, length) {
    let best = { start: 0, different: 0 };
    for (const { start } of found) {
      const near = found.filter((mark) => mark.start >= start && mark.end <= start + 0.7 * length);
      const different = new Set(near.map((mark) => mark.phrase)).size;
      if (different > best.different) best = { start, different };
    }
    if (best.start < 0.4 * length) return 0;
    // from the sentence's beginning, where that is near, or from a few words before
    const before = text.slice(0, best.start);
    const ends = [". ", "? ", "! ", ": "].map((end) => before.lastIndexOf(end));
    const sentence = Math.max(...ends) + 2;
    if (sentence > 1 && best.start - sentence < 0.4 * length) return sentence;
    return before.lastIndexOf(" ", best.start - 0.2 * length) + 1;
  }

  function cutBefore(text, place) {
    if (place >= text.length) return text.length;
    const space = text.lastIndexOf(" ", place);
    return space > 0 ? space : place;
  }

  /** The address of a result: its anchor, and for its page what to mark there. */
  function address(page, anchor, phrases) {
    const wanted = phrases.map((phrase) => phrase.join(" ")).join("|");
    return `${page}?find=${encodeURIComponent(wanted)}#${anchor}`;
  }

  function phrasesOfAddress(query) {
    const wanted = new URLSearchParams(query).get("find") || "";
    const phrases = wanted.split("|").map((phrase) => phrase.split(" ").filter(Boolean));
    return phrases.filter((phrase) => phrase.length);
  }

  /* The page where a result leads ------------------------------------------------------------ */

  // Formulas are typeset from their text, and code is copied: neither is to be cut up.
  const UNTOUCHED =
    "script, style, pre, .math, mjx-container, .headerlink, .search-clear, details.solution";

  /** The elements that an anchor is about: a section without the sections in it, or a term with
      its definition, or just the one. */
  function landed(target) {
    if (target.matches("dt")) return [target, target.nextElementSibling];
    if (!target.matches("section")) return [target];
    return Array.from(target.children).filter((child) => !child.matches("section"));
  }

  function textsIn(element) {
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    const found = [];
    while (walker.nextNode()) {
      if (!walker.currentNode.parentElement.closest(UNTOUCHED)) found.push(walker.currentNode);
    }
    return found;
  }

  function markText(node, phrases) {
    const found = marks(node.data, phrases);
    if (!found.length) return 0;
    const parts = pieces(node.data, found).map(({ text, marked }) => {
      if (!marked) return document.createTextNode(text);
      const mark = document.createElement("mark");
      mark.className = "search-mark";
      mark.textContent = text;
      return mark;
    });
    node.replaceWith(...parts);
    return found.length;
  }

  function clearMarks() {
    document.querySelectorAll("mark.search-mark").forEach((mark) => {
      const parent = mark.parentNode;
      mark.replaceWith(...mark.childNodes);
      parent.normalize();
    });
    document.querySelectorAll(".search-clear").forEach((button) => button.remove());
  }

  function offerToClear(target) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "pill search-clear";
    button.textContent = "Clear the highlights";
    button.addEventListener("click", clearMarks);
    const heading = target.matches("section") ? target.firstElementChild : target;
    if (heading && !heading.matches("dt")) heading.after(button);
  }

  /** A box that is folded, and has what was looked for, is opened. */
  function unfold() {
    document.querySelectorAll("mark.search-mark").forEach((mark) => {
      const box = mark.closest(".admonition.toggle-hidden");
      if (box) box.querySelector(".admonition-title").click();
      const details = mark.closest("details:not([open])");
      if (details) details.open = true;
    });
  }

  function markWhatWasFound() {
    const phrases = phrasesOfAddress(location.search);
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!phrases.length || !target) return;
    const texts = landed(target).flatMap((element) => (element ? textsIn(element) : []));
    const count = texts.reduce((sum, node) => sum + markText(node, phrases), 0);
    if (count) {
      offerToClear(target);
      document.addEventListener("keydown", (event) => event.key === "Escape" && clearMarks());
    }
    // by then the theme has folded what it folds
    addEventListener("load", () => {
      unfold();
      target.scrollIntoView();
    });
  }

  const search = {
    SECTION, TERM, EXERCISE, REFERENCE,
    fold, stem, tokens, wordsOfQuery, buildIndex, needsOf, find, nearest, edits,
    marks, pieces, excerpt, address, phrasesOfAddress,
  };
  if (typeof module !== "undefined") {
    module.exports = search;
    return;
  }
  root.EncodersBook = root.EncodersBook || {};
  root.EncodersBook.search = search;
  markWhatWasFound(); // deferred scripts run when the page has been read
})(typeof window === "undefined" ? globalThis : window);
