import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { LockEventKind, LockService, type SafefileClient } from "@safefile/client";
import { acquire, Cluster, exclusive, reasonOf, release, writeUnder } from "./locking.js";

const cluster = new Cluster();
let one: SafefileClient;
let two: SafefileClient;

before(async () => {
  await cluster.start(2, 3);
  [one, two] = cluster.clients as [SafefileClient, SafefileClient];
});
after(() => cluster.cleanup.end());

test("two sessions that wait for each other at two replicas: the younger gives way, and is told why", async () => {
  const stop = new AbortController();
  const circles: string[][] = [];
  const watching = (async () => {
    for await (const { kind, cycle } of one.locks.watch({ path: "d1", signal: stop.signal }))
      if (kind === LockEventKind.DEADLOCK) circles.push(cycle?.partyIds ?? []);
  })().catch(() => undefined);
  const a = await acquire(one, [exclusive("d1/a")], { session: "older" });
  const b = await acquire(two, [exclusive("d1/b")], { session: "younger" });
  const [elder, younger] = [
    acquire(one, [exclusive("d1/b")], { session: "older", waitMs: 60_000 }),
    acquire(two, [exclusive("d1/a")], { session: "younger", waitMs: 60_000 }),
  ];
  assert.equal(await reasonOf(younger), "LOCK_DEADLOCK");
  await release(two, b);
  const got = await elder;
  assert.equal(got.targets[0]?.target?.path, "d1/b");
  for (const lock of [a, got]) await release(one, lock);
  while (circles.length === 0) await sleep(5);
  stop.abort();
  await watching;
  assert.deepEqual(circles, [["younger", "older"]]);
});

test("a change under a lock is part of its session's circle, and the graph shows the circle", async () => {
  const a = await acquire(one, [exclusive("d2/a")], { session: "changing", priority: 1 });
  const b = await acquire(two, [exclusive("d2/b")], { session: "locking" });
  const change = writeUnder(one, "d2/b", "text", a.lockId, 60_000);
  const wait = reasonOf(acquire(two, [exclusive("d2/a")], { session: "locking", waitMs: 60_000 }));
  let seen: readonly string[] = [];
  let isOver = false;
  void wait.then(() => {
    isOver = true;
  });
  while (seen.length === 0 && !isOver) {
    const { cycles, parties } = await one.call(LockService.method.getWaitGraph, {});
    seen = cycles.flatMap(({ partyIds }) => partyIds);
    for (const id of seen) assert(parties.some(({ partyId }) => partyId === id));
  }
  assert.deepEqual([...seen].sort(), ["changing", "locking"]);
  assert.equal(await wait, "LOCK_DEADLOCK", "it has the lower priority");
  await release(two, b);
  assert.equal(Number((await change).file?.revision), 1);
  await release(one, a);
});

test("without a session nobody is taken for another who holds", async () => {
  const a = await acquire(one, [exclusive("d3/a")], { ownerName: "worker" });
  const b = await acquire(two, [exclusive("d3/b")], { ownerName: "worker" });
  const waits = [
    reasonOf(acquire(one, [exclusive("d3/b")], { ownerName: "worker", waitMs: 1_500 })),
    reasonOf(acquire(two, [exclusive("d3/a")], { ownerName: "worker", waitMs: 1_500 })),
  ];
  assert.deepEqual(await Promise.all(waits), ["LOCK_TIMEOUT", "LOCK_TIMEOUT"]);
  await release(one, a);
  await release(two, b);
});
