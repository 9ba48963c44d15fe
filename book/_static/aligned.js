/* What differs between the three ports of a listing: their statements, aligned, with the words that differ marked.
   The first part computes on plain text alone, and the tests run it in Node; the second shows it in a page. */
"use strict";

const aligned = (() => {
  /* Say nothing about what is computed: what every line of one language has and no line of another. */
  const SILENT = new Set(
    ("let mut return self Self Ok torch mx F nn candle_nn ops pub class struct Module super " +
      "forward new __init__ __call__").split(" ")
  );
  const SAME_NAME = { __call__: "forward", encode: "forward", __init__: "new", build: "new" };
  const STEP = /^\s*(?:#|\/\/) \((\d)\) (.+)$/;
  const COMMENT = /^\/\/ (?!\d)/; // and no division of Python's, by a number
  const SIGNATURE = /^\s*(?:pub(?:\([^)]*\))? )?(?:def|fn) (\w+)/;
  const TYPE = /^\s*(?:pub(?:\([^)]*\))? )?(?:class|struct|enum) (\w+)/;
  const GOES_ON = /^\s*(?:\.|[\s)\]}>;,?]*$)/;
  const TOKEN = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[A-Za-z_]\w*|\d[\d_.]*(?:e[-+]?\d+)?|\*\*|[-=]>|[=!<>]=|[-+*/%@<>=!|~^]|\s+|./g;
  const SURE = 5; // what a match of names or numbers counts for; one of words counts for less than 1
  const ALIKE = 0.3;

  /* A line without the comment at its end; a sign inside of a string begins none. */
  function withoutComment(line) {
    let quote = "";
    for (let at = 0; at < line.length; at += 1) {
      if (quote) {
        if (line[at] === "\\") at += 1;
        else if (line[at] === quote) quote = "";
      } else if (line[at] === '"') {
        quote = line[at];
      } else if ((line[at] === "#" && line[at + 1] === " ") || COMMENT.test(line.slice(at))) {
        return line.slice(0, at);
      }
    }
    return line;
  }

  /* The words of a statement that may differ, each with its place in the text. */
  function words(text) {
    const found = [];
    for (const match of text.matchAll(TOKEN)) {
      const word = match[0];
      const counts = /^[A-Za-z_\d"']/.test(word) ? !SILENT.has(word) : /^[-+*/%@<>=!|~^]+$/.test(word) && word !== "=" && word !== "->";
      if (counts) found.push({ word, at: match.index });
    }
    return found;
  }

  const depth = (text) => {
    const bare = text.replace(/"(?:[^"\\]|\\.)*"/g, "");
    return (bare.match(/[([]/g) || []).length - (bare.match(/[)\]]/g) || []).length;
  };

  /* `forward(hidden, tables)` of a signature with its types. */
  function signature(text) {
    const name = SIGNATURE.exec(text)[1];
    const from = text.indexOf("(", text.indexOf(name)) + 1;
    let level = 0;
    const parts = [""];
    for (let at = from; at < text.length && level >= 0; at += 1) {
      const sign = text[at];
      if ("([{<".includes(sign)) level += 1;
      if (")]}>".includes(sign) && text[at - 1] !== "-") level -= 1;
      if (level < 0) break;
      if (sign === "," && level === 0) parts.push("");
      else parts[parts.length - 1] += sign;
    }
    const names = parts.map((part) => part.split(/[:=]/)[0].replace(/&|mut /g, "").trim());
    return `${name}(${names.filter((part) => part && part !== "self").join(", ")})`;
  }

  /* The statements of a port's lines, without what documents them. */
  function statements(lines) {
    const found = [];
    let open = null; // a statement whose brackets are
    let level = 0;
    let quoted = false;
    for (const line of lines) {
      const quotes = (line.match(/"""/g) || []).length;
      if (quoted || (!open && /^\s*"""/.test(line))) {
        if (quotes % 2) quoted = !quoted;
        continue;
      }
      if (!line.trim() || /^\s*(\/\/\/|#\[|#!\[|@|impl\b)/.test(line)) continue;
      const step = STEP.exec(line);
      if (step) {
        found.push({ kind: "step", name: step[1], text: step[2] });
        continue;
      }
      const code = withoutComment(line);
      if (!code.trim()) continue;
      if (/^\s*\}$/.test(code) && !open) continue;
      const last = found[found.length - 1];
      if (last && last.kind !== "step" && (open || GOES_ON.test(code) || last.text.endsWith(" ="))) {
        last.text += `\n${code.trimEnd()}`;
        level += depth(code);
      } else {
        const named = SIGNATURE.exec(code) || TYPE.exec(code);
        const kind = SIGNATURE.test(code) ? "signature" : named ? "type" : "code";
        const name = named ? SAME_NAME[named[1]] || named[1] : "";
        found.push({ kind, name, text: code.trimEnd() });
        level = depth(code);
      }
      if (level < 0 || /\{\s*$/.test(code)) level = 0;
      open = level > 0;
    }
    for (const statement of found) {
      if (statement.kind === "signature") statement.text = signature(statement.text);
      statement.words = statement.kind === "step" ? [] : words(statement.text);
    }
    return found;
  }

  /* The share of words that two statements have in common; of signatures and steps whether they are the same. */
  function likeness(one, other) {
    if (one.kind !== other.kind) return 0;
    if (one.kind !== "code") return one.name === other.name ? SURE : 0;
    const left = new Map();
    for (const { word } of one.words) left.set(word, (left.get(word) || 0) + 1);
    let common = 0;
    for (const { word } of other.words) {
      if (left.get(word)) {
        common += 1;
        left.set(word, left.get(word) - 1);
      }
    }
    const share = (2 * common) / Math.max(1, one.words.length + other.words.length);
    return share >= ALIKE ? share : 0;
  }

  /* Pairs of places, null where there is none: the longest common subsequence, weighted by likeness. */
  function align(many, others, alike) {
    const best = Array.from({ length: many.length + 1 }, () => new Array(others.length + 1).fill(0));
    const scores = many.map((one) => others.map((other) => alike(one, other)));
    for (let i = many.length - 1; i >= 0; i -= 1)
      for (let j = others.length - 1; j >= 0; j -= 1)
        best[i][j] = Math.max(
          best[i + 1][j],
          best[i][j + 1],
          scores[i][j] ? scores[i][j] + best[i + 1][j + 1] : 0
        );
    const pairs = [];
    let [i, j] = [0, 0];
    while (i < many.length || j < others.length) {
      const both = i < many.length && j < others.length;
      if (both && scores[i][j] && best[i][j] === scores[i][j] + best[i + 1][j + 1]) pairs.push([i++, j++]);
      else if (j === others.length || (both && best[i][j] === best[i + 1][j])) pairs.push([i++, null]);
      else pairs.push([null, j++]);
    }
    return pairs;
  }

  /* Rows of three statements, null where a port has none; a word is marked that none of the others has. */
  function rows(ports) {
    const [first, second, third] = ports.map(statements);
    const two = align(first, second, likeness).map(([i, j]) => [
      i === null ? null : first[i],
      j === null ? null : second[j],
    ]);
    const toEither = (row, other) => Math.max(...row.map((one) => (one ? likeness(one, other) : 0)));
    const all = align(two, third, toEither).map(([i, j]) => [
      ...(i === null ? [null, null] : two[i]),
      j === null ? null : third[j],
    ]);
    return together(all).map((row) => row.map((statement) => statement && marked(statement, row)));
  }

  /* What one port says in one statement another may say in three: a row of those that are left without a partner joins
     the one above, where that has nothing of these ports, or nothing but them. */
  function together(all) {
    const joined = [];
    let own = []; // the ports of the row that others join
    for (const row of all) {
      const ports = row.flatMap((statement, port) => (statement ? [port] : []));
      const above = joined[joined.length - 1];
      const code = (one) => one.every((statement) => !statement || statement.kind === "code");
      const alone = ports.length === 1 && own.length === 1 && ports[0] === own[0];
      if (above && code(row) && code(above) && (alone || !ports.some((port) => own.includes(port)))) {
        for (const port of ports) above[port] = above[port] ? both(above[port], row[port]) : row[port];
      } else {
        joined.push([...row]);
        own = ports;
      }
    }
    return joined;
  }

  function both(one, other) {
    const text = `${one.text}\n${other.text}`;
    return { kind: "code", name: "", text, words: words(text) };
  }

  function marked(statement, row) {
    const others = row.filter((other) => other && other !== statement);
    const known = new Set(others.flatMap((other) => other.words.map(({ word }) => word)));
    const differs = ({ word }) => others.length && !known.has(word);
    const parts = cut(statement, statement.words.filter(differs));
    return { kind: statement.kind, name: statement.name, text: statement.text, parts };
  }

  /* The text of a statement in parts, each with whether it differs. */
  function cut({ text }, different) {
    const parts = [];
    let from = 0;
    for (const { word, at } of different) {
      parts.push([text.slice(from, at), false], [word, true]);
      from = at + word.length;
    }
    parts.push([text.slice(from), false]);
    return parts.filter(([part]) => part);
  }

  return { withoutComment, words, signature, statements, likeness, align, together, rows };
})();

