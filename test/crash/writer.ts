/**
 * One of several processes that count together, each with an engine of its own over the same volume, and no locks at all:
 * everybody is granted every lease at once. Takes orders from the process that forked it, and tells it each commit.
 */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { schema } from "../../services/config.js";
import { buildEngine } from "../../services/engine.js";
import { SafeOperationError } from "../../services/errors/index.js";
import { Index } from "../../services/index/index.js";
import type { LeaseHold, Leases } from "../../services/lock/leases.js";
import type { FilePath } from "../../services/model/path.js";
import { beginOperation } from "../../services/pipeline/begin.js";
import { openFormat } from "../../services/protocol/format.js";
import { PosixVolume } from "../../services/volume/posix.js";
import { thisHost } from "../../services/volume/process.js";
import { oneByOne, type Volume } from "../../services/volume/volume.js";
import { freeHold } from "../lock/wish.js";
import { contentOf, nameIn } from "./content.js";

/** One call in so many is held up, for this long at most: longer than all the others take for a change. */
const STALL_ODDS = 150;
const STALL_MS_MAX = 60;
const SIZE_BYTES = 200;
/** How long a file may be no revision for one who looks again and again. */
const UNKNOWN_MS_MAX = 5_000;
const NEVER = new AbortController().signal;

export interface Order {
  readonly root: string;
  readonly redisUrl: string;
  readonly paths: readonly string[];
  readonly name: string;
}

export type Said =
  | { readonly committed: number; readonly path: string; readonly asked: number }
  | { readonly ended: Readonly<Record<string, number>> }
  | { readonly failed: string };

const say = (said: Said): void => void process.send?.(said);

/** Every lease is won at once and never lost. */
const noLocks = {
  acquire: async (): Promise<LeaseHold> => freeHold(),
  connected: async () => undefined,
  close: () => undefined,
} as unknown as Leases;

/** `real`, some of whose calls wait, before or after they are made. */
function stalling(real: Volume): Volume {
  const stall = async (): Promise<void> => {
    if (Math.random() * STALL_ODDS < 1) await sleep(Math.random() * STALL_MS_MAX);
  };
  return new Proxy(real, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== "function") return value;
      if (key === "inOrder") return oneByOne;
      if (key === "control") return value.bind(target);
      return async (...given: unknown[]) => {
        await stall();
        const answer: unknown = await Reflect.apply(value, target, given);
        await stall();
        return answer;
      };
    },
  });
}

async function count({ root, redisUrl, paths, name }: Order, stop: AbortSignal): Promise<Record<string, number>> {
  const fail = (error: unknown): never => {
    throw error;
  };
  const real = await PosixVolume.open(root, "local", fail);
  const { volumeId } = await openFormat(real);
  const config = { ...schema.parse({}), incarnationDeadMs: 600_000 };
  const { requestIdKeepMs } = config;
  const index = new Index(
    redisUrl,
    volumeId,
    { commandTimeoutMs: 20_000, changesKeptMax: 1000, requestIdKeepMs },
    () => undefined,
  );
  await index.connected();
  const engine = await buildEngine(
    {
      volume: stalling(real),
      host: thisHost(real.bootId),
      index,
      leases: noLocks,
      observer: { stage: (_stage, _operation, call) => call() },
    },
    config,
    { leave: fail, warn: () => undefined, stuck: () => undefined },
  );
  await engine.rebuild.runIfMissing();
  const answers: Record<string, number> = {};

  const read = async (path: FilePath): Promise<{ value: number; revision: number }> => {
    const { handle, info } = await engine.files.open(path);
    await using file = handle;
    const bytes = Buffer.alloc(SIZE_BYTES * 2);
    const value = Number(nameIn(bytes.subarray(0, await file.read(bytes, 0))).split(":")[0]);
    return { value, revision: info.revision };
  };

  let knownMs = performance.now();
  for (let n = 0; !stop.aborted; n++) {
    const path = paths[n % paths.length] as FilePath;
    const { value, revision } = await read(path);
    // Between two heads, which revision it is can be told in a moment. Nobody changes the files from outside.
    if (revision > 0) knownMs = performance.now();
    else if (performance.now() - knownMs > UNKNOWN_MS_MAX) throw new Error(`I3: ${path} holds ${value}, no revision`);
    if (revision === 0) continue;
    const bytes = contentOf(`${value + 1}:${name}:${n}`, SIZE_BYTES);
    const source = { from: "bytes" as const, bytes, sha256: createHash("sha256").update(bytes).digest() };
    const precondition = { etag: undefined, ifRevision: revision };
    const intent = { path, kind: "WRITE" as const, mode: undefined, source, precondition };
    const requestId = `${name}-${n}`;
    for (let asked = 1; ; asked++) {
      const wanted = { intents: [intent], requestId, validateOnly: false, lockWaitMs: 0, priority: 0, labels: {} };
      try {
        await engine.pipeline.run(beginOperation(engine.incarnation, { ...wanted, traceId: "", signal: NEVER }));
        say({ committed: value + 1, path, asked });
        break;
      } catch (error) {
        if (!(error instanceof SafeOperationError)) throw error;
        answers[error.reason] = (answers[error.reason] ?? 0) + 1;
        if (error.outcome === "UNKNOWN" || error.status === "UNAVAILABLE") continue;
        if (!["LOCK_FENCED", "PRECONDITION_FAILED"].includes(error.reason)) throw error;
        break;
      }
    }
  }
  await engine.announcer.settled(AbortSignal.timeout(10_000));
  await engine.writer.close();
  index.close();
  return answers;
}

const stop = new AbortController();
process.on("message", (order: Order | "stop") => {
  if (order === "stop") return stop.abort();
  count(order, stop.signal).then(
    (ended) => {
      say({ ended });
      process.disconnect();
    },
    (error: Error) => {
      say({ failed: String(error.stack) });
      process.disconnect();
    },
  );
});
