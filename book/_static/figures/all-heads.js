/* Where all heads of a model look: one small picture a head to choose from, and the chosen one large. */
"use strict";

(function (Figures) {
  const { node, svg, choice } = Figures;
  const SIDE = 330; // of the chosen head's square
  const MARGIN = 64; // for the tokens beside it

  /** Weights come as whole numbers of two digits, row by row: "0099" is 0 and 0.99. */
  function weightsOf(text, count) {
    const all = Array.from({ length: text.length / 2 }, (_, i) => Number(text.slice(2 * i, 2 * i + 2)));
    return Array.from({ length: count }, (_, query) => all.slice(query * count, (query + 1) * count));
  }

  /** The keys that a query looks at most, with their weights, the largest first. */
  function mostLookedAt(row, tokens, count = 3) {
    const order = row.map((weight, key) => [weight, key]).sort((one, other) => other[0] - one[0] || one[1] - other[1]);
    return order
      .slice(0, count)
      .filter(([weight]) => weight > 0)
      .map(([weight, key]) => [tokens[key], key, weight]);
  }

  /** A weight in words; what is rounded to 0.99 or 1 has the same two digits. */
  const written = (weight) => (weight === 99 ? "nearly 1" : `0.${String(weight).padStart(2, "0")}`);

  /** Where an arrow key leads in a grid of layers and heads, or null. */
  function neighbour(layer, head, key, layers, heads) {
    const [down, right] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[key] || [
      0, 0,
    ];
    const [there, beside] = [layer + down, head + right];
    const inside = there >= 0 && there < layers && beside >= 0 && beside < heads;
    return inside && (down || right) ? { layer: there, head: beside } : null;
  }

  function cells(weights, side) {
    const unit = side / weights.length;
    return weights
      .flatMap((row, query) =>
        row.map((weight, key) => {
          if (!weight) return "";
          const place = { x: key * unit, y: query * unit, width: unit, height: unit };
          return svg("rect", {
            ...place,
            fill: "var(--figure-accent)",
            "fill-opacity": (0.08 + (0.92 * weight) / 99).toFixed(2),
          });
        }),
      )
      .filter(Boolean);
  }

  function small(weights, name, chosen) {
    const picture = svg(
      "svg",
      { viewBox: "0 0 40 40", "aria-hidden": "true", style: "width: 100%" },
      ...cells(weights, 40),
    );
    const style = "padding: 1px; line-height: 0; min-width: 0";
    return node(
      "button",
      { type: "button", style, title: name, "aria-label": name, "aria-pressed": "false", onclick: chosen },
      picture,
    );
  }

  function word(at, text) {
    return svg("text", { "font-size": 13, "dominant-baseline": "central", ...at }, text);
  }

  /** The chosen head: a row for each token that looks, which may be hovered, touched or reached with the arrow keys. */
  function large(weights, tokens, looked) {
    const unit = SIDE / tokens.length;
    const middle = (i) => (i + 0.5) * unit;
    const columns = tokens.map((token, key) => word({ transform: `translate(${middle(key)} -6) rotate(-60)` }, token));
    const rows = tokens.map((token, query) => word({ x: -6, y: middle(query), "text-anchor": "end" }, token));
    const frame = svg("rect", {
      width: SIDE,
      height: unit,
      fill: "none",
      stroke: "var(--figure-ink)",
      "stroke-width": 2,
    });
    const outer = svg("rect", { width: SIDE, height: SIDE, fill: "none", stroke: "var(--figure-muted)" });
    const board = svg(
      "g",
      { transform: `translate(${MARGIN} ${MARGIN})` },
      ...columns,
      ...rows,
      ...cells(weights, SIDE),
      outer,
      frame,
    );
    const ground = svg("rect", { x: -MARGIN, width: SIDE + MARGIN, height: SIDE, fill: "transparent" });
    board.append(ground);
    function look(query) {
      frame.setAttribute("y", query * unit);
      rows.forEach((text, i) => text.setAttribute("font-weight", i === query ? 700 : 400));
      looked(query);
    }
    const under = (event) => {
      const place = ground.getBoundingClientRect();
      look(
        Math.min(
          Math.max(Math.floor(((event.clientY - place.top) / place.height) * tokens.length), 0),
          tokens.length - 1,
        ),
      );
    };
    ground.addEventListener("pointermove", under);
    ground.addEventListener("pointerdown", under);
    return { board, look };
  }

  function build(box, { sentences }) {
    const state = { sentence: 0, layer: 2, head: 9, query: 2 };
    const [width, height] = [MARGIN + SIDE + 12, MARGIN + SIDE + 2];
    const drawing = svg("svg", {
      viewBox: `0 0 ${width} ${height}`,
      role: "img",
      style: "max-width: 32rem; margin: 0 auto",
    });
    const grid = node("div", {
      role: "group",
      "aria-label": "All heads, a row for each layer",
      style: "display: grid; gap: 2px; margin: 0.5rem 0",
    });
    const query = node("div");
    const told = node("p", { "aria-live": "polite", style: "min-height: 3rem" });
    let buttons = [];

    function tell(at) {
      const { tokens } = sentences[state.sentence];
      state.query = at;
      const most = mostLookedAt(weightsNow()[at], tokens).map(
        ([token, key, weight]) => `${token} (${key + 1}) with ${written(weight)}`,
      );
      const head = `Layer ${state.layer}, head ${state.head}`;
      told.textContent = `${head}: ${tokens[at]} (${at + 1}) looks at ${most.join(", ")}.`;
    }

    function weightsNow() {
      const { tokens, heads } = sentences[state.sentence];
      return weightsOf(heads[state.layer][state.head], tokens.length);
    }

    function showHead() {
      const { tokens } = sentences[state.sentence];
      const { board, look } = large(weightsNow(), tokens, tell);
      drawing.replaceChildren(board);
      drawing.setAttribute(
        "aria-label",
        `Layer ${state.layer}, head ${state.head}: a row for each token that looks, a column for each looked at.`,
      );
      buttons.forEach(([layer, head, button]) => {
        const chosen = layer === state.layer && head === state.head;
        button.setAttribute("aria-pressed", chosen);
        button.tabIndex = chosen ? 0 : -1; // one stop for the tabulator; the arrow keys do the rest
      });
      const options = tokens.map((token, i) => [String(i), `${i + 1}: ${token}`]);
      const value = String(Math.min(state.query, tokens.length - 1));
      query.replaceChildren(
        choice({ label: "Token that looks", options, value, chosen: (number) => look(Number(number)) }),
      );
    }

    function showSentence() {
      const { tokens, heads } = sentences[state.sentence];
      buttons = heads.flatMap((row, layer) =>
        row.map((text, head) => {
          const chosen = () => {
            Object.assign(state, { layer, head });
            showHead();
          };
          return [layer, head, small(weightsOf(text, tokens.length), `layer ${layer}, head ${head}`, chosen)];
        }),
      );
      grid.style.gridTemplateColumns = `repeat(${heads[0].length}, minmax(0, 1fr))`;
      grid.replaceChildren(...buttons.map(([, , button]) => button));
      showHead();
    }

    grid.addEventListener("keydown", (event) => {
      const { heads } = sentences[state.sentence];
      const next = neighbour(state.layer, state.head, event.key, heads.length, heads[0].length);
      if (!next) return;
      event.preventDefault();
      Object.assign(state, next);
      showHead();
      buttons.find(([layer, head]) => layer === next.layer && head === next.head)[2].focus();
    });
    const options = sentences.map(({ text }, number) => [String(number), text]);
    const list = choice({
      label: "Sentence",
      options,
      chosen(number) {
        state.sentence = Number(number);
        showSentence();
      },
    });
    list.style.display = "block";
    box.append(list, grid, drawing, query, told);
  }

  Figures.define("all-heads", build, { weightsOf, mostLookedAt, neighbour, written });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
