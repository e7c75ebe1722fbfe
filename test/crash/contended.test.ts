import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { isReason, type SafefileClient, SafefileError } from "@safefile/client";
import { Cleanup, endWithParent } from "../cluster/cleanup.js";
import { Cluster } from "./cluster.js";
import { contentOf, nameIn } from "./content.js";
import type { Order, Said } from "./writer.js";

const COMMITS = Number(process.env.SAFEFILE_TEST_COMMITS ?? 500);
/** Through replicas a commit takes a trip through gRPC and, after a stop, what is left of a lease. */
const REPLICA_COMMITS = Math.ceil(COMMITS / 5);
const WRITERS = 8;
const PATHS = ["counter-0", "counter-1"];
const REPLICAS = 3;
const LEASE_MS = 100;
const SIZE_BYTES = 200;

/** Stops one of them at a time, for longer than it may hold a lease, until `over`. */
async function stopAtRandom(processes: readonly { signal(name: NodeJS.Signals): void }[], over: AbortSignal) {
  let stops = 0;
  while (!over.aborted) {
    await sleep(20 + Math.random() * 80);
    const one = processes[Math.floor(Math.random() * processes.length)];
    one?.signal("SIGSTOP");
    await sleep(LEASE_MS + Math.random() * 2 * LEASE_MS);
    one?.signal("SIGCONT");
    stops += 1;
  }
  return stops;
}

/** Each counter holds its number of commits, and each number was written once, on top of the one before (I3, I5). */
async function checkCounters(client: SafefileClient, acknowledged: ReadonlyMap<string, readonly number[]>) {
  for (const [path, values] of acknowledged) {
    const due = Array.from({ length: values.length }, (_, at) => at + 1);
    assert.deepEqual(
      [...values].sort((left, right) => left - right),
      due,
      `I3: ${path}: acknowledged values`,
    );
    const live = await client.read(path);
    const value = Number(nameIn(live.bytes).split(":")[0]);
    assert.equal(value, values.length, `I3: ${path} holds ${value} after ${values.length} acknowledged commits`);
    const history: number[] = [];
    for await (const { revision } of client.revisions(path)) {
      const { bytes } = await client.readRevision(path, Number(revision));
      history.unshift(Number(nameIn(bytes).split(":")[0]));
    }
    assert.deepEqual(history, [0, ...due], `I3/I5: the history of ${path}`);
  }
}

test(`I3: ${COMMITS} contended commits by ${WRITERS} processes without any locks lose no update`, {
  timeout: 60_000 + COMMITS * 500,
}, async (t) => {
  const cleanup = Cleanup.of(t);
  // Makes the counters, and reads all of it back; it takes no part.
  const cluster = await Cluster.start(cleanup, 1, { incarnationDeadMs: 600_000 });
  const [client] = cluster.clients;
  assert(client);
  const acknowledged = new Map<string, number[]>();
  for (const path of PATHS) {
    acknowledged.set(path, []);
    await client.write(path, contentOf("0:first:0", SIZE_BYTES));
  }
  const answers: Record<string, number> = {};
  let [commits, resolved, left] = [0, 0, WRITERS];
  const full = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  const writers = Array.from({ length: WRITERS }, (_, at): ChildProcess => {
    const writer = fork(fileURLToPath(new URL("./writer.js", import.meta.url)));
    endWithParent(writer);
    cleanup.defer(() => writer.kill("SIGKILL"));
    writer.on("message", (said: Said) => {
      if ("failed" in said) full.reject(new Error(said.failed));
      else if ("ended" in said) {
        for (const [reason, count] of Object.entries(said.ended)) answers[reason] = (answers[reason] ?? 0) + count;
        if (--left === 0) ended.resolve();
      } else {
        acknowledged.get(said.path)?.push(said.committed);
        if (said.asked > 1) resolved += 1;
        if (++commits >= COMMITS) full.resolve();
      }
    });
    writer.once("exit", (code) => code === 0 || full.reject(new Error(`a writer ended with ${code}`)));
    const order: Order = { root: cluster.volume, redisUrl: cluster.redis.url, paths: PATHS, name: `w${at}` };
    writer.send(order);
    return writer;
  });
  const over = new AbortController();
  cleanup.defer(() => over.abort());
  const stopping = stopAtRandom(
    writers.map((writer) => ({ signal: (name) => void writer.kill(name) })),
    over.signal,
  );
  await full.promise;
  over.abort();
  const stops = await stopping;
  for (const writer of writers) writer.send("stop");
  await Promise.race([ended.promise, full.promise.then(() => ended.promise), once(t.signal, "abort")]);
  await checkCounters(client, acknowledged);
  t.diagnostic(
    `${commits} commits, ${resolved} after asking again, ${stops} stops, answers: ${JSON.stringify(answers)}`,
  );
  assert((answers.LOCK_FENCED ?? 0) + (answers.PRECONDITION_FAILED ?? 0) > COMMITS / 20, "nobody was in anybody's way");
});

test(`I3: ${REPLICA_COMMITS} contended commits through ${REPLICAS} replicas, stopped for longer than their leases, lose no update`, {
  timeout: 60_000 + REPLICA_COMMITS * 2_000,
}, async (t) => {
  const cleanup = Cleanup.of(t);
  const cluster = await Cluster.start(cleanup, REPLICAS, { leaseMs: LEASE_MS, incarnationDeadMs: 600_000 });
  const [client] = cluster.clients;
  assert(client);
  const acknowledged = new Map<string, number[]>();
  for (const path of PATHS) {
    acknowledged.set(path, []);
    await client.write(path, contentOf("0:first:0", SIZE_BYTES));
  }
  const over = new AbortController();
  cleanup.defer(() => over.abort());
  const answers: Record<string, number> = {};
  let commits = 0;
  const write = async (writer: number): Promise<void> => {
    for (let n = 0; commits < REPLICA_COMMITS; n++) {
      const at = cluster.clients[(writer + n) % REPLICAS] as SafefileClient;
      const path = PATHS[n % PATHS.length] as string;
      const found = await at.read(path);
      if (found.file.revision === 0n) continue;
      const value = Number(nameIn(found.bytes).split(":")[0]) + 1;
      const options = { ifRevision: Number(found.file.revision), requestId: `w${writer}-${n}` };
      for (;;) {
        try {
          await at.write(path, contentOf(`${value}:w${writer}:${n}`, SIZE_BYTES), options);
          acknowledged.get(path)?.push(value);
          commits += 1;
          break;
        } catch (error) {
          if (!(error instanceof SafefileError)) throw error;
          answers[error.reason ?? error.status] = (answers[error.reason ?? error.status] ?? 0) + 1;
          const isOver = (["LOCK_FENCED", "PRECONDITION_FAILED", "LOCK_LOST"] as const).some((each) =>
            isReason(error, each),
          );
          if (isOver) break;
          assert(error.outcome === "UNKNOWN" || error.reason === "LOCK_TIMEOUT", String(error));
        }
      }
    }
  };
  const stopping = stopAtRandom(
    cluster.running.map(({ replica }) => replica),
    over.signal,
  );
  await Promise.all(Array.from({ length: WRITERS }, (_, writer) => write(writer)));
  over.abort();
  const stops = await stopping;
  await checkCounters(client, acknowledged);
  t.diagnostic(`${commits} commits, ${stops} stops, answers: ${JSON.stringify(answers)}`);
  assert((answers.LOCK_FENCED ?? 0) + (answers.PRECONDITION_FAILED ?? 0) > REPLICA_COMMITS / 20);
});
