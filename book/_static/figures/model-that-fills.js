/* The small ModernBERT in the page: answers for [MASK], what its heads look at, and known faults to switch on. The data are a
   sentence, the faults with their stories, and the gate in noise floors. */
(function (Figures) {
  "use strict";
  const { node, svg } = Figures;
  const MOST = 1e7; // the meter's end, in noise floors
  const LAYERS = [0, 1, 2, 3];

  /** Where a ratio stands on the meter, from 0 to 1: its logarithm, from a tenth of a floor on. */
  function onMeter(ratio) {
    const share = (Math.log10(ratio) + 1) / (Math.log10(MOST) + 1);
    return Math.min(1, Math.max(0, share));
  }

  /** A ratio as one reads it: 0.96, 52, 1,067,000. */
  function floors(ratio) {
    if (ratio < 10) return ratio.toFixed(2);
    const digits = Math.max(0, Math.floor(Math.log10(ratio)) - 3);
    return (Math.round(ratio / 10 ** digits) * 10 ** digits).toLocaleString("en");
  }

  /** A piece as one reads it: byte-level vocabularies write the space before a word as Ġ. */
  function spelled(piece) {
    return piece.replace(/^Ġ/, "");
  }

  /** The weights from one token, head by head. */
  function fromToken({ shape: [heads, tokens], numbers }, token) {
    return Array.from({ length: heads }, (_, head) => {
      const start = (head * tokens + token) * tokens;
      return numbers.slice(start, start + tokens);
    });
  }

  const percent = (share) => `${(100 * share).toFixed(1)} %`;

  /** The answers for each mask, with what the model without a fault gives for the same word if it is among its best. */
  function answersShown(answers, soundAnswers) {
    if (!answers.length) return node("p", {}, "There is no [MASK] in the sentence.");
    const table = (rows, number) => {
      const sound = new Map(soundAnswers[number].map(({ token, probability }) => [token, probability]));
      const line = ({ token, probability }) => {
        const bar = node("span", { class: "figure-bar" });
        bar.style.width = percent(probability).replace(" ", "");
        const cells = [token, percent(probability), sound.has(token) ? percent(sound.get(token)) : "–"];
        return node("tr", {}, cells.map((cell) => node("td", {}, cell)), node("td", { class: "figure-bars" }, bar));
      };
      const names = ["answer", "share", "without faults", ""].map((name) => node("th", { scope: "col" }, name));
      return node("table", { class: "figure-answers" }, node("thead", {}, node("tr", {}, names)), node("tbody", {}, rows.map(line)));
    };
    return node("div", {}, ...answers.map(table));
  }

  function meter(ratio, gate) {
    const at = (value) => 10 + 400 * onMeter(value);
    const passes = ratio <= gate;
    const color = passes ? "var(--port-rust)" : "var(--figure-bad)";
    const said = `${floors(ratio)} noise floors from the truth: ${passes ? "within" : "outside"} the gate of ${gate}`;
    const picture = svg("svg", { viewBox: "0 0 420 62", role: "img", "aria-label": said });
    picture.append(svg("rect", { x: 10, y: 22, width: 400, height: 12, fill: "var(--figure-faint)" }));
    picture.append(svg("rect", { x: 10, y: 22, width: at(ratio) - 10, height: 12, fill: color }));
    picture.append(svg("line", { x1: at(gate), x2: at(gate), y1: 16, y2: 40, stroke: "var(--figure-ink)", "stroke-width": 2 }));
    picture.append(svg("text", { x: at(gate), y: 12, "font-size": 12, "text-anchor": "middle" }, "gate"));
    for (const value of [1, 1e2, 1e4, 1e6]) {
      picture.append(svg("text", { x: at(value), y: 54, "font-size": 12, "text-anchor": "middle" }, value.toLocaleString("en")));
    }
    return node("div", {}, node("p", {}, node("output", {}, said)), picture);
  }

  /** The tokens as buttons; under hover or focus one of them shows at what its heads look. */
  function attentionShown({ tokens, kind, weights }) {
    const cells = node("div", { class: "figure-heads", "aria-live": "polite" });
    const look = (token) => {
      const rows = fromToken(weights, token).map((row, head) => {
        const most = Math.max(...row);
        const shares = row.map((share, i) => {
          const cell = node("span", { class: "figure-token", title: percent(share) }, spelled(tokens[i]));
          cell.style.backgroundColor = `color-mix(in srgb, var(--figure-accent) ${Math.round((60 * share) / most)}%, transparent)`;
          if (share === most) cell.append(node("small", {}, ` ${percent(share)}`));
          return cell;
        });
        return node("div", {}, node("strong", {}, `head ${head + 1} `), ...shares);
      });
      cells.replaceChildren(node("p", {}, `“${spelled(tokens[token])}” looks at (${kind.replace("_", " ")}):`), ...rows);
    };
    const buttons = tokens.map((token, i) => {
      const looks = { onmouseenter: () => look(i), onfocus: () => look(i), onclick: () => look(i) };
      return node("button", { type: "button", class: "figure-token", ...looks }, spelled(token));
    });
    look(Math.max(0, tokens.indexOf("[MASK]")));
    const hint = node("p", { style: "margin: 0.25rem 0" }, "Press a token to see what its heads look at:");
    return node("div", {}, hint, node("div", { role: "group", "aria-label": "tokens" }, ...buttons), cells);
  }

  function live(box, ask, data) {
    const state = { text: data.text, visible: null, layer: 0, faults: [] };
    const places = Object.fromEntries(["answers", "meter", "attention"].map((name) => [name, node("div", {})]));
    const problem = node("p", { role: "alert" });
    let asked = 0;
    let seeded = null; // the faults of the model that is loaded: another text needs no other model

    async function show() {
      const number = ++asked;
      const late = () => number !== asked; // something was changed meanwhile
      try {
        const { text, visible, layer, faults } = state;
        if (faults !== seeded) {
          seeded = faults;
          await ask({ do: "load", name: "shown", folder: "small", task: "fill", faults });
        }
        const filled = await ask({ do: "fill", name: "shown", text, visible });
        const sound = await ask({ do: "fill", name: "sound", text, visible, top: 50 });
        const measured = await ask({ do: "measure", name: "shown", sound: "sound", truth: "truth", text });
        const attention = await ask({ do: "attention", name: "shown", text, layer });
        if (late()) return;
        problem.textContent = "";
        places.answers.replaceChildren(answersShown(filled.answers, sound.answers));
        places.meter.replaceChildren(meter(measured.ratio, data.gate));
        places.attention.replaceChildren(attentionShown(attention));
      } catch (error) {
        if (!late()) problem.textContent = error.message;
      }
    }

    let waiting;
    const soon = (changes) => {
      Object.assign(state, changes);
      clearTimeout(waiting);
      waiting = setTimeout(show, 200);
    };
    // A line would hide most of the sentence on a phone; a break in it is a space to the model.
    const input = node("textarea", { rows: 3, spellcheck: false, oninput: () => soon({ text: input.value.replace(/\n/g, " ") }) });
    input.value = data.text;
    const all = 24;
    const neighbours = Figures.slider({
      label: "Neighbours that are seen on either side of [MASK]", min: 0, max: all, value: all,
      shown: (count) => (count === all ? "all" : String(count)),
      moved: (count) => soon({ visible: count === all ? null : count }),
    });
    const layers = LAYERS.map((layer) => [String(layer), `layer ${layer}`]);
    const layer = Figures.choice({ label: "Attention in", options: layers, chosen: (value) => soon({ layer: Number(value) }) });
    const faults = data.faults.map(({ name, story }) =>
      Figures.tick({
        label: story,
        ticked: (on) => soon({ faults: state.faults.filter((other) => other !== name).concat(on ? [name] : []) }),
      }),
    );
    box.append(
      // The answers and the meter together: a fault is to be seen in the one and not in the other.
      node("label", {}, "A sentence with [MASK]", input), places.answers, places.meter, problem,
      node("fieldset", { class: "figure-faults" }, node("legend", {}, "Faults to switch on"), ...faults),
      neighbours, layer, places.attention,
    );
    return show();
  }

  async function build(box, data) {
    const loaded = async (ask) => {
      const example = data ?? (await Figures.models().then((models) => models.about())).examples["model-that-fills"];
      for (const [name, dtype] of [["sound", "float32"], ["truth", "float64"]]) {
        await ask({ do: "load", name, folder: "small", task: "fill", dtype });
      }
      await live(box, ask, example);
      box.closest("[data-figure]").classList.add("is-live");
    };
    box.append(Figures.modelButton("small", "Run the small ModernBERT in this page", loaded));
  }

  Figures.define("model-that-fills", build, { floors, fromToken, onMeter, spelled });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
