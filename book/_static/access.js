/* What is wider than the screen scrolls by itself, and can then be reached and scrolled by the keyboard. The theme sees to code
   and tables, this to pictures and formulas. */
"use strict";

(function () {
  const KINDS = [
    [".themed-figure", "Figure, wider than the screen"],
    ["div.math", "Formula, wider than the screen"],
  ];

  function tell(element, label) {
    const scrolls = element.scrollWidth > element.clientWidth + 1;
    const said = { tabindex: "0", role: "group", "aria-label": label };
    for (const [name, value] of Object.entries(said)) {
      if (scrolls) element.setAttribute(name, value);
      else element.removeAttribute(name);
    }
  }

  const labels = new Map();
  const observer = new ResizeObserver((entries) =>
    entries.forEach(({ target }) => tell(target, labels.get(target))),
  );
  for (const [selector, label] of KINDS) {
    for (const element of document.querySelectorAll(selector)) {
      labels.set(element, label);
      observer.observe(element);
    }
  }
})();
