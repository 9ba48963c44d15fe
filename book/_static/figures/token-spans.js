/* Labels of tokens and the spans that come out: the reader changes labels, and who decides. */
(function (Figures) {
  "use strict";
  const TINY = 2.2e-308; // what the package puts in the place of a probability of nothing
  const SURE = 0.9; // the probability of a label that the reader gave

  const best = (row) => row.indexOf(Math.max(...row));
  const partOf = (label) => (label === "O" ? ["O", null] : [label[0], label.slice(2)]);

  /** Tokens, or the words that they are pieces of: {start, end, row} each. */
  function units(tokens, aggregation) {
    if (aggregation === "simple" || aggregation === "legal") return tokens;
    const groups = [];
    for (const token of tokens) {
      const last = groups.at(-1);
      if (last && last[0].word === token.word) last.push(token);
      else groups.push([token]);
    }
    const decide = {
      first: (rows) => rows[0],
      average: (rows) => rows[0].map((_, label) => rows.reduce((sum, row) => sum + row[label], 0) / rows.length),
      max: (rows) => rows.reduce((a, b) => (Math.max(...b) > Math.max(...a) ? b : a)),
    }[aggregation];
    return groups.map((group) => ({
      start: group[0].start,
      end: group.at(-1).end,
      row: decide(group.map((token) => token.row)),
    }));
  }

  function mayFollow(before, label) {
    const [part, kind] = partOf(label);
    return part !== "I" || (before !== null && partOf(before)[1] === kind);
  }

  /** The best sequence without a step that is not legal (Viterbi). */
  function bestPath(rows, labels) {
    const score = (value) => Math.log(Math.max(value, TINY));
    const steps = labels.map((before) => labels.map((label) => mayFollow(before, label)));
    let reached = rows[0].map((value, i) => (mayFollow(null, labels[i]) ? score(value) : -Infinity));
    const cameFrom = rows.slice(1).map((row) => {
      const from = labels.map((_, b) => best(reached.map((value, a) => (steps[a][b] ? value : -Infinity))));
      reached = row.map((value, b) => reached[from[b]] + score(value));
      return from;
    });
    const path = [best(reached)];
    for (const from of cameFrom.reverse()) path.unshift(from[path[0]]);
    return path;
  }

  /** The spans, [start, end, kind]: an I- goes on with a span of its kind, and begins one if there is none. */
  function spans(tokens, labels, aggregation) {
    const all = units(tokens, aggregation);
    const rows = all.map((unit) => unit.row);
    const found = [];
    let open = null;
    (aggregation === "legal" ? bestPath(rows, labels) : rows.map(best)).forEach((label, i) => {
      const [part, kind] = partOf(labels[label]);
      if (part === "I" && kind === open) found.at(-1)[1] = all[i].end;
      else if (kind !== null) found.push([all[i].start, all[i].end, kind]);
      open = kind;
    });
    return found;
  }

  /** A row in which the reader's label is nearly sure. */
  const given = (label, count) =>
    Array.from({ length: count }, (_, i) => (i === label ? SURE : (1 - SURE) / (count - 1)));

  function build(box, data) {
    const { node, choice } = Figures;
    const short = (label) => label.replace("PARAMETER", "PAR");
    let text = data.texts[0];
    let tokens = [];
    let aggregation = "simple";
    const row = node("div", { style: "display:flex;flex-wrap:wrap;gap:0.35rem 0;margin:0.75rem 0" });
    const marked = node("p", { style: "font-family:monospace;line-height:2.2;overflow-wrap:anywhere" });
    const words = node("p", { "aria-live": "polite" });

    function restart() {
      tokens = text.tokens.map(([start, end, word, probabilities]) => ({ start, end, word, row: probabilities }));
      row.replaceChildren(...tokens.map(button));
      told();
    }

    function button(token, n) {
      const piece = text.text.slice(token.start, token.end);
      const name = node("span", { style: "display:block;font:0.75rem sans-serif" });
      // The pieces of one word stand together: their boxes touch.
      const apart = n > 0 && tokens[n - 1].word === token.word ? "margin-left:-1px" : "margin-left:0.3rem";
      const made = node(
        "button",
        { type: "button", onclick: change, style: `${apart};min-width:1.6rem;padding:0.15rem 0.35rem` },
        node("span", { style: "font-family:monospace" }, piece),
        " ", // for those who hear it: the piece and its label are two words
        name,
      );
      function change() {
        token.row = given((best(token.row) + 1) % data.labels.length, data.labels.length);
        token.own = true;
        shown();
        told();
      }
      function shown() {
        const label = data.labels[best(token.row)];
        name.textContent = short(label) + (token.own ? "*" : "");
        name.style.fontWeight = label === "O" ? "400" : "700";
        name.style.color = label === "O" ? "var(--figure-muted)" : "var(--figure-accent)";
        made.title = `${label}; press for the next label`;
      }
      shown();
      return made;
    }

    function told() {
      if (!tokens.length) return;
      const found = spans(tokens, data.labels, aggregation);
      const parts = [];
      let place = 0;
      for (const [start, end, kind] of found) {
        const line = `border-bottom:3px ${kind === "TYPE" ? "double" : "solid"} var(--figure-accent);padding-bottom:2px`;
        const note = node(
          "sub",
          { style: "font:0.75rem sans-serif;color:var(--figure-accent);margin:0 0.3em" },
          ` ${short(kind)}`,
        );
        parts.push(text.text.slice(place, start), node("span", { style: line }, text.text.slice(start, end)), note);
        place = end;
      }
      marked.replaceChildren(...parts, text.text.slice(place));
      const list = found.map(([start, end, kind]) => `${text.text.slice(start, end)} (${kind})`).join("; ");
      words.replaceChildren(
        `${found.length} ${found.length === 1 ? "span" : "spans"}: `,
        node("strong", {}, list || "none"),
      );
    }

    const texts = data.texts.map((each, i) => [String(i), each.text]);
    const deciders = [
      ["simple", "each token"],
      ["legal", "the best legal sequence"],
      ["first", "a word's first token"],
      ["average", "the mean of a word's tokens"],
      ["max", "a word's surest token"],
    ];
    box.append(choice({ label: "Text", options: texts, chosen: (i) => ((text = data.texts[Number(i)]), restart()) }));
    box.append(choice({ label: "Who decides", options: deciders, chosen: (value) => ((aggregation = value), told()) }));
    const hint = node(
      "p",
      { style: "margin:0.75rem 0 0" },
      "Press a token for its next label; an asterisk marks what you changed.",
    );
    const back = node(
      "button",
      { type: "button", onclick: restart, style: "margin:0.25rem 0" },
      "Back to the model's labels",
    );
    box.append(hint, row, back, marked, words);
    for (const label of box.querySelectorAll("label")) {
      label.style.marginRight = 0;
      label.style.maxWidth = label.querySelector("select").style.maxWidth = "100%";
    }
  }

  Figures.define("token-spans", build, { spans, bestPath, given });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
