"use strict";

const assert = require("node:assert");
const { test } = require("node:test");
const Figures = require("../../../book/_static/figures.js");
require("../../../book/_static/figures/gated-feature.js");
const { dataOf } = require("./chapter.js");

const { gelu, feature } = Figures.all["gated-feature"].parts;
const { features, values, slopes } = dataOf(10, "fig-gated-feature");
const near = (found, expected) => assert.ok(Math.abs(found - expected) < 1e-4, `${found} is not ${expected}`);

test("values and slopes are the chapter's", () => {
  features.forEach(([a, b], i) => {
    const { value, alongA, alongB } = feature(a, b);
    near(value, values[i]);
    near(alongA, slopes[i][0]);
    near(alongB, slopes[i][1]);
  });
});

test("GELU has no value below -0.17, and is nearly the identity at 3", () => {
  const steps = Array.from({ length: 601 }, (_, i) => i / 100 - 3);
  assert.ok(Math.min(...steps.map(gelu)) > -0.17);
  near(gelu(3), 2.99595);
});
