/** `make soak`: mixed load on three replicas, one of which is killed every minute, judged by what callers were told. */
import { rmSync } from "node:fs";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Cleanup } from "../../test/cluster/cleanup.js";
import { Dice } from "../../test/lock/dice.js";
import { publish } from "../results.js";
import { Cluster } from "./cluster.js";
import { Crew } from "./crew.js";
import { describeEnd } from "./evidence.js";
import { figureOf } from "./figure.js";
import { KINDS } from "./meter.js";
import { READING_MS, Recording } from "./recording.js";
import { sectionOf } from "./section.js";
import { settingsFrom } from "./settings.js";
import { judge } from "./verdict.js";
import { Watcher } from "./watcher.js";
import type { Order } from "./worker.js";

const PROCESSES = 2;
const WORKERS_A_PROCESS = 8;
const READINGS_A_LINE = 6;

const settings = settingsFrom(process.env);
const { minutes, killSeconds, seed } = settings;
process.stderr.write(`soak: MINUTES=${minutes} KILL_SECONDS=${killSeconds} SEED=${seed}\n`);
const untilMs = minutes * 60_000;

const cleanup = new Cleanup();
const base = await mkdtemp(path.join(process.env.SAFEFILE_BENCH_DIR ?? tmpdir(), "safefile-soak-"));
const books = path.join(base, "books");
await mkdir(books);
const recording = new Recording();

async function run(cluster: Cluster): Promise<void> {
  const { addresses, clients, volume } = cluster;
  const names = Array.from({ length: PROCESSES * WORKERS_A_PROCESS }, (_, at) => `w${at}`);
  for (const directory of ["shared", ...names.map((name) => `own/${name}`)]) await clients[0]?.makeDirectory(directory);
  const watcher = await Watcher.start(addresses);
  cleanup.defer(() => watcher.end());

  const startMs = Date.now();
  const now = (): number => Date.now() - startMs;
  const orders = Array.from({ length: PROCESSES }, (_, at): Order => {
    const workers = names.slice(at * WORKERS_A_PROCESS, (at + 1) * WORKERS_A_PROCESS);
    return { name: `load-${at}`, workers, addresses, seed, books, startMs, readingMs: READING_MS };
  });
  const crew = Crew.start(cleanup, orders, (reading, at) => recording.hear(reading, at));
  const failed = Promise.race([crew.failed, watcher.failed, cluster.failed]);

  const measureAll = async (): Promise<void> => {
    for (let at = 0; at * READING_MS <= untilMs; at++) {
      await sleep(Math.max(0, at * READING_MS - now()));
      recording.usages.push(await cluster.usage(now()));
      if (at > 0 && at % READINGS_A_LINE === 0) process.stderr.write(progress(now()));
    }
  };
  const killing = cluster.killAll(new Dice(seed), killSeconds * 1_000, untilMs, now, (kill) =>
    recording.kills.push(kill),
  );
  await Promise.race([Promise.all([measureAll(), killing, sleep(untilMs)]), failed]);
  const dues = await Promise.race([crew.stop(), failed]);
  process.stderr.write(`${progress(now())}comparing ${dues.length} paths with their histories\n`);
  const judged = await Promise.race([judge({ clients, volume, dues, watcher, dice: new Dice(seed) }), failed]);
  process.stderr.write(`${(now() / 60_000).toFixed(1)} min: compared ${judged.revisions} revisions\n`);
  await writeFile(new URL("../../../bench/soak.svg", import.meta.url), figureOf(recording));
  await publish(await sectionOf(settings, recording, judged, watcher, volume));
}

function progress(atMs: number): string {
  const { all, kills, usages } = recording;
  const calls = KINDS.map((kind) => `${kind} ${all[kind].count} (p99 ${all[kind].percentileMs(99).toFixed(0)} ms)`);
  const memory = usages.at(-1)?.residentMb.map((mb) => mb?.toFixed(0) ?? "–");
  return `${(atMs / 60_000).toFixed(1)} min: ${calls.join(", ")}; ${kills.length} kills, ${memory?.join(" ")} MiB\n`;
}

try {
  const cluster = await Cluster.start(cleanup, base);
  // Also when it is interrupted, behind what ends its processes: an hour leaves gigabytes. What went wrong stays.
  let isKept = false;
  process.once("exit", () => isKept || rmSync(base, { recursive: true, force: true, maxRetries: 10 }));
  try {
    await run(cluster);
  } catch (error) {
    isKept = true;
    process.exitCode = 1;
    process.stdout.write(await describeEnd(error, books, cluster.clients.at(-1)!));
    await cluster.keepLogs(base);
    process.stdout.write(
      `${progress(recording.usages.at(-1)?.atMs ?? 0)}SEED=${seed}; everything is kept in ${base}\n`,
    );
  }
} finally {
  await cleanup.end();
}
// Whatever still waits for something that is gone.
process.exit();
