import { readFile } from "node:fs/promises";
import { setInterval } from "node:timers/promises";
import { SafefileClient } from "@safefile/client";
import { chunksOf } from "../contender.js";
import { startSafefile, unary } from "../contenders/safefile.js";
import { Worker } from "../load.js";
import type { Figure, Measure } from "./figure.js";

const MiB = 1024 * 1024;
const CONNECTIONS = 4;
const STREAMS = 64;
const UPLOAD_BYTES = 16 * MiB;
const LOAD_MS = 10_000;
const SAMPLE_MS = 50;
const STREAMS_MIB_MAX = 250;

async function residentMiB(pid: number): Promise<number> {
  const kib = /VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kib) / 1024;
}

/** The most that is resident while `work` goes on. */
async function peakMiB(pid: number, work: Promise<unknown>): Promise<number> {
  const over = new AbortController();
  let most = await residentMiB(pid);
  const watch = async (): Promise<void> => {
    for await (const _ of setInterval(SAMPLE_MS, undefined, { signal: over.signal }))
      most = Math.max(most, await residentMiB(pid));
  };
  const watching = watch().catch(() => undefined);
  await work;
  over.abort();
  await watching;
  return most;
}

/** What a replica occupies: at rest, with many calls, with many uploads under way. */
export const memory: Measure = async (cleanup, directory) => {
  const { replicas } = await startSafefile({ cleanup, directory }, 1);
  const [{ pid, address }] = replicas as [(typeof replicas)[number]];
  const clients = Array.from({ length: CONNECTIONS }, () => new SafefileClient({ address }));
  cleanup.defer(() => clients.map((client) => client.close()));
  const rest = await residentMiB(pid);
  const worker = new Worker(unary(clients));
  const load = { workload: "write", concurrency: 64, paths: 1_000, sizeBytes: 4096, ms: LOAD_MS } as const;
  const busy = await peakMiB(pid, worker.run(load));
  const uploads = Array.from({ length: STREAMS }, (_, at) =>
    clients[at % CONNECTIONS]?.upload(`uploads/${at}`, chunksOf(UPLOAD_BYTES), { sizeBytes: UPLOAD_BYTES }),
  );
  const streams = await peakMiB(pid, Promise.all(uploads));
  const MB = (mib: number): string => `${Math.round(mib)} MiB`;
  return [
    { what: "resident at rest", value: MB(rest), goal: "", isMet: undefined },
    { what: `at most, 64 callers for ${LOAD_MS / 1000} s`, value: MB(busy), goal: "", isMet: undefined },
    {
      what: `at most, ${STREAMS} uploads of ${MB(UPLOAD_BYTES / MiB)} at once on ${CONNECTIONS} connections`,
      value: `${MB(streams)}, ${((streams - busy) / STREAMS).toFixed(1)} MiB a stream`,
      goal: `≤ ${STREAMS_MIB_MAX} MiB`,
      isMet: streams <= STREAMS_MIB_MAX,
    },
  ] satisfies Figure[];
};
