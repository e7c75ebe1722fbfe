import { mkdir, readdir, rm, stat } from "node:fs/promises";
import path from "node:path";
import type { Cleanup } from "../../test/cluster/cleanup.js";
import { startReplica } from "../../test/cluster/replica.js";
import { pretendReboot } from "../../test/recover/copy.js";
import { startSafefile, stream } from "../contenders/safefile.js";
import { Worker } from "../load.js";
import type { Figure, Measure } from "./figure.js";

const OPERATIONS = Number(process.env.SAFEFILE_BENCH_REPLAY ?? 16_000);
const PATHS = 10_000;
const SIZE_BYTES = 16 * 1024;
const GIB = 1024 ** 3;
const SECONDS_MAX = 10;
const READY_MS_MAX = 600_000;
/** So that nothing of the journal counts as settled. */
const env = { SAFEFILE_CHECKPOINT_MS: "3600000", SAFEFILE_CHECKPOINT_BYTES: `${16 * GIB}` };

async function bytesOf(directory: string): Promise<number> {
  const names = await readdir(directory, { recursive: true });
  const sizes = await Promise.all(
    names.map(async (name) => {
      const found = await stat(path.join(directory, name));
      return found.isFile() ? found.size : 0;
    }),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** How long a start takes that has to read all again, because every machine lost its power. */
export const replay: Measure = async (cleanup, directory) => [
  await start(cleanup, path.join(directory, "there"), "all there"),
  await start(cleanup, path.join(directory, "gone"), "all gone"),
];

/** The worst cut leaves none of the files, so that each is published again. */
async function start(cleanup: Cleanup, directory: string, left: "all there" | "all gone"): Promise<Figure> {
  await mkdir(directory);
  const place = { cleanup, directory };
  const safefile = await startSafefile(place, 1, env);
  const worker = new Worker(await stream(safefile, place));
  const load = { workload: "write", concurrency: 256, paths: PATHS, sizeBytes: SIZE_BYTES, ms: 0 } as const;
  await worker.run({ ...load, count: OPERATIONS });
  for (const replica of safefile.replicas) await replica.kill();
  await pretendReboot(safefile.volume);
  for (const client of safefile.clients) client.close();
  if (left === "all gone")
    for (const name of await readdir(safefile.volume))
      if (name !== ".safefile") await rm(path.join(safefile.volume, name), { recursive: true });
  const bytes = await bytesOf(path.join(safefile.volume, ".safefile", "journal"));
  const startMs = performance.now();
  const redis = [safefile.redis.url];
  const replica = await startReplica({ cleanup, volume: safefile.volume, redis, env, readyMsMax: READY_MS_MAX });
  const seconds = (performance.now() - startMs) / 1000;
  const perGib = (seconds * GIB) / bytes;
  const size = `${Math.round(bytes / 1024 ** 2)} MiB of journal, ${PATHS.toLocaleString("en")} files`;
  await replica.stop();
  return {
    what: `start after a power cut: ${size}, ${left}, no checkpoint`,
    value: `${seconds.toFixed(1)} s, ${perGib.toFixed(1)} s a GiB`,
    goal: `≤ ${SECONDS_MAX} s a GiB`,
    isMet: perGib <= SECONDS_MAX,
  };
}
