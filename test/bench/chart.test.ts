import assert from "node:assert/strict";
import { test } from "node:test";
import { linearTicks, lineChart, logTicks } from "../../bench/chart.js";

test("ticks are round and enclose the values", () => {
  assert.deepEqual(linearTicks(0, 60, 8), [0, 10, 20, 30, 40, 50, 60]);
  assert.deepEqual(linearTicks(0, 487, 5), [0, 100, 200, 300, 400, 500]);
  assert.deepEqual(linearTicks(0, 0, 5), [0]);
  assert.deepEqual(logTicks(12, 480), [10, 20, 50, 100, 200, 500]);
  assert.deepEqual(logTicks(12, 9_000), [10, 30, 100, 300, 1_000, 3_000, 10_000]);
  assert.deepEqual(logTicks(5, 5), [5, 10]);
});

test("a chart has a line for each series, broken where a value is missing, its marks, and no markup of others", () => {
  const svg = lineChart({
    title: "a < b & c",
    xLabel: "time, min",
    yLabel: "p99, ms",
    series: [
      {
        name: "write",
        points: [
          [0, 10],
          [1, Number.NaN],
          [2, 100],
          [3, 20],
        ],
      },
      {
        name: "read",
        points: [
          [0, 1],
          [3, 2],
        ],
      },
    ],
    marks: [1, 2],
    markName: "a kill",
    log: true,
  });
  const [read, write] = [...svg.matchAll(/ d="([^"]*)"/g)].map(([, path]) => path as string);
  assert.match(write ?? "", /^M78 [\d.]+M[\d.]+ [\d.]+L838 [\d.]+$/);
  assert.match(read ?? "", /^M78 [\d.]+L838 [\d.]+$/);
  assert.equal(svg.match(/class="mark"/g)?.length, 3);
  assert(svg.includes("a &lt; b &amp; c") && svg.includes("100 ms") && svg.includes("3 min"));
});
