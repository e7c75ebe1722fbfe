import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { SafefileClient } from "@safefile/client";
import { Redis } from "ioredis";
import { Cleanup } from "../cluster/cleanup.js";
import { Cluster } from "./cluster.js";
import { Caller, Ledger } from "./ledger.js";

const FLUSHES = 5;
const WRITERS = 6;

/** What writers may be told while Redis has lost its memory: to try again. */
const EXPECTED = new Set(["INDEX_UNAVAILABLE", "LOCK_UNAVAILABLE"]);

test(`I8: ${FLUSHES} FLUSHALL under load lose no write, and the index is the same when rebuilt`, {
  timeout: 180_000,
}, async (t) => {
  const cleanup = Cleanup.of(t);
  const cluster = await Cluster.start(cleanup, 2);
  const redis = new Redis(cluster.redis.url);
  cleanup.defer(() => redis.disconnect());
  const ledger = new Ledger();
  const done = new AbortController();
  cleanup.defer(() => done.abort());
  const writers = Array.from({ length: WRITERS }, async (_, writer) => {
    const caller = new Caller(() => cluster.clients, writer);
    for (let n = 0; !done.signal.aborted; n++) {
      const path = `${writer < 2 ? "shared" : `own-${writer}`}/file-${n % 5}`;
      await ledger.write(caller, { path, name: `w${writer}-${n}`, sizeBytes: 500 });
    }
  });
  const work = Promise.all(writers);
  work.catch(() => done.abort());

  for (let flush = 0; flush < FLUSHES && !done.signal.aborted; flush++) {
    await sleep(200 + Math.random() * 300);
    await redis.flushall();
    const before = ledger.committed;
    const deadline = performance.now() + 20_000;
    while (ledger.committed < before + 20 && !done.signal.aborted) {
      assert(performance.now() < deadline, "writes do not go on after FLUSHALL");
      await sleep(10);
    }
  }
  done.abort();
  await work;

  const [client] = cluster.clients;
  assert(client);
  const { revisions } = await ledger.check(client);
  for (const reason of ledger.reasons.keys()) assert(EXPECTED.has(reason), `a writer was told ${reason}`);
  const reasons = JSON.stringify(Object.fromEntries(ledger.reasons));
  t.diagnostic(`${ledger.committed} acknowledged, ${revisions} revisions, answers: ${reasons}`);

  const listed = await listing(client, ledger);
  await untilIndexed(redis, revisions);
  const indexed = await dump(redis);
  await redis.flushall();
  await client.rebuildIndex();
  assert.deepEqual(await listing(client, ledger), listed, "RebuildIndex changed what is listed");
  assert.deepEqual(await dump(redis), indexed, "RebuildIndex made another index");
  await client.rebuildIndex();
  assert.deepEqual(await dump(redis), indexed, "RebuildIndex over a whole index changed it");
});

/** All files and all their revisions, as a caller sees them. */
async function listing(client: SafefileClient, ledger: Ledger): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const file of client.list("", { recursive: true })) all.push([file.path, file.revision, file.etag]);
  for (const path of [...new Set(ledger.entries.map((entry) => entry.path))].sort())
    for await (const { revision, operationId, sizeBytes, kind } of client.revisions(path))
      all.push([path, revision, operationId, sizeBytes, kind]);
  return all;
}

/** Redis is told after the callers: waits until it has heard of every revision. */
async function untilIndexed(redis: Redis, revisions: number): Promise<void> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    let count = 0;
    for (const key of await redis.keys("safefile:*:f:*")) count += (await redis.hlen(key)) - 2;
    if (count === revisions) return;
    assert(performance.now() < deadline, `Redis has heard of ${count} of ${revisions} revisions`);
    await sleep(20);
  }
}

/** The index in Redis: heads, revisions, paths and request ids, without leases, signs of life and progress. */
async function dump(redis: Redis): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  for (const key of (await redis.keys("safefile:*")).sort()) {
    if (/}:f:/.test(key)) found[key] = Object.fromEntries(Object.entries(await redis.hgetallBuffer(key)).sort());
    else if (/}:r:/.test(key)) found[key] = await redis.get(key);
    else if (/}:paths$/.test(key)) found[key] = await redis.zrange(key, "0", "-1");
  }
  assert(Object.keys(found).length > 10, "there is an index to compare");
  return found;
}
