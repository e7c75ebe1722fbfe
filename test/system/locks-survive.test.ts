import assert from "node:assert/strict";
import { readdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type SafefileClient, SafefileError } from "@safefile/client";
import { type Redis, startRedis } from "../cluster/redis.js";
import { acquire, Cluster, exclusive, reasonOf, release, renew, shared, tokenOf, tree, writeUnder } from "./locking.js";
import { flush } from "./world.js";

/** A server that forgot everything keeps from voting for this long, unless nothing can be out. */
const FAST = {
  SAFEFILE_LEASE_MS: "1000",
  SAFEFILE_LOCK_CLEAN_MS: "100",
};
const bytes = Buffer.from("text");

async function start(
  t: { after(end: () => Promise<void>): void },
  replicas: number,
  servers = 1,
  env: Readonly<Record<string, string>> = {},
): Promise<Cluster> {
  const cluster = new Cluster();
  t.after(() => cluster.cleanup.end());
  await cluster.start(replicas, servers, { ...FAST, ...env });
  return cluster;
}

const forget = (servers: readonly Redis[]) => Promise.all(servers.map((server) => flush(server)));

/** The index is in the first of them, and is rebuilt meanwhile. */
async function indexed<T>(change: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await change();
    } catch (error) {
      if (!(error instanceof SafefileError && error.reason === "INDEX_UNAVAILABLE")) throw error;
      await sleep(50);
    }
  }
}

for (const servers of [1, 3]) {
  test(`I8: a lock survives that ${servers} of ${servers} lock servers forget everything`, async (t) => {
    const cluster = await start(t, 2, servers);
    const [one, two] = cluster.clients as [SafefileClient, SafefileClient];
    const lock = await acquire(one, [exclusive("a"), tree("dir"), shared("s")]);
    const quiet = await acquire(two, [exclusive("quiet")]);
    await forget(cluster.servers);
    // Whoever has it may renew it at once, and nobody else gets in between.
    await renew(two, lock);
    const stranger = reasonOf(two.write("dir/b", bytes, { lockWaitMs: 3_000 }));
    await indexed(() => writeUnder(one, "dir/b", "mine", lock.lockId, 20_000));
    await indexed(() => writeUnder(two, "a", "mine", lock.lockId, 20_000));
    assert.equal(await stranger, "LOCK_TIMEOUT");
    assert.equal(await reasonOf(acquire(one, [exclusive("s")], { waitMs: 0 })), "LOCK_TIMEOUT");
    // Nobody has renewed this one.
    await indexed(() => writeUnder(one, "quiet", "mine", quiet.lockId, 20_000));
    assert.equal(await reasonOf(one.write("quiet", bytes, { lockWaitMs: 100 })), "LOCK_TIMEOUT");
    assert.equal(await release(one, lock), true);
    const next = await acquire(two, [exclusive("a")], { waitMs: 20_000 });
    assert.ok(tokenOf(next) > tokenOf(lock));
  });
}

test("a lock outlives the replica that gave it: others serve it and let it last", async (t) => {
  const cluster = await start(t, 2);
  const [one, two] = cluster.clients as [SafefileClient, SafefileClient];
  const lock = await acquire(one, [tree("dir")], { requestId: "before-the-crash" });
  await cluster.replicas[0]!.kill();
  await renew(two, lock);
  await writeUnder(two, "dir/a", "mine", lock.lockId);
  assert.equal(await reasonOf(two.write("dir/a", bytes, { lockWaitMs: 100 })), "LOCK_TIMEOUT");
  const again = await acquire(two, [tree("dir")], { requestId: "before-the-crash" });
  assert.equal(again.lockId, lock.lockId);
  assert.equal(await release(two, lock), true);
});

test("tokens rise over expiry, release, break of all replicas and the loss of all lock servers' memory", async (t) => {
  const cluster = await start(t, 2);
  let [one, two] = cluster.clients as [SafefileClient, SafefileClient];
  const tokens: bigint[] = [];
  const take = async (client: SafefileClient, ttlMs = 30_000) => {
    const lock = await acquire(client, [exclusive("a"), tree("")], { waitMs: 20_000, ttlMs }).catch(() =>
      acquire(client, [exclusive("a")], { waitMs: 20_000, ttlMs }),
    );
    tokens.push(tokenOf(lock));
    return lock;
  };
  await take(one, 100);
  const second = await take(two, 20_000);
  await writeUnder(one, "a", "1", second.lockId);
  await release(two, second);
  await forget(cluster.servers);
  await release(one, await take(one));
  // All replicas at once, with the lock of one of them still out.
  const out = await take(two, 1_000);
  await Promise.all(cluster.replicas.map((replica) => replica.kill()));
  await forget(cluster.servers);
  cluster.replicas = [];
  cluster.clients = [];
  one = await cluster.add(FAST);
  two = await cluster.add(FAST);
  assert.equal(await reasonOf(writeUnder(one, "b", "1", out.lockId)).then((reason) => reason === "INTERNAL"), false);
  await release(two, await take(two));
  await release(one, await take(one));
  for (const [at, token] of tokens.entries())
    if (at > 0) assert.ok(token > tokens[at - 1]!, `tokens do not rise: ${tokens.join(" ")}`);
});

