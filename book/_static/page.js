/* What the scripts of a page share; it comes before all of them. */
"use strict";

window.EncodersBook = window.EncodersBook || {};

/** An element with its class and with what is in it: texts and other elements. */
window.EncodersBook.element = (name, className = "", ...children) => {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
};
