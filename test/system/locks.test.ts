import assert from "node:assert/strict";
import { readdir, utimes } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { LockMode, type SafefileClient, type SafefileError } from "@safefile/client";
import { acquire, Cluster, exclusive, reasonOf, release, renew, shared, tokenOf, tree, writeUnder } from "./locking.js";

const cluster = new Cluster();
let one: SafefileClient;
let two: SafefileClient;

before(async () => {
  await cluster.start(2);
  [one, two] = cluster.clients as [SafefileClient, SafefileClient];
});
after(() => cluster.cleanup.end());

const bytes = Buffer.from("text");
const lockFiles = () => readdir(path.join(cluster.volume, ".safefile", "locks"));

const CONFLICTS = [
  ["the same path", exclusive("c1/a"), exclusive("c1/a"), "LOCK_TIMEOUT"],
  ["another path", exclusive("c2/a"), exclusive("c2/b"), "OK"],
  ["shared and shared", shared("c3/a"), shared("c3/a"), "OK"],
  ["shared and exclusive", shared("c4/a"), exclusive("c4/a"), "LOCK_TIMEOUT"],
  ["exclusive and shared", exclusive("c5/a"), shared("c5/a"), "LOCK_TIMEOUT"],
  ["a tree and a path in it", tree("c6"), exclusive("c6/a/b"), "LOCK_TIMEOUT"],
  ["a path and a tree over it", exclusive("c7/a/b"), tree("c7"), "LOCK_TIMEOUT"],
  ["a tree and its own path", tree("c8"), exclusive("c8"), "LOCK_TIMEOUT"],
  ["a path and one below it", exclusive("c9"), exclusive("c9/a"), "OK"],
  ["a tree and one with a name that begins alike", tree("c10"), tree("c10a"), "OK"],
  ["two shared trees", tree("c11", LockMode.SHARED), tree("c11/a", LockMode.SHARED), "OK"],
  ["a shared tree and a path in it", tree("c12", LockMode.SHARED), exclusive("c12/a"), "LOCK_TIMEOUT"],
] as const;

for (const [what, held, wanted, expected] of CONFLICTS) {
  test(`two replicas, ${what}: ${expected}`, async () => {
    const lock = await acquire(one, [held]);
    const answer = acquire(two, [wanted]);
    assert.equal(await reasonOf(answer), expected);
    if (expected === "OK") assert.equal(await release(two, await answer), true);
    assert.equal(await release(one, lock), true);
    const after = await acquire(two, [wanted]);
    await release(two, after);
  });
}

test("a change without the lock waits for it, and is told who has it", async () => {
  const lock = await acquire(one, [exclusive("w/a")], { ownerName: "nightly job" });
  for (const client of [one, two]) {
    const failure = await client.write("w/a", bytes, { lockWaitMs: 0 }).then(
      () => assert.fail("it was written"),
      (error: SafefileError) => error,
    );
    assert.equal(failure.reason, "LOCK_TIMEOUT");
    assert.equal(failure.metadata.holder, "the lock of nightly job");
    assert.match(failure.message, /w\/a was busy for \d+ ms: the lock of nightly job has it/);
  }
  const waiting = two.write("w/a", bytes, { lockWaitMs: 20_000 });
  await release(two, lock);
  assert.equal((await waiting).revision?.revision, 1n);
});

test("a change below a locked tree waits, one beside it does not", async () => {
  const lock = await acquire(one, [tree("wt")]);
  assert.equal(await reasonOf(two.write("wt/a/b", bytes, { lockWaitMs: 0 })), "LOCK_TIMEOUT");
  await two.write("wtx", bytes, { lockWaitMs: 0 });
  await release(one, lock);
  await two.write("wt/a/b", bytes, { lockWaitMs: 0 });
});

