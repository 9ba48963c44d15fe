/* A call of a framework in a listing shows its row of the dictionary: under the mouse, on a tap, and when it has the
   keyboard's focus. Of all calls of a listing one is a stop of the Tab key, and arrows lead from it to the others. */
"use strict";

(() => {
  const { element, rows = [], placeFor, view } = window.EncodersBook;
  const NAMES = ["PyTorch", "MLX", "candle"];
  const page = new URL("../book/dictionary.html", document.currentScript.src);
  const LEAVING = 250; // milliseconds in which the mouse may get from a call to its card
  let card = null;
  let shown = null; // the call that the card is about
  let leaving = 0;

  function filled(call) {
    const numbers = call.dataset.rows.split(" ").map(Number);
    const table = element("div", "call-rows");
    for (const number of numbers) {
      const row = rows[number];
      const columns = element("dl", "call-row");
      NAMES.forEach((name, place) => {
        const column = element("div");
        column.append(element("dt", "", name), element("dd"));
        column.lastChild.append(element("code", "", row[place]));
        columns.append(column);
      });
      table.append(columns);
    }
    const link = element("a", "", "In the dictionary");
    link.href = `${page.href}#${rows[numbers[0]][3]}`;
    return [table, link];
  }

  function show(call) {
    clearTimeout(leaving);
    if (shown === call) return;
    hide();
    if (!card) {
      card = element("div", "card-box call-card");
      card.id = "call-card";
      card.setAttribute("role", "dialog");
      card.addEventListener("mouseenter", () => clearTimeout(leaving));
      card.addEventListener("mouseleave", leave);
      card.addEventListener("keydown", fromCard);
      document.body.append(card);
    }
    shown = call;
    card.replaceChildren(...filled(call));
    card.setAttribute("aria-label", `${call.textContent} in three frameworks`);
    card.hidden = false;
    call.setAttribute("aria-expanded", "true");
    place(call);
  }

  /* Where the cards of links go; no wider than the listing. */
  function place(call) {
    const listing = call.closest(".three-ways, .one-way");
    card.style.maxWidth = `min(${listing.clientWidth}px, calc(100vw - 1.5rem))`;
    card.style.left = "0";
    const found = placeFor(call.getBoundingClientRect(), card.getBoundingClientRect(), view());
    card.style.left = `${found.left + scrollX}px`;
    card.style.top = `${found.top + scrollY}px`;
  }

  function hide() {
    clearTimeout(leaving);
    if (!shown) return;
    shown.setAttribute("aria-expanded", "false");
    shown = null;
    card.hidden = true;
  }

  function leave() {
    clearTimeout(leaving);
    leaving = setTimeout(() => {
      if (document.activeElement !== shown && !card.contains(document.activeElement)) hide();
    }, LEAVING);
  }

  function back() {
    const call = shown;
    if (call) call.focus();
  }

  function fromCard(event) {
    if (event.key !== "Escape" && event.key !== "Tab") return;
    event.preventDefault();
    back();
    if (event.key === "Escape") hide();
  }

  /* Those that can be seen: in the tab that is open, and not folded. */
  const visible = (listing) =>
    [...listing.querySelectorAll(".call")].filter((call) => call.getClientRects().length);

  function makeStop(call) {
    for (const other of call.closest("pre").querySelectorAll(".call")) other.tabIndex = other === call ? 0 : -1;
  }

  function fromCall(event) {
    const calls = visible(event.target.closest(".three-ways, .one-way"));
    const at = calls.indexOf(event.target);
    const to = {
      ArrowRight: at + 1,
      ArrowDown: at + 1,
      ArrowLeft: at - 1,
      ArrowUp: at - 1,
      Home: 0,
      End: calls.length - 1,
    }[event.key];
    if (event.key === "Escape") {
      hide();
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      show(event.target);
      card.querySelector("a").focus();
    } else if (calls[to]) {
      event.preventDefault();
      calls[to].focus();
    }
  }

  function prepare(call) {
    call.tabIndex = -1;
    call.setAttribute("role", "button");
    call.setAttribute("aria-haspopup", "dialog");
    call.setAttribute("aria-expanded", "false");
    call.addEventListener("mouseenter", () => show(call));
    call.addEventListener("mouseleave", leave);
    call.addEventListener("click", () => show(call));
    call.addEventListener("keydown", fromCall);
    call.addEventListener("focus", () => {
      makeStop(call);
      show(call);
    });
    call.addEventListener("blur", leave);
  }

  document.addEventListener("DOMContentLoaded", () => {
    if (!rows.length) return;
    document.querySelectorAll(".three-ways .call, .one-way .call").forEach(prepare);
    for (const block of document.querySelectorAll(".three-ways pre, .one-way pre")) {
      const first = block.querySelector(".call:not(.fold .call)") || block.querySelector(".call");
      if (first) makeStop(first);
    }
    document.addEventListener("click", (event) => {
      if (shown && !event.target.closest(".call, .call-card")) hide();
    });
  });
})();
