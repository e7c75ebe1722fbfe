import assert from "node:assert/strict";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { SafefileClient, type WatchFilesResponse } from "@safefile/client";
import { Redis as RedisClient } from "ioredis";
import { Cleanup } from "../cluster/cleanup.js";
import { type Redis, startRedis } from "../cluster/redis.js";
import { type Replica, startReplica } from "../cluster/replica.js";
import { tempVolume } from "../cluster/volume.js";

const WAIT_MS = 30_000;
const bytes = (text: string): Buffer => Buffer.from(text);

async function until(what: string, condition: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = performance.now() + WAIT_MS;
  while (!(await condition())) {
    assert(performance.now() < deadline, what);
    await sleep(20);
  }
}

interface Setting {
  readonly cleanup: Cleanup;
  readonly replicas: Replica[];
  readonly clients: SafefileClient[];
  readonly redis: { current: Redis };
  /** Asks the Redis that runs now. */
  ask<T>(call: (redis: RedisClient) => Promise<T>): Promise<T>;
  add(): Promise<SafefileClient>;
}

async function start(cleanup: Cleanup): Promise<Setting> {
  const volume = await tempVolume(cleanup);
  const redis = { current: await startRedis({ cleanup, appendonly: true }) };
  const replicas: Replica[] = [];
  const clients: SafefileClient[] = [];
  const add = async (): Promise<SafefileClient> => {
    const config = { heartbeatMs: 250, incarnationDeadMs: 20_000, leaseMs: 1_000, logLevel: "info" };
    const replica = await startReplica({ cleanup, volume, redis: [redis.current.url], config });
    const client = new SafefileClient({ address: replica.address });
    cleanup.defer(() => client.close());
    replicas.push(replica);
    clients.push(client);
    return client;
  };
  const ask = async <T>(call: (redis: RedisClient) => Promise<T>): Promise<T> => {
    const client = new RedisClient(redis.current.url);
    try {
      return await call(client);
    } finally {
      client.disconnect();
    }
  };
  for (let at = 0; at < 2; at++) await add();
  return { cleanup, replicas, clients, redis, ask, add };
}

/** Heads, revisions, request ids with when they expire. */
const dump = (redis: RedisClient): Promise<Record<string, unknown>> =>
  (async () => {
    const found: Record<string, unknown> = {};
    for (const key of (await redis.keys("safefile:*")).sort()) {
      if (/}:f:/.test(key)) found[key] = Object.fromEntries(Object.entries(await redis.hgetallBuffer(key)).sort());
      else if (/}:r:/.test(key)) found[key] = [await redis.get(key), await redis.call("PEXPIRETIME", key)];
      else if (/}:paths$/.test(key)) found[key] = await redis.zrange(key, "0", "-1");
    }
    return found;
  })();

const revisionsIn = async (redis: RedisClient): Promise<number> => {
  let count = 0;
  for (const key of await redis.keys("safefile:*:f:*")) count += (await redis.hlen(key)) - 2;
  return count;
};

const generation = (redis: RedisClient): Promise<string> =>
  redis.keys("safefile:*}:ready").then(([key]) => redis.get(key ?? "").then((value) => value ?? "missing"));

/** Sets Redis back to what it knew when `change` began, as a crash does that loses what was not yet on its disk. */
async function setBack({ cleanup, redis }: Setting, change: () => Promise<void>): Promise<void> {
  const { dir, port } = redis.current;
  const kept = await mkdtemp(path.join(tmpdir(), "safefile-kept-"));
  cleanup.defer(() => rm(kept, { recursive: true, force: true }));
  await cp(dir, kept, { recursive: true });
  await change();
  await redis.current.kill();
  await rm(dir, { recursive: true });
  await cp(kept, dir, { recursive: true });
  redis.current = await startRedis({ cleanup, appendonly: true, dir, port });
}

