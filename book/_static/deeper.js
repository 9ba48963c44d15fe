/* Folded sections and tables open where a link or a search leads into them, and for print. Without this script they
   open by their headings alone. */
"use strict";

(() => {
  const FOLDED = "section.deeper > details, details.parity-report";

  /* Everything that is folded around an element, and the section that it is itself. */
  function openAround(element) {
    const own = element.matches("section.deeper") ? element.querySelector(":scope > details") : null;
    if (own) own.open = true;
    for (let around = element.closest("details"); around; around = around.parentElement.closest("details"))
      around.open = true;
  }

  function followHash() {
    const name = decodeURIComponent(location.hash.slice(1));
    const target = name && document.getElementById(name);
    if (!target) return;
    openAround(target);
    target.scrollIntoView();
  }

  /* In the contents at the right a section for a second reading is set back. */
  function markContents() {
    for (const section of document.querySelectorAll("section.deeper"))
      for (const link of document.querySelectorAll(".bd-sidebar-secondary a[href]"))
        if (link.getAttribute("href") === `#${section.id}`) link.classList.add("to-deeper");
  }

  document.addEventListener("DOMContentLoaded", () => {
    markContents();
    followHash();
  });
  addEventListener("hashchange", followHash);
  /* A link to where one already is changes no address. */
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (link && link.getAttribute("href") === location.hash) followHash();
  });
  /* Words that were searched for are marked once the page is there. */
  addEventListener("load", () => document.querySelectorAll(".bd-article details .highlighted").forEach(openAround));

  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll(FOLDED)].filter((details) => !details.open);
    for (const details of opened) details.open = true;
  });
  addEventListener("afterprint", () => {
    for (const details of opened) details.open = false;
  });
})();
