/* Cards: what a link leads to, shown beside the link.

   A link to a term of the glossary, to a reference, a figure or an exercise opens a small card
   under the pointer, at the keyboard's focus, or by a first tap. Terms and references are in
   cards_data.js, written when the book is built (book/_extensions/cards.py), and so are the
   figures and exercises of other pages. Those of the same page are taken from the page. */

(function (root) {
  "use strict";

  // Time to pass over a link on the way elsewhere, and to go from a link to its card.
  const BEFORE_OPENING = 350;
  const BEFORE_CLOSING = 250;
  const GAP = 6;
  const MARGIN = 12;
  const SMALLEST_PICTURE = 90;

  /* What can be told without a page ----------------------------------------------------------- */

  /** What kind of thing an address leads to, by its anchor: null where there is no card. */
  function kindOf(href, isCitation) {
    const [, anchor] = /#(.+)$/.exec(href || "") || [];
    if (!anchor) return null;
    if (isCitation) return { kind: "references", anchor };
    if (/^term-/.test(anchor)) return { kind: "terms", anchor };
    if (/^exercise-\d/.test(anchor)) return { kind: "exercises", anchor };
    if (/^fig-/.test(anchor)) return { kind: "figures", anchor };
    return null;
  }

  /** Where a card goes: below the link, or above it if there is more room, and never on it.
      `link`, `card` and `view` have what the browser says of them; it is the view's coordinates
      that come back, with the height that there is room for. */
  function placeFor(link, card, view) {
    const below = view.height - link.bottom - GAP - MARGIN;
    const above = link.top - GAP - MARGIN - view.top;
    const isBelow = card.height <= below || below >= above;
    const height = Math.max(0, Math.min(card.height, isBelow ? below : above));
    const rightmost = view.width - MARGIN - card.width;
    return {
      left: Math.max(MARGIN, Math.min(link.left, rightmost)),
      top: isBelow ? link.bottom + GAP : link.top - GAP - height,
      height,
    };
  }

  /** The part of the page that is in sight. */
  function view() {
    const header = document.querySelector(".bd-header-article");
    const covered = header ? Math.max(0, header.getBoundingClientRect().bottom) : 0;
    return {
      width: document.documentElement.clientWidth,
      height: document.documentElement.clientHeight,
      // the header stays at the top, and a card does not hide under it
      top: header && getComputedStyle(header).position === "sticky" ? covered : 0,
    };
  }

  if (typeof module !== "undefined") {
    module.exports = { kindOf, placeFor };
    return;
  }
  const { element, cards: data = {} } = Object.assign(root.EncodersBook, { placeFor, view });

  /* What the card says ------------------------------------------------------------------------ */

  const statics = `${document.documentElement.dataset.content_root || "./"}_static/`;

  /** HTML that the build has written: code, emphasis and formulas. */
  function written(html) {
    const made = element("p", "");
    made.innerHTML = html;
    return made;
  }

  function aboutTerm(anchor) {
    const found = (data.terms || {})[anchor];
    if (!found) return null;
    const name = element("strong", "card-name");
    name.innerHTML = found[0];
    return [name, written(found[1])];
  }

  function aboutReference(anchor, link) {
    const found = (data.references || {})[anchor];
    if (found) return [written(found)];
    return link.dataset.reference ? [element("p", "", link.dataset.reference)] : null;
  }

  /** A copy of part of the page, without what has a name or takes the focus. */
  function copyOf(node) {
    const copy = node.cloneNode(true);
    copy.removeAttribute("id");
    copy.querySelectorAll("[id]").forEach((inside) => inside.removeAttribute("id"));
    const aside = copy.querySelectorAll(".headerlink, .tick-tried, mjx-assistive-mml");
    aside.forEach((inside) => inside.remove());
    copy.querySelectorAll("mark").forEach((mark) => mark.replaceWith(...mark.childNodes));
    copy.querySelectorAll("a").forEach((link) => link.replaceWith(...link.childNodes));
    copy.querySelectorAll("[tabindex]").forEach((inside) => inside.removeAttribute("tabindex"));
    return copy;
  }

  function aboutExercise(anchor) {
    const here = document.getElementById(anchor);
    if (!here) return data.exercises && data.exercises[anchor] && [written(data.exercises[anchor])];
    const parts = [copyOf(here)];
    let next = here.nextElementSibling;
    // up to the solution
    while (next && next.matches("p:not([id]), ul, ol")) {
      parts.push(copyOf(next));
      next = next.nextElementSibling;
    }
    return parts;
  }

  function aboutFigure(anchor) {
    const here = document.getElementById(anchor);
    if (!here) return data.figures && data.figures[anchor] && figureElsewhere(data.figures[anchor]);
    // the pictures alone, for a figure that moves is not to be moved in a card
    const pictures = Array.from(here.querySelectorAll(".themed-figure img"));
    const caption = here.querySelector("figcaption");
    if (!pictures.length || !caption) return null;
    const words = element("p", "");
    words.append(...copyOf(caption).childNodes);
    const copies = pictures.map((picture) => picture.cloneNode());
    return [element("div", "themed-figure", ...copies), words];
  }

  function figureElsewhere({ light, dark, alt, caption }) {
    const images = [[light, "only-light"], [dark, "only-dark"]].map(([file, className]) => {
      const image = element("img", className);
      image.loading = "lazy";
      image.alt = alt;
      image.src = statics + file;
      return image;
    });
    return [element("div", "themed-figure", ...images), written(caption)];
  }

  const ABOUT = {
    terms: aboutTerm,
    references: aboutReference,
    exercises: aboutExercise,
    figures: aboutFigure,
  };

  /* The card ----------------------------------------------------------------------------------- */

  const said = element("div", "card-said");
  said.id = "card-of-link";
  said.setAttribute("role", "tooltip");
  const go = element("a", "card-go", "Go there");
  const card = element("div", "card-box card-of-link", said, go);
  card.hidden = true;
  let opener = null;
  let waiting = 0;
  let tap = null;

  function open(link, byTouch) {
    clearTimeout(waiting);
    if (opener === link && !card.hidden) return true;
    const { kind, anchor } = kindOf(link.getAttribute("href"), isCitation(link));
    const parts = ABOUT[kind](decodeURIComponent(anchor), link);
    if (!parts) return false;
    close();
    opener = link;
    said.replaceChildren(...parts);
    card.classList.toggle("card-figure", kind === "figures");
    go.href = link.href;
    go.hidden = !byTouch;
    card.hidden = false;
    link.setAttribute("aria-describedby", said.id);
    place();
    // a picture has no size before it is there
    card.querySelectorAll("img").forEach((image) => image.addEventListener("load", place));
    return true;
  }

  function close() {
    clearTimeout(waiting);
    if (opener) opener.removeAttribute("aria-describedby");
    opener = null;
    card.hidden = true;
    said.replaceChildren();
  }

  /** Beside the link. A picture gives way until its caption can be read with it. */
  function place() {
    if (!opener) return;
    card.style.removeProperty("--card-picture");
    const lacking = placeOnce();
    const picture = Array.from(said.querySelectorAll("img")).find((image) => image.clientHeight);
    if (lacking <= 0 || !picture) return;
    const height = Math.max(SMALLEST_PICTURE, picture.clientHeight - lacking);
    card.style.setProperty("--card-picture", `${height}px`);
    placeOnce();
  }

  /** Puts the card below or above the link, of one that is broken over two lines below or above
      both; how much of the card's height there is no room for comes back. */
  function placeOnce() {
    card.style.maxHeight = "";
    card.style.left = "0";
    const size = card.getBoundingClientRect();
    const found = placeFor(opener.getBoundingClientRect(), size, view());
    card.style.left = `${found.left + scrollX}px`;
    card.style.top = `${found.top + scrollY}px`;
    card.style.maxHeight = `${found.height}px`;
    return Math.ceil(size.height - found.height);
  }

  /* The links ---------------------------------------------------------------------------------- */

  function isCitation(link) {
    return Boolean(link.closest(".bibtex-citation"));
  }

  function linkOf(target) {
    const link = target instanceof Element ? target.closest("a.reference.internal") : null;
    const isOurs = link && link.closest("article") && !card.contains(link);
    return isOurs && kindOf(link.getAttribute("href"), isCitation(link)) ? link : null;
  }

  function openSoon(link) {
    clearTimeout(waiting);
    waiting = setTimeout(() => open(link, false), BEFORE_OPENING);
  }

  function closeSoon() {
    clearTimeout(waiting);
    waiting = setTimeout(close, BEFORE_CLOSING);
  }

  function enter(event) {
    if (event.pointerType === "touch") return;
    const link = linkOf(event.target);
    if (card.contains(event.target)) clearTimeout(waiting);
    else if (link && link === opener) clearTimeout(waiting);
    else if (link) openSoon(link);
  }

  function leave(event) {
    if (event.pointerType === "touch") return;
    const link = linkOf(event.target);
    const next = event.relatedTarget;
    const goesOn = (part) => part && next instanceof Node && part.contains(next);
    const isLeft = (link && !goesOn(link)) || (card.contains(event.target) && !goesOn(card));
    if (!isLeft || goesOn(card) || goesOn(opener)) return;
    if (opener) closeSoon();
    else clearTimeout(waiting);
  }

  /** A tap comes as a press, then as the focus, then as a click: only the press knows the finger,
      and whether the card was there before. */
  function press(event) {
    const link = linkOf(event.target);
    tap = event.pointerType === "touch" && link ? { link, wasOpen: link === opener } : null;
    if (!link && !card.contains(event.target)) close();
  }

  function click(event) {
    const link = linkOf(event.target);
    const isFirstTap = link && tap && tap.link === link && !tap.wasOpen;
    if (isFirstTap && open(link, true)) event.preventDefault();
    else if (link || event.target === go) close();
    tap = null;
  }

  function focus(event) {
    const link = linkOf(event.target);
    // at once: a screen reader reads the description when the focus comes
    if (link && link.matches(":focus-visible")) open(link, false);
    else if (!card.contains(event.target)) close();
  }

  function blur(event) {
    if (event.target === opener && !card.contains(event.relatedTarget)) close();
  }

  function escape(event) {
    if (event.key !== "Escape" || card.hidden) return;
    if (card.contains(document.activeElement)) opener.focus();
    close();
    event.stopPropagation();
  }

  /** The browser's own tooltip would stand beside the card and say the same. */
  function takeOffTitles() {
    document.querySelectorAll(".bibtex-citation a[title]").forEach((link) => {
      link.dataset.reference = link.title;
      link.removeAttribute("title");
    });
  }

  takeOffTitles();
  document.body.append(card);
  document.addEventListener("pointerover", enter);
  document.addEventListener("pointerout", leave);
  document.addEventListener("pointerdown", press);
  document.addEventListener("click", click);
  document.addEventListener("focusin", focus);
  document.addEventListener("focusout", blur);
  document.addEventListener("keydown", escape, true);
  addEventListener("resize", close);
  addEventListener("hashchange", close);
  addEventListener("pagehide", close);
})(typeof window === "undefined" ? globalThis : window);
