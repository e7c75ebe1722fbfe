import type { Case, Goal, Growth } from "./cases.js";
import type { ContenderName } from "./contenders/index.js";
import { type Findings, median } from "./load.js";

/** What was found: of each contender, column by column, round by round. */
export type Found = ReadonlyMap<ContenderName, readonly (readonly Findings[])[]>;

export const digits = (value: number): string => {
  if (Number.isNaN(value)) return "–";
  return value >= 100 ? Math.round(value).toLocaleString("en") : value.toPrecision(3);
};

const MB = 1e6;
const value = (each: Case, column: number, { perSecond }: Findings): number =>
  each.unit === "MB a second" ? (perSecond * (each.columns[column]?.load.sizeBytes ?? 0)) / MB : perSecond;

/** The ratios of two contenders, or of two columns, each of one round. */
export function ratios(found: Found, of: ContenderName, to: ContenderName, column: number, against = column): number[] {
  const [ours = [], theirs = []] = [found.get(of)?.[column], found.get(to)?.[against]];
  return ours.flatMap(({ perSecond }, round) => {
    const other = theirs[round];
    return other ? [perSecond / other.perSecond] : [];
  });
}

export function tableOf(each: Case, found: Found): string {
  const [first] = each.contenders as [ContenderName];
  const cell = (contender: ContenderName, column: number): string => {
    const runs = found.get(contender)?.[column] ?? [];
    if (runs.length === 0) return "–";
    const rate = digits(median(runs.map((run) => value(each, column, run))));
    const [p50, p99] = [median(runs.map(({ p50Ms }) => p50Ms)), median(runs.map(({ p99Ms }) => p99Ms))];
    const compared = ratios(found, contender, first, column);
    const spread = `${digits(Math.min(...compared))}–${digits(Math.max(...compared))}`;
    const ratio = contender === first ? "" : `**${digits(median(compared))} ×** (${spread})<br>`;
    return `${ratio}${rate}<br>${digits(p50)} / ${digits(p99)} ms`;
  };
  const rows = each.contenders.map(
    (contender) => `| ${contender} | ${each.columns.map((_, column) => cell(contender, column)).join(" | ")} |`,
  );
  const heads = ["", ...each.columns.map(({ title }) => title)];
  return [
    `### ${each.title}`,
    "",
    `Ratio to ${first} of the same round (least–most), ${each.unit}, latency p50 / p99.`,
    "",
    `| ${heads.join(" | ")} |`,
    `|${heads.map(() => "---|").join("")}`,
    ...rows,
    "",
    ...each.goals.flatMap((goal) => verdict(each, goal, found)),
    ...(each.growth ?? []).map((growth) => kept(each, growth, found)),
    "",
  ].join("\n");
}

function kept({ columns }: Case, { contender, column, against, atLeast }: Growth, found: Found): string {
  const [at, from] = [column, against].map((wanted) => columns.findIndex(({ title }) => title === wanted));
  const reached = median(ratios(found, contender, contender, at as number, from));
  const verdict = reached >= atLeast ? "**met**" : "missed";
  return `- Goal, ${contender}, ${column} to ${against}: ${digits(reached)} × of ${atLeast} × ${verdict}`;
}

/** None where one of the two was not there. */
function verdict(each: Case, { contender, against, atLeast }: Goal, found: Found): string[] {
  const parts = atLeast.flatMap((least, column) => {
    if (least === undefined) return [];
    const reached = median(ratios(found, contender, against, column));
    if (Number.isNaN(reached)) return [];
    const where = each.columns[column]?.title;
    return [`${where}: ${digits(reached)} × of ${least} × ${reached >= least ? "**met**" : "missed"}`];
  });
  return parts.length === 0 ? [] : [`- Goal, ${contender} to ${against}: ${parts.join("; ")}`];
}
