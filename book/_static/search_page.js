/* The page that searches: it asks search.js and shows what comes back, a section each. */

(function () {
  "use strict";

  const AT_ONCE = 20;
  // Long enough not to read out every letter, and short enough not to wait.
  const PAUSE = 250;

  const { element, search, sections } = window.EncodersBook;
  const place = document.getElementById("search-results");
  const form = document.querySelector(".bd-search-container form.bd-search");
  if (!place || !form || !sections) return;

  const field = form.querySelector("input");
  const status = element("p", "search-status");
  const list = element("ol", "search-found");
  const more = element("button", "pill search-more");
  const help = element("div", "search-help");
  let index = null;

  /** Text with what was looked for in marks. */
  function marked(parts) {
    return parts.map(({ text, marked: isMarked }) =>
      isMarked ? element("mark", "search-mark", text) : text,
    );
  }

  function kindOf(kind, anchor, page) {
    if (kind === search.TERM) return "Glossary";
    if (kind === search.REFERENCE) return "Bibliography";
    return sections.pages[page][1];
  }

  function result({ number }, phrases) {
    const [page, anchor, kind, title, prose, code] = sections.entries[number];
    const [address] = sections.pages[page];
    const shown = search.pieces(title, search.marks(title, phrases));
    const link = element("a", "search-link", ...marked(shown));
    link.href = search.address(address, anchor, phrases);
    const parts = [link];
    const context = kindOf(kind, anchor, page);
    if (context !== title) parts.push(element("span", "search-where", context));
    parts.push(...excerpts(prose, code, phrases));
    return element("li", "search-result", ...parts);
  }

  /** From the prose, and from the names of code where only those have the words. */
  function excerpts(prose, code, phrases) {
    const inCode = search.marks(code, phrases);
    if (inCode.length && !search.marks(prose, phrases).length) {
      const names = search.excerpt(code, phrases, 120);
      return [element("p", "search-excerpt", "In code: ", element("code", "", ...marked(names)))];
    }
    return prose ? [element("p", "search-excerpt", ...marked(search.excerpt(prose, phrases)))] : [];
  }

  function plural(count) {
    return count === 1 ? "1 place" : `${count} places`;
  }

  function tell(query, found) {
    const { results, complete } = found;
    if (!results.length) return `Nothing found for “${query}”.`;
    if (complete) return `${plural(results.length)} found for “${query}”.`;
    return `No place has all words of “${query}”. ${plural(results.length)} with some of them:`;
  }

  /** What else one could try; with a word of the book where the query nearly has one. */
  function advice(query) {
    const words = search.wordsOfQuery(query).map((word) => word.shown);
    const nearly = words.map((word) => search.nearest(index, word));
    const parts = [];
    if (nearly.some(Boolean)) {
      const suggested = words.map((word, place) => nearly[place] || word).join(" ");
      const link = element("a", "", suggested);
      link.href = `?q=${encodeURIComponent(suggested)}`;
      parts.push(element("p", "", "Did you mean ", link, "?"));
    }
    return parts;
  }

  function whatToTry() {
    const term = sections.entries.find(([, , kind]) => kind === search.TERM);
    const glossary = element("a", "", "glossary");
    glossary.href = term ? sections.pages[term[0]][0] : "#";
    const hints = [
      ["Fewer words, or only the beginning of one: “normal” finds “normalize”."],
      ["Another word for the same: the ", glossary, " has the words of this book."],
      ["Names of functions and of files: “rope_tables”, “modernbert.py”."],
    ];
    return element("ul", "", ...hints.map((hint) => element("li", "", ...hint)));
  }

  function show(query) {
    list.replaceChildren();
    help.replaceChildren();
    more.hidden = true;
    if (!query) {
      status.textContent = "";
      help.append(element("p", "", "What to search for:"), whatToTry());
      return;
    }
    index = index || search.buildIndex(sections);
    const found = search.find(index, query);
    status.textContent = tell(query, found);
    if (!found.complete || !found.results.length) help.append(...advice(query));
    if (!found.results.length) help.append(element("p", "", "What you can try:"), whatToTry());
    showSome(found, AT_ONCE);
  }

  function showSome({ results, phrases }, count) {
    const before = list.children.length;
    list.append(...results.slice(before, before + count).map((one) => result(one, phrases)));
    const left = results.length - list.children.length;
    more.hidden = left <= 0;
    more.textContent = `Show ${Math.min(left, AT_ONCE)} more`;
    more.onclick = () => {
      const next = list.children.length;
      showSome({ results, phrases }, AT_ONCE);
      // so that whoever uses the keyboard goes on where the new ones begin
      list.children[next].querySelector("a").focus();
    };
  }

  /** The address keeps the query, so that one comes back to the same results. */
  function remember(query) {
    try {
      history.replaceState(null, "", query ? `?q=${encodeURIComponent(query)}` : location.pathname);
    } catch {
      // some browsers refuse this to pages that are opened from a file
    }
  }

  let waiting = 0;
  function askSoon() {
    clearTimeout(waiting);
    waiting = setTimeout(ask, PAUSE);
  }

  function ask() {
    clearTimeout(waiting);
    const query = field.value.trim();
    remember(query);
    show(query);
  }

  /** The arrows go from the field to the results and through them. */
  function walk(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
    const stops = [field, ...list.querySelectorAll("a.search-link")];
    const next = stops[stops.indexOf(document.activeElement) + step];
    if (stops.includes(document.activeElement) && next) {
      event.preventDefault();
      next.focus();
    }
  }

  status.setAttribute("role", "status");
  status.setAttribute("aria-live", "polite");
  more.type = "button";
  place.append(status, help, list, more);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });
  field.addEventListener("input", askSoon);
  document.querySelector(".bd-search-container").addEventListener("keydown", walk);
  field.value = new URLSearchParams(location.search).get("q") || "";
  field.focus();
  show(field.value.trim());
})();
