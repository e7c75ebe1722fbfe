import { writeFile } from "node:fs/promises";
import type { Case } from "./cases.js";
import { lineChart } from "./chart.js";
import type { ContenderName } from "./contenders/index.js";
import { median } from "./load.js";
import type { Found } from "./report.js";

/** Those that say most; a chart of all is none. */
const SHOWN: readonly ContenderName[] = ["Safefile", "Safefile, WriteFiles", "hand loop", "naive pipeline"];
/** For the README. */
const FILE = new URL("../../bench/overview.svg", import.meta.url);

/** Draws what a case found, by how many callers there are. */
export async function drawOverview({ title, columns }: Case, found: Found): Promise<void> {
  const series = SHOWN.flatMap((name) => {
    const runs = found.get(name);
    if (!runs) return [];
    const points = columns.map(({ load }, column): [number, number] => [
      Math.log2(load.concurrency),
      median((runs[column] ?? []).map(({ perSecond }) => perSecond)),
    ]);
    return [{ name, points }];
  });
  const chart = lineChart({ title, xLabel: "callers, as a power of two", yLabel: "a second", series, log: true });
  await writeFile(FILE, chart);
}
