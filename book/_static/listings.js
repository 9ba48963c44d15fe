/* Listings: what a first reading can do without is folded. Without this script, and on paper, all of it is shown. */
"use strict";

(() => {
  const lineCount = (fold) => fold.querySelectorAll(".line").length;

  function button(text, className) {
    const made = document.createElement("button");
    made.type = "button";
    made.className = className;
    made.textContent = text;
    return made;
  }

  /* The row of a listing's buttons, made when the first of them is. */
  function tools(listing) {
    let row = listing.querySelector(":scope > .listing-tools");
    if (!row) {
      row = document.createElement("div");
      row.className = "listing-tools";
      const first = listing.querySelector(":scope > .sd-tab-content, :scope > .listing-path");
      listing.insertBefore(row, listing.matches(".three-ways") ? null : first);
    }
    return row;
  }

  function setFold(opener, open) {
    opener.setAttribute("aria-expanded", String(open));
    document.getElementById(opener.getAttribute("aria-controls")).classList.toggle("folded", !open);
  }

  const isOpen = (opener) => opener.getAttribute("aria-expanded") === "true";

  let made = 0;
  function foldListing(listing) {
    const folds = [...listing.querySelectorAll(".fold")];
    if (!folds.length) return;
    const openers = folds.map((fold) => {
      const opener = button(`${lineCount(fold)} lines: ${fold.dataset.what}`, "fold-button");
      fold.id = `fold-${(made += 1)}`;
      opener.setAttribute("aria-controls", fold.id);
      opener.style.cssText = fold.querySelector(".line").style.cssText;
      fold.before(opener);
      setFold(opener, false);
      return opener;
    });
    const all = button("", "listing-tool");
    const say = () => {
      all.textContent = openers.every(isOpen) ? "Fold again" : "Show all lines";
    };
    all.addEventListener("click", () => {
      const open = !openers.every(isOpen);
      openers.forEach((opener) => setFold(opener, open));
      say();
    });
    openers.forEach((opener) =>
      opener.addEventListener("click", () => {
        setFold(opener, !isOpen(opener));
        say();
      })
    );
    say();
    tools(listing).append(all);
  }

  window.listingTools = tools;

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll(".three-ways, .one-way").forEach(foldListing);
  });
})();
