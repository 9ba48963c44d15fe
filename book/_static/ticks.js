/* Ticks for the chapters that one has read and the exercises that one has tried.

   They are kept in the browser, under one key, and go nowhere else. Where a browser keeps nothing
   there is nothing to see of them. How many chapters and exercises there are is in ticks_data.js,
   written when the book is built (book/_extensions/ticks.py). */

(function (root) {
  "use strict";

  // A later form of what is kept gets another number, and so never reads what it does not know.
  const KEY = "encoders-three-ways.ticks.1";

  /* What is kept ------------------------------------------------------------------------------- */

  const nothing = () => ({ read: [], tried: [] });

  /** What was kept, or nothing where that is no such thing. */
  function parse(text) {
    try {
      const { read, tried } = JSON.parse(text) || {};
      const isName = (name) => typeof name === "string";
      const areNames = (names) => Array.isArray(names) && names.every(isName);
      return areNames(read) && areNames(tried) ? { read, tried } : nothing();
    } catch {
      return nothing();
    }
  }

  /** With a name put in or taken out of one of the lists. */
  function changed(ticks, list, name, isOn) {
    const others = ticks[list].filter((one) => one !== name);
    return { ...ticks, [list]: isOn ? [...others, name] : others };
  }

  /** How many of the book's chapters and exercises have a tick; what the book no longer has does
      not count. */
  function counts(ticks, exercises) {
    const chapters = Object.keys(exercises);
    const all = chapters.flatMap((chapter) => exercises[chapter]);
    return {
      read: chapters.filter((chapter) => ticks.read.includes(chapter)).length,
      chapters: chapters.length,
      tried: all.filter((exercise) => ticks.tried.includes(exercise)).length,
      exercises: all.length,
    };
  }

  function line({ read, chapters, tried, exercises }) {
    const first = `You have read ${read} of ${chapters} chapters`;
    return `${first} and tried ${tried} of ${exercises} exercises.`;
  }

  if (typeof module !== "undefined") {
    module.exports = { parse, changed, counts, line };
    return;
  }

  const { element, chapters: book } = root.EncodersBook;
  // Sphinx makes it a constant, which is no property of the window
  const page = typeof DOCUMENTATION_OPTIONS === "undefined" ? "" : DOCUMENTATION_OPTIONS.pagename;
  if (!book || !page || !keepsThings()) return;

  /** A private window may have no store, or one that throws. */
  function keepsThings() {
    try {
      localStorage.setItem(`${KEY}.try`, "1");
      localStorage.removeItem(`${KEY}.try`);
      return true;
    } catch {
      return false;
    }
  }

  // Always from the store: another tab may have changed it.
  const kept = () => parse(localStorage.getItem(KEY));

  function keep(list, name, isOn) {
    try {
      localStorage.setItem(KEY, JSON.stringify(changed(kept(), list, name, isOn)));
    } catch {
      // full: then the tick goes out again, since what is shown is what is kept
    }
    show();
  }

  /* What is shown ------------------------------------------------------------------------------ */

  const shows = []; // each brings one part of the page up to what is kept
  const show = () => shows.forEach((part) => part(kept()));

  function button(text, act) {
    const made = element("button", "pill", text);
    made.type = "button";
    made.addEventListener("click", act);
    return made;
  }

  /** "Mark as read" at the end of a chapter. */
  function addButton(article) {
    const read = button("Mark as read", () => {
      tells = true;
      keep("read", page, read.getAttribute("aria-pressed") !== "true");
    });
    let tells = false; // not before one has pressed it
    const status = element("p", "");
    status.setAttribute("role", "status");
    article.append(element("div", "ticks-read d-print-none", read, status));
    shows.push((ticks) => {
      read.setAttribute("aria-pressed", String(ticks.read.includes(page)));
      if (tells) status.textContent = line(counts(ticks, book.exercises));
    });
  }

  /** A box beside the number of an exercise. */
  function addBox(exercise) {
    const number = exercise.querySelector("strong");
    const box = element("input", "");
    box.type = "checkbox";
    box.addEventListener("change", () => keep("tried", exercise.id, box.checked));
    const hidden = element("span", "visually-hidden", ` ${number.textContent}`);
    number.after(element("label", "tick-tried d-print-none", box, "tried", hidden));
    shows.push((ticks) => { box.checked = ticks.tried.includes(exercise.id); });
  }

  /** The page that a link of the sidebar leads to, as the data names pages. */
  function pageOf(link) {
    const here = new URL(document.documentElement.dataset.content_root || "./", location.href);
    const path = new URL(link.getAttribute("href"), location.href).pathname;
    return decodeURIComponent(path.slice(here.pathname.length).replace(/\.html$/, ""));
  }

  function addTicks(links) {
    for (const link of links) {
      const name = pageOf(link);
      if (!(name in book.exercises)) continue;
      const mark = element("span", "tick-of-chapter", "✓");
      mark.setAttribute("aria-hidden", "true");
      const words = element("span", "visually-hidden", " (read)");
      shows.push((ticks) => {
        if (ticks.read.includes(name)) link.append(mark, words);
        else [mark, words].forEach((part) => part.remove());
      });
    }
  }

  /** How far one has come, on the first page, and a way to forget it. */
  function addLine(title) {
    const words = element("p", "");
    const forget = button("Forget this", () => ask(true));
    const really = button("Yes, forget all of it", () => {
      localStorage.removeItem(KEY);
      show();
      title.focus();
    });
    const rather = button("Keep it", () => ask(false));
    const box = element("div", "ticks-line d-print-none", words, forget, really, rather);
    const ask = (isAsked) => {
      forget.hidden = isAsked;
      really.hidden = rather.hidden = !isAsked;
      (isAsked ? rather : forget).focus();
    };
    really.hidden = rather.hidden = true;
    title.tabIndex = -1; // where the focus goes when the line is gone
    title.after(box);
    shows.push((ticks) => {
      const found = counts(ticks, book.exercises);
      words.textContent = line(found);
      box.hidden = found.read + found.tried === 0;
      if (box.hidden) {
        forget.hidden = false;
        really.hidden = rather.hidden = true;
      }
    });
  }

  const article = document.querySelector("article.bd-article");
  if (article && page in book.exercises) {
    addButton(article);
    article.querySelectorAll("p[id^=exercise-]").forEach(addBox);
  }
  if (article && page === book.landing) addLine(article.querySelector("h1"));
  addTicks(document.querySelectorAll("nav.bd-links a.reference"));
  show();
  addEventListener("storage", (event) => event.key === null || event.key === KEY ? show() : null);
  // a page that comes back from the browser's memory is as it was when one left it
  addEventListener("pageshow", (event) => event.persisted && show());
})(typeof window === "undefined" ? globalThis : window);
