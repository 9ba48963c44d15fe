/* What a token can have heard of after each layer, by the layers' kinds and their window, and what the layers cost. */
"use strict";

(function (Figures) {
  const { svg, node, slider, tick, scale } = Figures;
  const ROW = 26;
  const count = (number) => number.toLocaleString("en");

  /** The first and the last token that `token` can have heard of, before any layer and after each. */
  function reach(tokens, token, window, kinds) {
    const found = [[token, token]];
    for (const kind of kinds) {
      const [first, last] = found.at(-1);
      const next = [Math.max(first - window, 0), Math.min(last + window, tokens - 1)];
      found.push(kind === "global" ? [0, tokens - 1] : next);
    }
    return found;
  }

  /** The scores of a layer for each head: all pairs, or the band less the two corners that stick out. */
  function scores(tokens, window, kind) {
    if (kind === "global") return tokens ** 2;
    const far = Math.min(window, tokens - 1);
    return tokens * (2 * far + 1) - far * (far + 1);
  }

  /** A row for the state after so many layers, from below; show(first, last, kind) fills it. */
  function row(number, rows, tokens) {
    const x = scale([0, tokens], [96, 352]);
    const y = (rows - 1 - number) * ROW + 4;
    const bar = (fill) => svg("rect", { y, height: ROW - 6, rx: 3, x: x(0), width: x(tokens) - x(0), fill });
    const heard = bar("var(--figure-accent)");
    const name = svg("text", { x: 0, y: y + 15, "font-size": 12.5 });
    function show([first, last], kind) {
      heard.setAttribute("x", x(first));
      heard.setAttribute("width", x(last + 1) - x(first));
      name.textContent = number ? `${number - 1} ${kind}` : "before";
      name.setAttribute("font-weight", kind === "global" ? 700 : 400);
    }
    return { drawn: svg("g", {}, bar("var(--figure-faint)"), heard, name), show };
  }

  function summary({ tokens, token, window, kinds }) {
    const [first, last] = reach(tokens, token, window, kinds).at(-1);
    const all = kinds.map((kind) => scores(tokens, window, kind)).reduce((sum, one) => sum + one);
    const share = (100 * all) / (kinds.length * tokens ** 2);
    return (
      `After ${kinds.length} layers, token ${token} can have heard of ${last - first + 1} of ${tokens} tokens. ` +
      `The layers compute ${count(all)} scores for each head, ${share.toFixed(0)} % of what global ones would.`
    );
  }

  function build(box, { tokens, token, window, kinds }) {
    const at = { tokens, token, window, kinds: [...kinds] };
    const rows = Array.from({ length: kinds.length + 1 }, (_, number) => row(number, kinds.length + 1, tokens));
    const height = rows.length * ROW + 22;
    const edge = (x, anchor, text) => svg("text", { x, y: height - 5, "font-size": 12.5, "text-anchor": anchor }, text);
    const label = "The layers from below: of which tokens one token can have heard before them, and after each";
    const drawing = svg("svg", { viewBox: `0 0 360 ${height}`, role: "img", "aria-label": label });
    const result = node("p", { "aria-live": "polite" });
    drawing.append(...rows.map((each) => each.drawn), edge(96, "start", "token 0"), edge(352, "end", tokens - 1));
    function draw(changed) {
      Object.assign(at, changed);
      const heard = reach(at.tokens, at.token, at.window, at.kinds);
      rows.forEach((each, number) => each.show(heard[number], at.kinds[number - 1]));
      result.textContent = summary(at);
    }
    const ticks = kinds.map((kind, number) =>
      tick({
        label: `${number}`,
        value: kind === "global",
        ticked: (on) => draw({ kinds: Object.assign([...at.kinds], { [number]: on ? "global" : "local" }) }),
      }),
    );
    box.append(
      slider({
        label: "window, tokens to either side",
        min: 1,
        max: tokens >> 1,
        value: window,
        moved: (value) => draw({ window: value }),
      }),
      slider({ label: "the token", min: 0, max: tokens - 1, value: token, moved: (value) => draw({ token: value }) }),
      node("div", { role: "group", "aria-label": "global layers" }, "global layers: ", ...ticks),
      drawing,
      result,
    );
  }

  Figures.define("reach", build, { reach, scores, summary });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