if (typeof module !== "undefined") module.exports = aligned;

if (typeof document !== "undefined") {
  const PORTS = ["torch", "mlx", "rust"];
  const NAMES = ["PyTorch", "MLX", "Rust"];

  const { element } = window.EncodersBook;

  /* The checks of one port are often none of another's, and so are a type's fields and a fast form. */
  const LEFT_OUT = '.fold:is([data-what="checks"], [data-what="fields"], [data-what="fast form"]) .line';
  const linesOf = (tab) =>
    [...tab.querySelectorAll(`pre .line:not(${LEFT_OUT})`)].map((line) => line.textContent.replace(/\n$/, ""));

  /* As far to the left as the statement begins, which is what its other lines are indented from. */
  function shown(statement) {
    const code = element("code");
    const margin = statement.text.length - statement.text.trimStart().length;
    let first = true;
    for (const [text, differs] of statement.parts) {
      const plain = text.replaceAll(`\n${" ".repeat(margin)}`, "\n");
      code.append(differs ? element("mark", "", plain) : first ? plain.trimStart() : plain);
      first = false;
    }
    return code;
  }

  function table(listing) {
    const tabs = [...listing.querySelectorAll(":scope > .sd-tab-content")];
    const grid = element("div", "aligned");
    grid.append(...NAMES.map((name, port) => {
      const head = element("div", "aligned-head", name);
      head.dataset.port = PORTS[port];
      return head;
    }));
    for (const row of aligned.rows(tabs.map(linesOf))) {
      const group = element("div", "aligned-row");
      const step = row.find((statement) => statement && statement.kind === "step");
      if (step) {
        group.classList.add("aligned-step");
        group.append(element("span", "aligned-number", step.name), ` ${step.text}`);
      } else {
        row.forEach((statement, port) => {
          const cell = element("div", "aligned-cell");
          cell.dataset.port = PORTS[port];
          cell.dataset.name = NAMES[port];
          if (statement) {
            cell.classList.add(`aligned-${statement.kind}`);
            cell.append(shown(statement));
          } else {
            cell.classList.add("aligned-none");
          }
          group.append(cell);
        });
      }
      grid.append(group);
    }
    return grid;
  }

  let made = 0;
  function dialog(listing) {
    const box = element("dialog", "aligned-dialog");
    const title = element("h2", "", "What differs");
    title.id = `aligned-${(made += 1)}`;
    box.setAttribute("aria-labelledby", title.id);
    const close = element("button", "listing-tool", "Close");
    close.type = "button";
    close.addEventListener("click", () => box.close());
    box.addEventListener("click", (event) => {
      if (event.target === box) box.close();
    });
    const head = element("div", "aligned-title");
    head.append(title, close);
    const hint = element(
      "p",
      "aligned-hint",
      "Statement by statement, without folded checks and fields. A word is marked where no other port has it."
    );
    box.append(head, hint, table(listing));
    document.body.append(box);
    return box;
  }

  document.addEventListener("DOMContentLoaded", () => {
    for (const listing of document.querySelectorAll(".three-ways")) {
      const ports = [...listing.querySelectorAll(":scope > label")].map((label) => label.dataset.syncId);
      if (String(ports) !== String(PORTS)) continue;
      let box = null;
      const opener = element("button", "listing-tool", "What differs");
      opener.type = "button";
      opener.setAttribute("aria-haspopup", "dialog");
      opener.addEventListener("click", () => {
        box = box || dialog(listing);
        box.showModal();
      });
      window.listingTools(listing).prepend(opener);
    }
  });
}