test("changes under the lock go through on both replicas, on what it covers and on more", async () => {
  const lock = await acquire(one, [tree("u"), exclusive("v")]);
  const { lockId } = lock;
  await writeUnder(one, "u/a", "1", lockId);
  await writeUnder(two, "u/a", "2", lockId);
  await writeUnder(two, "v", "3", lockId);
  await writeUnder(one, "beyond", "4", lockId);
  await two.append("u/a", bytes, { lockId, lockWaitMs: 0 });
  await one.move("u/a", "u/b", { lockId, lockWaitMs: 0 });
  await two.transaction((tx) => tx.write("u/c", bytes).write("v", bytes).move("u/b", "out"), { lockId, lockWaitMs: 0 });
  await one.upload("u/large", Buffer.alloc(200_000), { lockId, lockWaitMs: 0 });
  await one.rollback("u/c", 1, { lockId, lockWaitMs: 0 });
  await two.remove("u/c", { lockId, lockWaitMs: 0 });
  assert.equal(await reasonOf(two.write("u/d", bytes, { lockWaitMs: 0 })), "LOCK_TIMEOUT");
  // What somebody else holds is an obstacle under a lock, too.
  const other = await acquire(two, [exclusive("theirs")]);
  assert.equal(await reasonOf(writeUnder(one, "theirs", "5", lockId)), "LOCK_TIMEOUT");
  await release(one, other);
  await release(one, lock);
});

test("under a shared lock a change waits for the others who share it", async () => {
  const [mine, theirs] = [await acquire(one, [shared("s")]), await acquire(two, [shared("s")])];
  assert.equal(await reasonOf(writeUnder(one, "s", "1", mine.lockId)), "LOCK_TIMEOUT");
  await release(two, theirs);
  await writeUnder(one, "s", "1", mine.lockId);
  await release(one, mine);
});

test("several changes under one lock take turns on a path", async () => {
  const { lockId } = await acquire(one, [exclusive("turns")]);
  const clients = [one, two, one, two, one, two];
  await Promise.all(clients.map((client, at) => writeUnder(client, "turns", `${at}`, lockId, 20_000)));
  assert.equal((await one.stat("turns")).revision, 6n);
  assert.equal(await release(two, { lockId } as never), true);
});

test("LOCK_LOST: a lock that was released, expired or never was", async () => {
  const released = await acquire(one, [exclusive("l/a")]);
  await release(one, released);
  const expired = await acquire(one, [exclusive("l/b")], { ttlMs: 50 });
  // It is gone when another one can be had; that one is not on the same path, or its place would be taken.
  await until(async () => (await reasonOf(renewQuietly(expired.lockId))) === "LOCK_LOST");
  for (const client of [one, two])
    for (const lockId of [released.lockId, expired.lockId, "AAAAAAAAAAAA.1", "nonsense"])
      assert.equal(await reasonOf(writeUnder(client, "l/c", "x", lockId)), "LOCK_LOST", lockId);
  assert.equal(await reasonOf(one.stat("l/c")), "PATH_NOT_FOUND");
  for (const { lockId } of [released, expired])
    assert.equal(await reasonOf(one.write("l/c", bytes, { lockId, validateOnly: true })), "LOCK_LOST");
  for (const lock of [released, expired]) {
    assert.equal(await reasonOf(renew(two, lock)), "LOCK_LOST");
    assert.equal(await release(two, lock), false);
  }
});

/** Looks whether a lock lasts, without letting it last longer: by a change under it that can do nothing. */
const renewQuietly = (lockId: string) =>
  one.write("l/none", bytes, { lockId, lockWaitMs: 0, ifRevision: 1 }).catch((error: SafefileError) => {
    if (error.reason !== "PRECONDITION_FAILED") throw error;
  });

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let look = 0; look < 1_000; look++) {
    if (await isSo()) return;
    await sleep(10);
  }
  assert.fail("it did not come to that");
}

test("a lock lasts for its ttl, by default and up to the limit, and from each renewal on", async () => {
  const short = await acquire(one, [exclusive("t/a")], { ttlMs: 0 });
  const left = (lock: { remaining?: { seconds: bigint; nanos: number } | undefined }) =>
    Number(lock.remaining?.seconds) + Number(lock.remaining?.nanos) / 1e9;
  assert.ok(left(short) > 29 && left(short) <= 30, `${left(short)}`);
  const long = await acquire(one, [exclusive("t/b")], { ttlMs: 3_600_000 });
  assert.ok(left(long) > 599 && left(long) <= 600, `${left(long)}`);
  const { lock } = await renew(two, short, 60_000);
  assert.ok(left(lock!) > 59 && left(lock!) <= 60, `${left(lock!)}`);
  assert.deepEqual(lock?.targets, short.targets);
  assert.equal(lock?.acquireTime?.seconds, short.acquireTime?.seconds);
  for (const each of [short, long]) assert.equal(await release(two, each), true);
});

