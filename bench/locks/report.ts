import { median } from "../load.js";
import { digits } from "../report.js";
import type { Findings } from "./record.js";

/** What each contender came to in each round, the first one being what the others are compared with. */
export interface Group {
  readonly title: string;
  readonly columns: readonly Column[];
  readonly rows: ReadonlyMap<string, Findings[]>;
}

export type Column = "acquire" | "processor" | "handOff" | "stall" | "order";

const HEADS: Record<Column, string> = {
  acquire: "acquire p50 / p99 ms",
  processor: "the locker's processor µs a pair",
  handOff: "hand-off p50 / p99 ms",
  stall: "longest stall ms",
  order: "overtakings a 1,000 grants (by ms at most)",
};

const of = (runs: readonly Findings[], read: (run: Findings) => number): number => median(runs.map(read));

function cell(column: Column, runs: readonly Findings[], ms: number): string {
  if (column === "acquire")
    return `${digits(of(runs, (run) => run.acquireP50Ms))} / ${digits(of(runs, (run) => run.acquireP99Ms))}`;
  if (column === "handOff")
    return `${digits(of(runs, (run) => run.handOffP50Ms))} / ${digits(of(runs, (run) => run.handOffP99Ms))}`;
  if (column === "processor") return digits(of(runs, (run) => run.processorUs));
  if (column === "stall") return digits(Math.max(...runs.map(({ stallMs }) => stallMs)));
  const rate = of(runs, (run) => (run.overtakings * 1_000_000) / (run.pairsPerSecond * ms));
  return `${digits(rate)} (${digits(Math.max(...runs.map(({ overtakenMs }) => overtakenMs)))})`;
}

export function tableOf({ title, columns, rows }: Group, ms: number): string {
  const [first] = rows.values();
  const lines = [...rows].map(([name, runs]) => {
    const rates = runs.map(({ pairsPerSecond }) => pairsPerSecond);
    const ratios = runs.map((run, at) => (first?.[at]?.pairsPerSecond ?? Number.NaN) / run.pairsPerSecond);
    const spread = (values: number[]): string => `${digits(Math.min(...values))}–${digits(Math.max(...values))}`;
    const overlaps = runs.reduce((sum, run) => sum + run.overlaps, 0);
    const cells = [
      overlaps > 0 ? `${name} (held by two at once ${overlaps} times)` : name,
      `${digits(median(rates))} (${spread(rates)})`,
      `${digits(median(ratios))} × (${spread(ratios)})`,
      ...columns.map((column) => cell(column, runs, ms)),
    ];
    return `| ${cells.join(" | ")} |`;
  });
  const heads = [title, "pairs a second", "the first row to this", ...columns.map((column) => HEADS[column])];
  return [`| ${heads.join(" | ")} |`, `|${heads.map(() => "---|").join("")}`, ...lines, ""].join("\n");
}