test("I8: what Redis forgot by going back is indexed again, though nobody writes there", {
  timeout: 120_000,
}, async (t) => {
  const cleanup = Cleanup.of(t);
  const setting = await start(cleanup);
  const { ask } = setting;
  const [one, two] = setting.clients as [SafefileClient, SafefileClient];
  await one.write("a", bytes("1"));
  await two.write("b", bytes("1"));
  await one.write("gone", bytes("1"));
  await until("three revisions are indexed", async () => (await ask(revisionsIn)) === 3);
  const built = await ask(generation);
  // A replica that dies after Redis heard of its changes leaves nobody but its survivor to repeat them.
  const dying = await setting.add();

  const events: WatchFilesResponse[] = [];
  let ended: unknown;
  const stop = new AbortController();
  cleanup.defer(() => stop.abort());
  const watching = (async () => {
    for await (const event of two.watch("", { recursive: true, signal: stop.signal })) events.push(event);
  })().catch((error: unknown) => {
    if (!stop.signal.aborted) ended = error;
  });
  await until("the watch begins", () => events.length > 0);

  let told: Record<string, unknown> = {};
  await setBack(setting, async () => {
    await one.write("a", bytes("2"), { requestId: "late-one" });
    for (let n = 0; n < 300; n++) await (n % 2 ? one : two).write(`many/${n % 20}`, bytes(`${n}`));
    await two.write("c", bytes("1"), { requestId: "late-two" });
    await one.remove("gone", { requestId: "late-delete" });
    await dying.write("left", bytes("1"), { requestId: "late-left" });
    await setting.replicas[2]?.kill();
    await until("all is indexed", async () => (await ask(revisionsIn)) === 3 + 300 + 4);
    await until("the dead one is ended", () => setting.replicas.some((each) => each.logs().includes("ended dead")));
    told = await ask(dump);
  });

  await until("what was forgotten is indexed again", async () => (await ask(revisionsIn)) === 307);
  assert.deepEqual(await ask(dump), told);
  assert.equal(await ask(generation), built, "the index was repaired, not rebuilt");

  // Each through the other replica than the one that did it.
  for (const [client, requestId, act] of [
    [two, "late-one", (by: SafefileClient) => by.write("a", bytes("2"), { requestId: "late-one" })],
    [one, "late-two", (by: SafefileClient) => by.write("c", bytes("1"), { requestId: "late-two" })],
    [two, "late-delete", (by: SafefileClient) => by.remove("gone", { requestId: "late-delete" })],
    [one, "late-left", (by: SafefileClient) => by.write("left", bytes("1"), { requestId: "late-left" })],
  ] as const)
    assert.equal((await act(client)).replayed, true, requestId);

  // What comes before the watcher has found its new place is what the gap stands for.
  await until("the watcher is told of the gap", () => events.some(({ event }) => event.case === "gap"));
  await one.write("after", bytes("1"));
  const isAfter = ({ event }: WatchFilesResponse) => event.case === "change" && event.value.revision?.path === "after";
  await until("the watch goes on", () => {
    assert.equal(ended, undefined);
    return events.some(isAfter);
  });
  assert.equal(events.filter(({ event }) => event.case === "gap").length, 1);
  stop.abort();
  await watching;
});

test("I8: Redis that goes back while changes go on is whole again", { timeout: 120_000 }, async (t) => {
  const cleanup = Cleanup.of(t);
  const setting = await start(cleanup);
  const { ask } = setting;
  const done = new AbortController();
  cleanup.defer(() => done.abort());
  const writers = Promise.all(
    Array.from({ length: 4 }, async (_, at) => {
      for (let n = 0; !done.signal.aborted; n++) {
        const client = setting.clients[n % 2] as SafefileClient;
        // Most paths are written once only, so that no later writer indexes what is missing.
        await client.write(n % 3 ? `once/${at}-${n}` : `shared/${n % 5}`, bytes(`${n}`)).catch(() => undefined);
      }
    }),
  );
  for (let round = 0; round < 2; round++) await setBack(setting, () => sleep(1_000).then(() => undefined));
  await sleep(500);
  done.abort();
  await writers;
  const expected = async (): Promise<number> => {
    let count = 0;
    for await (const file of (setting.clients[0] as SafefileClient).list("", { recursive: true }))
      if (file.revision > 0n) count += Number(file.revision);
    return count;
  };
  const made = await expected();
  await until("every revision is indexed", async () => (await ask(revisionsIn)) === made);
  // Rebuilt from the volume, it is the same.
  const told = await ask(dump);
  await setting.clients[0]?.rebuildIndex();
  assert.deepEqual(await ask(dump), told);
  t.diagnostic(`${made} revisions`);
});

test("I5: a request id is known after Redis forgot everything, with the time it had left", async (t) => {
  const cleanup = Cleanup.of(t);
  const setting = await start(cleanup);
  const { ask } = setting;
  const [one, two] = setting.clients as [SafefileClient, SafefileClient];
  const first = await one.write("a", bytes("1"), { requestId: "first" });
  await one.write("a", bytes("2"), { requestId: "second" });
  await one.write("gone", bytes("1"), { requestId: "made" });
  await one.remove("gone", { requestId: "removed" });
  await until("all is indexed", async () => (await ask(revisionsIn)) === 4);
  const before = await ask(dump);
  const built = await ask(generation);
  await ask((redis) => redis.flushall());
  await until("the index is rebuilt", async () => ![built, "missing"].includes(await ask(generation)));
  assert.deepEqual(await ask(dump), before);
  assert.equal(Object.keys(before).filter((key) => /}:r:/.test(key)).length, 4);
  const again = await two.write("a", bytes("1"), { requestId: "first" });
  assert.deepEqual([again.replayed, again.operationId], [true, first.operationId]);
  assert.equal((await two.remove("gone", { requestId: "removed" })).replayed, true);
  assert.equal((await two.write("gone", bytes("1"), { requestId: "made" })).replayed, true);
  assert.equal((await two.stat("a")).revision, 2n);
});