test("tokens rise with each exclusive holder of a path, over both replicas, and are 0 for shared ones", async () => {
  const tokens: bigint[] = [];
  for (let round = 0; round < 3; round++)
    for (const client of [one, two]) {
      const lock = await acquire(client, [exclusive("k/a"), shared("k/b"), tree("k/c")]);
      assert.deepEqual(
        lock.targets.map(({ target }) => target?.path),
        ["k/a", "k/b", "k/c"],
      );
      assert.equal(tokenOf(lock, 1), 0n);
      assert.ok(tokenOf(lock, 2) > 0n);
      tokens.push(tokenOf(lock));
      await writeUnder(client, "k/a", `${round}`, lock.lockId);
      await release(client, lock);
    }
  assertRising(tokens);
  const root = [await acquire(one, [tree("")], { waitMs: 20_000 })];
  await release(one, root[0]!);
  root.push(await acquire(two, [tree("")], { waitMs: 20_000 }));
  await release(two, root[1]!);
  assertRising(root.map((lock) => tokenOf(lock)));
});

function assertRising(tokens: readonly bigint[]): void {
  for (const [at, token] of tokens.entries())
    if (at > 0) assert.ok(token > tokens[at - 1]!, `tokens do not rise: ${tokens.join(" ")}`);
}

test("a request_id stands for one lock as long as that lasts", async () => {
  const targets = [exclusive("r/a")];
  const first = await acquire(one, targets, { requestId: "lock-once" });
  const again = await acquire(two, targets, { requestId: "lock-once" });
  assert.equal(again.lockId, first.lockId);
  assert.deepEqual(again.targets, first.targets);
  assert.equal(await reasonOf(acquire(two, [exclusive("r/b")], { requestId: "lock-once" })), "REQUEST_ID_REUSED");
  await release(one, first);
  const next = await acquire(two, targets, { requestId: "lock-once" });
  assert.notEqual(next.lockId, first.lockId);
  assert.ok(tokenOf(next) > tokenOf(first));
  await release(two, next);
});

test("who takes the place of a lock that expired ends it for good: LOCK_FENCED or LOCK_LOST, nothing is published", async () => {
  const old = await acquire(one, [exclusive("f/a")], { ttlMs: 50 });
  const next = await acquire(two, [exclusive("f/a")], { waitMs: 20_000 });
  assert.ok(tokenOf(next) > tokenOf(old));
  assert.ok(!(await lockFiles()).includes(old.lockId));
  for (const client of [one, two])
    assert.match(await reasonOf(writeUnder(client, "f/a", "old", old.lockId)), /^LOCK_(LOST|FENCED)$/);
  assert.equal(await reasonOf(renew(one, old)), "LOCK_LOST");
  await writeUnder(one, "f/a", "new", next.lockId);
  assert.equal((await two.stat("f/a")).revision, 1n);
  await release(one, next);
});

test("a caller who is gone leaves nothing behind, waiting or granted", async () => {
  const lock = await acquire(one, [exclusive("g")]);
  const gone = new AbortController();
  const waiting = two.call(
    (await import("@safefile/client")).LockService.method.acquireLock,
    { targets: [exclusive("g")] },
    { signal: gone.signal },
  );
  const answer = reasonOf(waiting);
  await sleep(50);
  gone.abort();
  await answer;
  await release(one, lock);
  await release(two, await acquire(two, [exclusive("g")], { waitMs: 20_000 }));
});

test("files of locks that are over are removed", async () => {
  const lock = await acquire(one, [exclusive("x")]);
  const file = path.join(cluster.volume, ".safefile", "locks", lock.lockId);
  await utimes(file, 0, 0); // the time of a file says nothing while the lock servers have the lock
  assert.ok((await lockFiles()).includes(lock.lockId));
  await release(two, lock);
  assert.ok(!(await lockFiles()).some((name) => name.startsWith(lock.lockId)));
});
