/* The pairs of a head as dials, and their score over the distance of query and key. */
"use strict";

(function (Figures) {
  const { svg, node, slider, choice, scale, path, axes } = Figures;
  const FAR = 30; // the largest distance to choose
  const signed = (number, digits = 0) => number.toFixed(digits).replace("-", "−");

  /** The cosine of each pair: how well query and key, equal before the turn, agree when they are so far apart. */
  function cosines(frequencies, distance) {
    return frequencies.map((frequency) => Math.cos(distance * frequency));
  }

  function score(frequencies, distance) {
    return cosines(frequencies, distance).reduce((sum, cosine) => sum + cosine, 0);
  }

  /** The sector between two arrows, the way from key to query, less full turns. SVG's y points down. */
  function sector(from, to, radius) {
    const turn = (to - from) % (2 * Math.PI);
    const point = (angle) => `${(radius * Math.cos(angle)).toFixed(2)} ${(-radius * Math.sin(angle)).toFixed(2)}`;
    const large = Math.abs(turn) > Math.PI ? 1 : 0;
    return `M0 0L${point(from)}A${radius} ${radius} 0 ${large} ${turn > 0 ? 0 : 1} ${point(from + turn)}Z`;
  }

  function dial(number) {
    const line = (x2, stroke, width) => svg("line", { x2, stroke, "stroke-width": width, "stroke-linecap": "round" });
    const text = (y) => svg("text", { y, "text-anchor": "middle", "font-size": 12.5 });
    const parts = {
      speed: text(-40),
      angle: svg("path", { fill: "var(--figure-accent)", "fill-opacity": 0.3 }),
      key: line(22, "var(--figure-ink)", 3),
      query: line(33, "var(--figure-accent)", 3),
      cosine: text(50),
    };
    const circle = svg("circle", { r: 33, fill: "none", stroke: "var(--figure-muted)", "stroke-opacity": 0.5 });
    const place = `translate(${45 + 90 * (number % 4)} ${54 + 112 * Math.floor(number / 4)})`;
    parts.drawn = svg("g", { transform: place }, circle, ...Object.values(parts));
    return parts;
  }

  function turnTo({ angle, key, query, cosine, speed }, frequency, from, to) {
    const degrees = (radians) => `rotate(${(-radians * 180) / Math.PI})`;
    key.setAttribute("transform", degrees(from * frequency));
    query.setAttribute("transform", degrees(to * frequency));
    angle.setAttribute("d", sector(from * frequency, to * frequency, 16));
    cosine.textContent = signed(Math.cos((to - from) * frequency), 3);
    speed.textContent = `ω ${frequency >= 0.0995 ? frequency.toFixed(2) : frequency.toPrecision(1)}`;
  }

  /** The curve of the score, with a marker that place(distance) moves. */
  function curve(pairs) {
    const box = { left: 34, right: 350, top: 24, bottom: 150 };
    const x = scale([-FAR, FAR], [box.left, box.right]);
    const y = scale([-pairs / 2, pairs], [box.bottom, box.top]);
    const line = svg("path", { fill: "none", stroke: "var(--figure-muted)", "stroke-width": 1.5 });
    const drop = svg("line", { y2: box.bottom, stroke: "var(--figure-accent)", "stroke-dasharray": "3 3" });
    const marker = svg("circle", { r: 5, fill: "var(--figure-accent)", stroke: "var(--figure-paper)" });
    const names = { xName: "distance of query and key", yName: "score" };
    const ticks = { xTicks: [-30, -20, -10, 0, 10, 20, 30], yTicks: [0, pairs / 2, pairs] };
    const zero = svg("path", {
      d: path([
        [box.left, y(0)],
        [box.right, y(0)],
      ]),
      stroke: "var(--figure-muted)",
      "stroke-dasharray": "1 3",
    });
    const drawn = svg(
      "g",
      { transform: "translate(0 228)" },
      axes({ x, y, box, ...ticks, ...names }),
      zero,
      line,
      drop,
      marker,
    );
    const fine = Array.from({ length: 8 * FAR + 1 }, (_, i) => -FAR + i / 4);
    function place(frequencies, distance) {
      const [cx, cy] = [x(distance), y(score(frequencies, distance))];
      line.setAttribute("d", path(fine.map((at) => [x(at), y(score(frequencies, at))])));
      for (const [key, value] of Object.entries({ x1: cx, x2: cx, y1: cy })) drop.setAttribute(key, value);
      marker.setAttribute("cx", cx);
      marker.setAttribute("cy", cy);
    }
    return { drawn, place };
  }

  function build(box, { frequencies, key, query }) {
    const bases = Object.keys(frequencies);
    const at = { key, distance: query - key, base: bases[0] };
    const dials = frequencies[at.base].map((_, number) => dial(number));
    const { drawn, place } = curve(dials.length);
    const label = "A dial for each pair of features, with the arrows of query and key, and the score by distance";
    const picture = svg("svg", { viewBox: "0 0 360 412", role: "img", "aria-label": label });
    const result = node("output");
    function draw(changed) {
      Object.assign(at, changed);
      const chosen = frequencies[at.base];
      dials.forEach((each, i) => turnTo(each, chosen[i], at.key, at.key + at.distance));
      place(chosen, at.distance);
      result.textContent = signed(score(chosen, at.distance), 3);
    }
    picture.append(...dials.map((each) => each.drawn), drawn);
    box.append(
      slider({ label: "position of the key", min: 0, max: 500, value: key, moved: (value) => draw({ key: value }) }),
      slider({
        label: "distance, the query's position less the key's",
        min: -FAR,
        max: FAR,
        value: at.distance,
        shown: signed,
        moved: (value) => draw({ distance: value }),
      }),
      choice({
        label: "base θ",
        options: bases.map((base) => [base, Number(base).toLocaleString("en")]),
        chosen: (base) => draw({ base }),
      }),
      picture,
      node(
        "p",
        {},
        "Long arrow: query. Short arrow: key. Under each dial its cosine; their sum is the score: ",
        result,
      ),
    );
  }

  Figures.define("rope-dials", build, { cosines, score, sector });
})(typeof Figures === "undefined" ? require("../figures.js") : Figures);
