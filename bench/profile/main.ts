/** `make profile`: where a replica's processor time goes under durable overwrites, and how late its event loop is. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SafefileClient } from "@safefile/client";
import { Cleanup } from "../../test/cluster/cleanup.js";
import { startRedis } from "../../test/cluster/redis.js";
import { startReplica } from "../../test/cluster/replica.js";
import { unary } from "../contenders/safefile.js";
import { Worker } from "../load.js";
import { flameGraph } from "./flame.js";
import type { Recorded } from "./recorder.js";
import { hottest, partsOf, treeOf } from "./tree.js";

const CONCURRENCY = Number(process.env.SAFEFILE_BENCH_CONCURRENCY ?? 64);
const MS = Number(process.env.SAFEFILE_BENCH_MS ?? 10_000);
/** V8 has compiled what matters by then, as it has in a replica that has run for a minute. */
const WARM_MS = 20_000;
const WRITTEN_MS_MAX = 20_000;
const ROWS = 30;

const out = path.resolve(process.argv[2] ?? ".tools/profile");
const cleanup = new Cleanup();
try {
  const base = await mkdtemp(path.join(process.env.SAFEFILE_BENCH_DIR ?? tmpdir(), "safefile-profile-"));
  cleanup.defer(() => rm(base, { recursive: true, force: true }));
  const [volume, dir] = [path.join(base, "volume"), path.join(base, "redis")];
  for (const each of [volume, dir, out]) await mkdir(each, { recursive: true });
  const redis = await startRedis({ cleanup, appendonly: true, dir });
  const file = path.join(out, "recorded.json");
  await rm(file, { force: true });
  const replica = await startReplica({
    cleanup,
    volume,
    redis: [redis.url],
    env: {
      SAFEFILE_LOG_LEVEL: "info",
      RECORD_PROFILE: file,
      NODE_OPTIONS: `--import ${new URL("recorder.js", import.meta.url).href}`,
    },
  });
  const client = new SafefileClient({ address: replica.address });
  cleanup.defer(() => client.close());
  const worker = new Worker(unary([client]));
  const load = { workload: "write", concurrency: CONCURRENCY, paths: 1_000, sizeBytes: 4096 } as const;
  await worker.run({ ...load, ms: WARM_MS });
  replica.signal("SIGUSR2");
  const { perSecond, p50Ms, p99Ms } = await worker.run({ ...load, ms: MS });
  replica.signal("SIGUSR2");
  const recorded = await written(file);

  const root = treeOf(recorded.profile);
  await writeFile(path.join(out, "replica.cpuprofile"), JSON.stringify(recorded.profile));
  const title = `Event loop of a replica, ${CONCURRENCY} callers that overwrite 4 KiB`;
  await writeFile(path.join(out, "replica.svg"), flameGraph(root, title));

  const operations = (perSecond * MS) / 1000;
  const { delayMs, cpu } = recorded;
  const perOperation = (us: number): string => `${(us / operations).toFixed(0).padStart(6)} µs`;
  const share = (us: number): string => `${((100 * us) / root.us).toFixed(1).padStart(5)} %`;
  const lines = [
    `${title}: ${Math.round(perSecond)} a second, p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms (while recorded)`,
    `Processor, an operation: ${perOperation(cpu.user)} user, ${perOperation(cpu.system)} system, all threads;` +
      ` ${perOperation(root.us)} of them on the event loop`,
    `Event loop late by: p50 ${delayMs.p50.toFixed(1)} ms, p99 ${delayMs.p99.toFixed(1)} ms, at most ${delayMs.max.toFixed(1)} ms`,
    "",
    "By part, each with what it calls of Node:",
    ...[...partsOf(root)].slice(0, ROWS).map(([part, us]) => `${share(us)} ${perOperation(us)}  ${part}`),
    "",
    "By function, itself only:",
    ...hottest(root, ROWS).map((one) => `${share(one.selfUs)} ${perOperation(one.selfUs)}  ${one.name}  ${one.origin}`),
    "",
    `${out}/replica.svg is the flame graph, replica.cpuprofile opens in a browser's developer tools.`,
    "",
  ];
  process.stdout.write(lines.join("\n"));
} finally {
  await cleanup.end();
}

async function written(file: string): Promise<Recorded> {
  for (const endMs = performance.now() + WRITTEN_MS_MAX; performance.now() < endMs; await sleep(100)) {
    const text = await readFile(file, "utf8").catch(() => "");
    if (text.endsWith("}")) return JSON.parse(text) as Recorded;
  }
  throw new Error(`${file} was not written within ${WRITTEN_MS_MAX} ms`);
}
