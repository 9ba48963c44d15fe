/* What figures to move have in common. Each is a file in figures/ that says Figures.define(name, build, parts): build(box, data)
   fills the box with what is drawn from the data that the chapter computed; parts are functions without a page, for the tests.
   A page loads only the files of its own figures. */
"use strict";

const Figures = (function () {
  const SVG = "http://www.w3.org/2000/svg";
  const all = {};

  function define(name, build, parts = {}) {
    all[name] = { build, parts };
  }

  /** An element with attributes and content: node("p", {class: "a"}, "text", child). `on…` attributes are listeners. */
  function node(tag, attributes = {}, ...content) {
    return filled(document.createElement(tag), attributes, content);
  }

  /** The same for what is inside of <svg>, and for that itself. */
  function svg(tag, attributes = {}, ...content) {
    return filled(document.createElementNS(SVG, tag), attributes, content);
  }

  function filled(made, attributes, content) {
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
      else if (value === true) made.setAttribute(key, "");
      else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
    }
    made.append(...content.flat());
    return made;
  }

  /** A slider under its label, which shows the value as `shown` writes it. `moved(value)` is called at once, and at each move. */
  function slider({ label, min, max, step = 1, value, shown = String, moved }) {
    const output = node("output");
    const input = node("input", { type: "range", min, max, step, value, oninput: told });
    function told() {
      const number = Number(input.value);
      output.textContent = shown(number);
      input.setAttribute("aria-valuetext", shown(number));
      moved(number);
    }
    told();
    return node("label", { class: "figure-slider" }, node("span", {}, label, ": ", output), input);
  }

  /** A list to choose from: options are [value, text]. `chosen(value)` is called at once, and at each choice. */
  function choice({ label, options, value = options[0][0], chosen }) {
    const list = node("select", { onchange: () => chosen(list.value) });
    list.append(...options.map(([key, text]) => node("option", { value: key, selected: key === value }, text)));
    chosen(list.value);
    return node("label", { class: "figure-choice" }, label, ": ", list);
  }

  /** A box to tick. `ticked(on)` is called at once, and at each tick. */
  function tick({ label, value = false, ticked }) {
    const input = node("input", { type: "checkbox", checked: value, onchange: () => ticked(input.checked) });
    ticked(value);
    return node("label", { class: "figure-tick" }, input, " ", label);
  }

  /** Lets an element be moved by pointer and by the arrow keys: `moved([dx, dy])` is told steps in the units of the drawing. */
  function draggable(handle, drawing, step, moved) {
    const unit = () => drawing.viewBox.baseVal.width / drawing.getBoundingClientRect().width;
    handle.setAttribute("tabindex", "0");
    handle.classList.add("figure-handle");
    handle.addEventListener("pointerdown", (event) => {
      handle.setPointerCapture(event.pointerId);
      event.preventDefault();
      handle.focus();
    });
    handle.addEventListener("pointermove", (event) => {
      if (handle.hasPointerCapture(event.pointerId)) moved([event.movementX * unit(), event.movementY * unit()]);
    });
    const ways = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    handle.addEventListener("keydown", (event) => {
      if (!(event.key in ways)) return;
      event.preventDefault();
      moved(ways[event.key]);
    });
    return handle;
  }

  const base = typeof document === "undefined" ? "" : document.currentScript.src.replace(/[^/]*$/, "");

  let loader = null;

  /** What loads models into a page, itself loaded when it is first asked for. */
  function models() {
    loader ??= new Promise((done, failed) => {
      document.head.append(node("script", { src: `${base}model/page_models.js`, onload: () => done(PageModels), onerror: failed }));
    });
    return loader;
  }

  /** A button that loads a model, with its size and then a bar; `loaded(ask)` draws what answers. */
  function modelButton(name, title, loaded) {
    const button = node("button", { type: "button", onclick: load, disabled: true }, title);
    const bar = node("progress", { "aria-label": "loaded", hidden: true });
    const state = node("output", { "aria-live": "polite" });
    const place = node("p", { class: "figure-loader" }, button, " ", bar, " ", state);
    const megabytes = (bytes) => `${(bytes / 1e6).toFixed(0)}\u00a0MB`;
    models()
      .then(async (models) => {
        await models.about();
        button.textContent = `${title} (${megabytes(models.size(name))})`;
        button.disabled = false;
      })
      .catch(() => (state.textContent = "The model is not beside this page."));

    async function load() {
      button.disabled = true;
      bar.hidden = false;
      try {
        const ask = await (await models()).load(name, (done, all) => {
          bar.max = all;
          bar.value = done;
          state.textContent = done < all ? `${megabytes(done)} of ${megabytes(all)}` : "The model is starting …";
        });
        await loaded(ask);
        place.remove();
      } catch (problem) {
        state.textContent = `That did not work: ${problem.message}`;
        button.disabled = false;
        bar.hidden = true;
      }
    }
    return place;
  }

  /** A straight scale: scale([0, 10], [40, 340])(5) is 190. */
  function scale([low, high], [start, end]) {
    return (value) => start + ((value - low) / (high - low)) * (end - start);
  }

  /** The `d` of a path through points [x, y]. */
  function path(points) {
    return points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
  }

  /** Two axes with their ticks, which are numbers or [number, text], and names. `x` and `y` are scales, `box` is what they span. */
  function axes({ x, y, box: { left, right, top, bottom }, xTicks = [], yTicks = [], xName = "", yName = "" }) {
    const words = (at, text) => svg("text", { "font-size": 12, ...at }, text);
    const pair = (tick) => (Array.isArray(tick) ? tick : [tick, String(tick).replace("-", "−")]);
    return svg(
      "g",
      { "aria-hidden": "true" },
      svg("path", { d: path([[left, top], [left, bottom], [right, bottom]]), fill: "none", stroke: "var(--figure-muted)" }),
      xTicks.map(pair).map(([at, text]) => words({ x: x(at), y: bottom + 15, "text-anchor": "middle" }, text)),
      yTicks.map(pair).map(([at, text]) => words({ x: left - 5, y: y(at) + 4, "text-anchor": "end" }, text)),
      words({ x: (left + right) / 2, y: bottom + 31, "text-anchor": "middle" }, xName),
      words({ x: left - 5, y: top - 8 }, yName),
    );
  }

  /** A plane whose points can be moved. `x` and `y` are its ends, `unit` is the size of 1 in the drawing. Its axes are two
      features of a vector. `at` is where a point is drawn; movable(handle, name, point, moved) lets one be moved, by quarters with the
      keys, and tells where it is. */
  function plane({ x: [left, right], y: [bottom, top], unit, label }) {
    const at = ([x, y]) => [(x - left) * unit, (top - y) * unit];
    const drawing = svg("svg", { viewBox: `0 0 ${(right - left) * unit} ${(top - bottom) * unit}`, role: "group", "aria-label": label });
    const whole = (low, high) => Array.from({ length: Math.floor(high) - Math.ceil(low) + 1 }, (_, i) => Math.ceil(low) + i);
    const line = (ends, number) => svg("path", { d: path(ends.map(at)), stroke: `var(--figure-${number ? "faint" : "muted"})` });
    drawing.append(...whole(left, right).map((x) => line([[x, bottom], [x, top]], x)));
    drawing.append(...whole(bottom, top).map((y) => line([[left, y], [right, y]], y)));
    const axisName = ([x, y], more, words) => svg("text", { x, y, "font-size": 12, style: "fill: var(--figure-muted)", ...more }, words);
    drawing.append(axisName(at([right, 0]), { dx: -4, dy: -5, "text-anchor": "end" }, "feature 1"));
    drawing.append(axisName(at([0, top]), { dx: 6, dy: 13 }, "feature 2"));
    const within = (value, low, high) => Math.min(Math.max(value, low), high);

    function movable(handle, name, point, moved) {
      let place = point;
      function put() {
        handle.setAttribute("transform", `translate(${at(place).join(" ")})`);
        handle.setAttribute("aria-label", `${name}, at ${place.map((number) => number.toFixed(2)).join(" and ")}; arrow keys move it`);
      }
      draggable(handle, drawing, unit / 4, ([dx, dy]) => {
        place = [within(place[0] + dx / unit, left, right), within(place[1] - dy / unit, bottom, top)];
        put();
        moved(place);
      });
      handle.setAttribute("role", "button");
      put();
    }
    return { drawing, at, movable };
  }

  /** Brings every figure of the page to life; one that fails stays still. */
  function start() {
    for (const figure of document.querySelectorAll("[data-figure]")) {
      const { figure: name } = figure.dataset;
      if (!(name in all)) continue;
      const box = node("div", { class: "figure-live", role: "group", "aria-label": "A figure to move" });
      let made;
      try {
        made = all[name].build(box, JSON.parse(figure.querySelector('script[type="application/json"]')?.textContent ?? "null"));
      } catch (problem) {
        console.error(`figure ${name}:`, problem);
        continue;
      }
      figure.append(box);
      // One that is built later, when it has what it needs, says itself when its pictures may go.
      if (!(made instanceof Promise)) figure.classList.add("is-live");
    }
  }

  if (typeof document !== "undefined") document.addEventListener("DOMContentLoaded", start);
  return { all, define, node, svg, slider, choice, tick, draggable, modelButton, models, scale, path, axes, plane };
})();

if (typeof module !== "undefined") module.exports = Figures;
