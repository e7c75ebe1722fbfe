/** `make bench` and `make bench-quick`: Safefile against what people would use instead, in one interleaved run. */
import { mkdtemp, rm } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import path from "node:path";
import { Cleanup } from "../test/cluster/cleanup.js";
import { CASES, type Case } from "./cases.js";
import type { ContenderName } from "./contenders/index.js";
import { type Figure, figuresTable, type Measure } from "./figures/figure.js";
import { memory } from "./figures/memory.js";
import { replay } from "./figures/replay.js";
import { revisions } from "./figures/revisions.js";
import { trees } from "./figures/trees.js";
import type { Findings } from "./load.js";
import { drawOverview } from "./overview.js";
import { LeftOutError, peer } from "./peers.js";
import { ContenderProcess } from "./process.js";
import { type Found, tableOf } from "./report.js";
import { machine, publish } from "./results.js";

const isQuick = process.argv[2] === "quick";
const ROUNDS = Number(process.env.SAFEFILE_BENCH_ROUNDS ?? (isQuick ? 2 : 5));
const MS = Number(process.env.SAFEFILE_BENCH_MS ?? (isQuick ? 500 : 2_000));
/** V8 takes that long to compile what matters, as it has in a service that has run for a minute. */
const WARM_MS = Number(process.env.SAFEFILE_BENCH_WARM_MS ?? (isQuick ? 1_000 : 15_000));
/** Words of which the title of a case, or the name of a figure, must hold one. */
const ONLY = (process.env.SAFEFILE_BENCH_CASES ?? "").split(",").filter(Boolean);

/** Why something is not compared with. */
const leftOut = new Map<string, string>();

const noteLeftOut =
  (name: string) =>
  (error: unknown): undefined => {
    if (!(error instanceof LeftOutError)) throw error;
    leftOut.set(name, error.message);
  };

/** Each workload once, with as many callers as it has in the end. */
async function warmUp(started: ContenderProcess, { columns }: Case): Promise<void> {
  const loads = new Map(columns.map(({ load }) => [load.workload, load]));
  for (const load of loads.values()) await started.run({ ...load, ms: WARM_MS / loads.size });
}

/** Every contender in every column, round by round; each round begins with another one. */
async function runCase(each: Case, base: string): Promise<Found> {
  const cleanup = new Cleanup();
  try {
    const processes = new Map<ContenderName, ContenderProcess>();
    for (const name of each.contenders) {
      const started = await ContenderProcess.start(cleanup, name, base).catch(noteLeftOut(name));
      if (!started) continue;
      processes.set(name, started);
      await warmUp(started, each);
    }
    const names = [...processes.keys()];
    const found = new Map(names.map((name) => [name, each.columns.map((): Findings[] => [])]));
    for (let round = 1; round <= ROUNDS; round++) {
      const first = round % names.length;
      const order = [...names.slice(first), ...names.slice(0, first)];
      for (const [column, { load }] of each.columns.entries())
        for (const name of order) {
          const findings = await processes.get(name)?.run({ ...load, ms: MS });
          if (findings) found.get(name)?.[column]?.push(findings);
        }
      process.stderr.write(`${each.title}: round ${round} of ${ROUNDS}, load ${loadavg()[0]?.toFixed(1)}\n`);
    }
    return found;
  } finally {
    await cleanup.end();
  }
}

const FIGURES: Readonly<Record<string, Measure>> = { memory, revisions, replay, trees };

async function measure(each: Measure, base: string): Promise<Figure[]> {
  const cleanup = new Cleanup();
  try {
    const directory = await mkdtemp(path.join(base, "figure-"));
    cleanup.defer(() => rm(directory, { recursive: true, force: true }));
    return await each(cleanup, directory);
  } finally {
    await cleanup.end();
  }
}

const tell =
  (what: string) =>
  (error: unknown): void => {
    process.exitCode = 1;
    process.stderr.write(`${what}: ${error instanceof Error ? error.stack : error}\n`);
  };

/** What was measured before a failure is worth its time: the failure is told in its place, and by the exit code. */
async function sectionOf(title: string, measured: () => Promise<string>): Promise<string> {
  try {
    return await measured();
  } catch (error) {
    tell(title)(error);
    return `### ${title}\n\nNot measured: ${error instanceof Error ? error.message : error}\n`;
  }
}

const isWanted = (name: string): boolean => ONLY.length === 0 || ONLY.some((word) => name.includes(word));

const base = await mkdtemp(path.join(process.env.SAFEFILE_BENCH_DIR ?? tmpdir(), "safefile-bench-"));
try {
  const cases = CASES.filter(({ title, isQuick: isShort }) => (!isQuick || isShort) && isWanted(title));
  const sections: string[] = [];
  for (const each of cases)
    sections.push(
      await sectionOf(each.title, async () => {
        const found = await runCase(each, base);
        if (!isQuick && each === CASES[0]) await drawOverview(each, found).catch(tell("overview.svg"));
        return tableOf(each, found);
      }),
    );
  await peer("seaweedfs").catch(noteLeftOut("SeaweedFS"));
  for (const [name, each] of Object.entries(FIGURES)) {
    if (isQuick || !isWanted(name)) continue;
    const title = `Figures: ${name}`;
    sections.push(await sectionOf(title, async () => figuresTable(title, await measure(each, base))));
  }
  const report = [
    `## ${isQuick ? "`make bench-quick`" : "`make bench`"}`,
    "",
    `${machine()}, load ${loadavg()[0]?.toFixed(1)};`,
    `${ROUNDS} rounds of ${MS} ms after ${WARM_MS / 1_000} s of warming up, directory ${process.env.SAFEFILE_BENCH_WHERE ?? "of the system"}. The load, replicas and Redis`,
    "(append-only, an fsync for every write) share the processors. Medians; ratios pair contenders of one round.",
    "",
    ...[...leftOut].map(([name, reason]) => `- ${name} is left out: ${reason}`),
    ...(leftOut.size > 0 ? [""] : []),
    ...sections,
  ].join("\n");
  if (isQuick) process.stdout.write(report);
  else await publish(report);
} finally {
  await rm(base, { recursive: true, force: true });
}
