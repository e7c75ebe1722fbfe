import assert from "node:assert/strict";
import test from "node:test";
import type { Case } from "../../bench/cases.js";
import type { Findings } from "../../bench/load.js";
import { type Found, tableOf } from "../../bench/report.js";

const load = { workload: "write", concurrency: 1, paths: 1, sizeBytes: 1 } as const;
const each: Case = {
  title: "A case",
  unit: "operations a second",
  columns: [
    { title: "few", load },
    { title: "many", load },
  ],
  contenders: ["hand loop", "Safefile", "MinIO"],
  goals: [
    { contender: "Safefile", against: "hand loop", atLeast: [2, 2] },
    { contender: "Safefile", against: "MinIO", atLeast: [1] },
  ],
  growth: [{ contender: "Safefile", column: "many", against: "few", atLeast: 0.5 }],
  isQuick: false,
};
const rounds = (...rates: number[]): Findings[] => rates.map((perSecond) => ({ perSecond, p50Ms: 1, p99Ms: 2 }));

test("a goal is judged by the median of the ratios of rounds, not by the ratio of medians", () => {
  const found: Found = new Map([
    ["hand loop", [rounds(100, 10, 40), rounds(10, 10, 10)]],
    // Of the medians it would be 4 times in the first column; round by round it is 1, 20 and 1.5 times.
    ["Safefile", [rounds(100, 200, 60), rounds(20, 10, 40)]],
  ]);
  const lines = tableOf(each, found).split("\n");
  assert(lines.includes("- Goal, Safefile to hand loop: few: 1.50 × of 2 × missed; many: 2.00 × of 2 × **met**"));
  assert(lines.includes("- Goal, Safefile, many to few: 0.200 × of 0.5 × missed"));
  const row = lines.find((line) => line.startsWith("| Safefile |"));
  assert.match(row ?? "", /\*\*1\.50 ×\*\* \(1\.00–20\.0\)<br>100<br>1\.00 \/ 2\.00 ms/);
});

test("who was not there has a dash, and no goal is met against it", () => {
  const found: Found = new Map([
    ["hand loop", [rounds(1), rounds(1)]],
    ["Safefile", [rounds(1), rounds(1)]],
  ]);
  const table = tableOf(each, found);
  assert(table.includes("| MinIO | – | – |"));
  assert(!table.includes("to MinIO"));
});
