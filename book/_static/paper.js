/* For paper everything is opened and light; afterwards all is as it was. A page that is asked for with ?print=all shows the
   listings of all ports. */
"use strict";

(function () {
  const page = document.documentElement;
  let before = null;

  function prepare() {
    if (before) return;
    const closed = [...document.querySelectorAll("article details:not([open])")];
    before = { closed, theme: page.dataset.theme };
    closed.forEach((details) => details.setAttribute("open", ""));
    page.dataset.theme = "light";
    for (const image of document.images) image.loading = "eager"; // those that nobody has scrolled to
  }

  function restore() {
    if (!before) return;
    before.closed.forEach((details) => details.removeAttribute("open"));
    page.dataset.theme = before.theme;
    before = null;
  }

  if (new URLSearchParams(location.search).get("print") === "all") page.dataset.print = "all";
  addEventListener("beforeprint", prepare);
  addEventListener("afterprint", restore);
})();
