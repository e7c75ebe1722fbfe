import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { median } from "../load.js";
import { machine } from "../results.js";
import { MEMBERS } from "./cluster.js";
import { KINDS } from "./meter.js";
import { READING_MS, type Recording, type Usage, WINDOW_CALLS_MIN } from "./recording.js";
import type { Settings } from "./settings.js";
import type { Judged } from "./verdict.js";
import type { Watcher } from "./watcher.js";

const WINDOW_SECONDS = READING_MS / 1_000;
const MINUTE_MS = 60_000;
/** Caches fill and the heap finds its size in these; in a short run, in its first sixth. */
const WARM_UP_MS = 10 * MINUTE_MS;

const number = (value: number): string => Math.round(value).toLocaleString("en");
const ms = (value: number): string => (value < 10 ? value.toFixed(1) : number(value));
const mb = (value: number | undefined): string => (value === undefined ? "–" : value.toFixed(0));

const warmMsOf = (usages: readonly Usage[]): number => Math.min(WARM_UP_MS, (usages.at(-1)?.atMs ?? 0) / 6);

/** The least squares' slope of what was used after the warm-up, in MiB an hour. */
export function slopeOf(usages: readonly Usage[], read: (usage: Usage) => number | undefined): number {
  const fromMs = warmMsOf(usages);
  const points = usages.flatMap((usage) => {
    const used = read(usage);
    return usage.atMs < fromMs || used === undefined ? [] : [[usage.atMs / (60 * MINUTE_MS), used] as const];
  });
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [hours, useds] = [mean(points.map(([hour]) => hour)), mean(points.map(([, used]) => used))];
  const over = points.reduce((sum, [hour, used]) => sum + (hour - hours) * (used - useds), 0);
  return over / points.reduce((sum, [hour]) => sum + (hour - hours) ** 2, 0);
}

/** What was done and found, for RESULTS.md. */
export async function sectionOf(
  { minutes, killSeconds, seed }: Settings,
  recording: Recording,
  judged: Judged,
  watcher: Watcher,
  volume: string,
): Promise<string> {
  const { windows, usages, kills, outcomes, errors, calls, all } = recording;
  const rates = windows
    .slice(0, -1)
    .map((window) => KINDS.reduce((sum, kind) => sum + window[kind].count, 0) / WINDOW_SECONDS);
  const { stdout } = await promisify(execFile)("du", ["-sm", volume]);
  const downs = kills.map(({ downMs }) => downMs);
  return [
    "## A soak (`make soak`)",
    "",
    `${machine()}, directory ${process.env.SAFEFILE_BENCH_WHERE ?? "of the system"}.`,
    `${minutes} minutes, SEED=${seed}: 16 workers in two processes, in a closed loop with pauses, on three replicas with their`,
    "default settings and one Redis (append-only, fsync), all on the same processors. In each " +
      `${killSeconds} s one of two`,
    "replicas, drawn, is killed with SIGKILL at a moment drawn, and started again at once; the third one serves as many",
    "calls, settles what they leave, and is never killed, so its memory is that of the whole time. A caller that waits asks",
    "for nothing else meanwhile, so a wait counts once.",
    "",
    `**No violation** in ${number(calls)} calls and ${kills.length} kills. At the end ${number(judged.paths)} paths with ` +
      `${number(judged.revisions)} revisions were compared with`,
    `what had been answered, ${number(judged.contents)} of them read back whole, ${number(judged.liveFiles)} live files on disk; ` +
      `of the changes left open at UNKNOWN ${judged.openFound}`,
    `on shared paths were there. The watch told of ${number(watcher.changes)} changes in order, ${watcher.repeats} of them again, with ` +
      `${watcher.gaps} gaps.`,
    downs.length > 0
      ? `Ready again after a kill: ${number(median(downs))} ms (at most ${number(Math.max(...downs))}).`
      : "",
    `The volume takes ${number(Number.parseInt(stdout, 10))} MiB.`,
    "",
    "| latency, ms | calls | p50 | p99 | worst 10 s, p99 | longest |",
    "|---|---|---|---|---|---|",
    ...KINDS.map((kind) => {
      const worst = windows.filter((window) => window[kind].count >= WINDOW_CALLS_MIN);
      const worstMs = Math.max(...worst.map((window) => window[kind].percentileMs(99)));
      const [p50, p99] = [50, 99].map((percent) => ms(all[kind].percentileMs(percent)));
      const cells = [number(all[kind].count), p50, p99, worst.length > 0 ? ms(worstMs) : "–", ms(all[kind].longestMs)];
      return `| ${kind} | ${cells.join(" | ")} |`;
    }),
    "",
    `Calls a second, over ${WINDOW_SECONDS} s: median ${number(median(rates))}, least ${number(Math.min(...rates))}, most ` +
      `${number(Math.max(...rates))}.`,
    "",
    "| | start | warmed up | middle | end | slope an hour |",
    "|---|---|---|---|---|---|",
    ...MEMBERS.map((name, at) => used(`${name}, resident MiB`, usages, ({ residentMb }) => residentMb[at], at === 2)),
    used("Redis, used MiB", usages, ({ redisMb }) => redisMb, true),
    used("steady, open descriptors", usages, ({ descriptors }) => descriptors[2], true),
    "",
    "Warmed up is after ten minutes, or a sixth of a shorter run; the slope is that of the least squares from then on.",
    "",
    `Operations: ${listed(outcomes)}.`,
    "",
    "Errors that callers saw, repeats by the client itself not counted (reads of what is deleted, and races for a shared path,",
    `are asked for): ${listed(errors) || "none"}.`,
    `Incidents: ${listed(judged.incidents) || "none"}.`,
    "",
    "![Latency and memory over time](soak.svg)",
    "",
  ].join("\n");
}

function used(name: string, usages: readonly Usage[], read: (usage: Usage) => number | undefined, hasSlope: boolean) {
  const warm = usages.find(({ atMs }) => atMs >= warmMsOf(usages));
  const cells = [usages[0], warm, usages[Math.floor(usages.length / 2)], usages.at(-1)].map((usage) =>
    mb(usage && read(usage)),
  );
  const slope = hasSlope ? slopeOf(usages, read).toFixed(1) : "started anew";
  return `| ${name} | ${cells.join(" | ")} | ${slope} |`;
}

const listed = (counts: ReadonlyMap<string, number>): string =>
  [...counts]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, count]) => `${name} ${number(count)}`)
    .join("; ");
