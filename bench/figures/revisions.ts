import { Redis } from "ioredis";
import { schema } from "../../services/config.js";
import { Index } from "../../services/index/index.js";
import { type IncarnationId, operationId } from "../../services/model/operation.js";
import type { FilePath } from "../../services/model/path.js";
import type { OperationRecord } from "../../services/model/record.js";
import type { Cleanup } from "../../test/cluster/cleanup.js";
import { sampleRecord } from "../../test/journal/sample.js";
import { startSafefile, unary } from "../contenders/safefile.js";
import { Worker } from "../load.js";
import type { Figure, Measure } from "./figure.js";

const REVISIONS = 1_000_000;
const PATHS = 100_000;
const BATCH = 1_000;
const BYTES_MAX = 110;
const INCARNATION = "01ARZ3NDEKTSV4RRFFQ69G5FAV" as IncarnationId;
/** Revisions of one path, as many as can be written in a minute. */
const DEEP = 20_000;
const PAGE_MS_MAX = 3;

async function usedBytes(redis: Redis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await redis.info("memory"))?.[1]);
}

/** The `sequence`th change of all, counted from 1. */
function recordOf(sequence: number): OperationRecord {
  const record = sampleRecord(operationId(INCARNATION, sequence), `${sequence}`, 0);
  const [change] = record.changes as [OperationRecord["changes"][number]];
  const path = `tree/${sequence % PATHS}` as FilePath;
  return { ...record, changes: [{ ...change, path, revision: Math.ceil(sequence / PATHS) }] };
}

/** Redis' memory: filled by the index itself, with records whose request ids have expired. */
async function memory(cleanup: Cleanup, redis: Redis, url: string): Promise<Figure> {
  const config = schema.parse({});
  const index = new Index(url, "bench", { ...config, commandTimeoutMs: config.indexTimeoutMs }, () => undefined);
  cleanup.defer(() => index.close());
  await index.connected();
  const before = await usedBytes(redis);
  for (let from = 1; from <= REVISIONS; from += BATCH)
    await index.reapply(Array.from({ length: BATCH }, (_, at) => recordOf(from + at)));
  const bytes = ((await usedBytes(redis)) - before) / REVISIONS;
  return {
    what: `Redis, a revision at ${REVISIONS.toLocaleString("en")} of ${PATHS.toLocaleString("en")} paths, without request ids`,
    value: `${bytes.toFixed(0)} bytes`,
    goal: `≤ ${BYTES_MAX} bytes`,
    isMet: bytes <= BYTES_MAX,
  };
}

/** What many revisions cost: in Redis, and whoever looks at the newest of them. */
export const revisions: Measure = async (cleanup, directory) => {
  const { clients, redis: server } = await startSafefile({ cleanup, directory }, 1);
  const redis = new Redis(server.url);
  cleanup.defer(() => redis.disconnect());
  const first = await memory(cleanup, redis, server.url);
  const worker = new Worker(unary(clients));
  const load = { concurrency: 16, paths: 1, sizeBytes: 64 } as const;
  await worker.run({ ...load, workload: "write", ms: 0, count: DEEP });
  const { p50Ms } = await worker.run({ ...load, workload: "revisions", concurrency: 1, ms: 0, count: 300 });
  return [
    first,
    {
      what: `the newest 100 of ${DEEP.toLocaleString("en")} revisions of a path, beside those, p50`,
      value: `${p50Ms.toFixed(2)} ms`,
      goal: `≤ ${PAGE_MS_MAX} ms`,
      isMet: p50Ms <= PAGE_MS_MAX,
    },
  ];
};