test("a lock that expired is not brought back when the lock servers forget", async (t) => {
  // Its file stays: without one, nothing could be brought back.
  const cluster = await start(t, 2, 1, { SAFEFILE_LOCK_CLEAN_MS: "600000" });
  const [one, two] = cluster.clients as [SafefileClient, SafefileClient];
  const lock = await acquire(one, [exclusive("a")], { ttlMs: 6_000 });
  await two.write("a", bytes, { lockWaitMs: 20_000 }); // waits for its end
  await forget(cluster.servers);
  // Had it been, it would last longer than the index takes to be rebuilt.
  const late = reasonOf(indexed(() => writeUnder(two, "a", "late", lock.lockId, 20_000)));
  assert.match(await late, /^LOCK_(LOST|FENCED)$/);
  assert.equal((await one.stat("a")).revision, 1n);
});

test("I3: what is held up under a lock is not published once somebody has taken its place", async (t) => {
  const cluster = await start(t, 2, 1, { SAFEFILE_INCARNATION_DEAD_MS: "600000" });
  const [one, two] = cluster.clients as [SafefileClient, SafefileClient];
  await one.write("a", Buffer.from("base"));
  for (let round = 0; round < 5; round++) {
    const lock = await acquire(one, [exclusive("a")], { ttlMs: 400, waitMs: 20_000 });
    const writing = Array.from({ length: 8 }, (_, at) =>
      one.write("a", Buffer.from(`old ${round}.${at}`), { lockId: lock.lockId, lockWaitMs: 20_000 }).then(
        () => "COMMITTED",
        (error: { reason?: string; outcome?: string }) => error.outcome ?? "",
      ),
    );
    await new Promise((resolve) => setTimeout(resolve, 5 * round));
    cluster.replicas[0]!.signal("SIGSTOP");
    const next = await acquire(two, [exclusive("a")], { waitMs: 20_000 });
    const found = (await two.stat("a")).revision;
    cluster.replicas[0]!.signal("SIGCONT");
    const outcomes = await Promise.all(writing);
    const { revision, operationId } = await two.stat("a");
    assert.equal(revision, found, `something was published after its lock was taken: ${outcomes} ${operationId}`);
    await writeUnder(two, "a", "new", next.lockId);
    await release(two, next);
  }
});

test("a change whose lock's file is gone is not published, whatever the lock servers say", async (t) => {
  const cluster = await start(t, 1);
  const [one] = cluster.clients as [SafefileClient];
  const lock = await acquire(one, [exclusive("a")]);
  await rm(path.join(cluster.volume, ".safefile", "locks", lock.lockId));
  assert.equal(await reasonOf(writeUnder(one, "a", "x", lock.lockId)), "LOCK_FENCED");
  assert.equal(await reasonOf(one.stat("a")), "PATH_NOT_FOUND");
  assert.equal(await reasonOf(renew(one, lock)), "LOCK_LOST");
});

test("files that are no locks, and torn ones, disturb nobody and are left alone", async (t) => {
  const cluster = await start(t, 1);
  const [one] = cluster.clients as [SafefileClient];
  await release(one, await acquire(one, [exclusive("a")]));
  const locks = path.join(cluster.volume, ".safefile", "locks");
  for (const [name, text] of [
    ["AAAAAAAAAAAA.7", '{"id":'],
    ["AAAAAAAAAAAA.8", '{"id":"BBBBBBBBBBBB.8"}'],
    ["README", "hello"],
  ] as const)
    await writeFile(path.join(locks, name), text);
  await release(one, await acquire(one, [exclusive("a")]));
  assert.equal(await reasonOf(writeUnder(one, "a", "x", "AAAAAAAAAAAA.7")), "LOCK_LOST");
});

test("files of locks that expired are removed after a while", async (t) => {
  const cluster = await start(t, 2);
  const [one] = cluster.clients as [SafefileClient];
  const locks = path.join(cluster.volume, ".safefile", "locks");
  const lasting = await acquire(one, [exclusive("a")]);
  await acquire(one, [exclusive("b"), shared("c")], { ttlMs: 50 });
  for (let look = 0; (await readdir(locks)).length > 1; look++) {
    assert.ok(look < 1_000, `still there: ${await readdir(locks)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.deepEqual(await readdir(locks), [lasting.lockId]);
});

test("one of three lock servers restarts empty: locks go on", async (t) => {
  const cluster = await start(t, 2, 3);
  const [one, two] = cluster.clients as [SafefileClient, SafefileClient];
  const lock = await acquire(one, [exclusive("a")]);
  // Not the first: that one holds the index.
  const { port } = cluster.servers[2]!;
  await cluster.servers[2]!.kill();
  await renew(two, lock);
  cluster.servers[2] = await startRedis({ cleanup: cluster.cleanup, port });
  await renew(one, lock);
  await writeUnder(two, "a", "mine", lock.lockId, 20_000);
  assert.equal(await reasonOf(one.write("a", bytes, { lockWaitMs: 500 })), "LOCK_TIMEOUT");
  assert.equal(await release(two, lock), true);
});
