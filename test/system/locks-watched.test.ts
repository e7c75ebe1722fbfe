import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  IncidentKind,
  LockEventKind,
  LockService,
  Outcome,
  type SafefileClient,
  type SafefileError,
  type WatchLocksResponse,
} from "@safefile/client";
import { Redis } from "ioredis";
import { acquire, Cluster, exclusive, reasonOf, release, shared, tokenOf, tree, writeUnder } from "./locking.js";

const FAST = { SAFEFILE_WATCH_POLL_MS: "50", SAFEFILE_WATCH_HEARTBEAT_MS: "200", SAFEFILE_LEASE_KEEP_MS: "0" };
const cluster = new Cluster();
let one: SafefileClient;
let two: SafefileClient;

before(async () => {
  await cluster.start(2, 3, FAST);
  [one, two] = cluster.clients as [SafefileClient, SafefileClient];
});
after(() => cluster.cleanup.end());

const { listLocks, breakLock } = LockService.method;
const bytes = Buffer.from("text");

async function until<T>(what: string, find: () => Promise<T | undefined>): Promise<T> {
  for (let look = 0; look < 1_000; look++) {
    const found = await find();
    if (found !== undefined) return found;
    await sleep(10);
  }
  return assert.fail(`not seen: ${what}`);
}

test("ListLocks shows locks, leases of changes, and who waits, on either replica", async () => {
  const lock = await acquire(one, [tree("l"), exclusive("m")], {
    ownerName: "holder",
    priority: 7,
    labels: { why: "because" },
  });
  const writing = two.write("l/a", bytes, { lockWaitMs: 20_000, priority: -3 });
  const locking = acquire(one, [exclusive("m"), shared("n")], { ownerName: "second", waitMs: 20_000 });
  const entry = await until("both who wait", async () => {
    const { locks } = await two.call(listLocks, { path: "l/a/b" });
    return locks.find((each) => each.lock?.lockId === lock.lockId && each.waiters.length === 2);
  });
  assert.deepEqual(entry.lock?.targets, lock.targets);
  assert.equal(entry.lock?.owner?.name, "holder");
  assert.equal(entry.lock?.owner?.incarnation, cluster.replicas[0]!.incarnation);
  assert.match(entry.lock?.owner?.traceId ?? "", /^[0-9a-f]{32}$/);
  assert.deepEqual([entry.lock?.clientLock, entry.lock?.priority, entry.lock?.waiters], [true, 7, 2]);
  assert.deepEqual(entry.lock?.labels, { why: "because" });
  assert.ok(Number(entry.lock?.remaining?.seconds) < 30);
  const change = entry.waiters.find(({ owner }) => owner?.operationId !== "");
  assert.equal(change?.owner?.incarnation, cluster.replicas[1]!.incarnation);
  assert.deepEqual([change?.priority, change?.targets.map(({ path }) => path)], [-3, ["l/a"]]);
  assert.match(change?.owner?.traceId ?? "", /^[0-9a-f]{32}$/);
  const client = entry.waiters.find(({ owner }) => owner?.name === "second");
  assert.deepEqual(
    client?.targets.map(({ path }) => path),
    ["m", "n"],
  );
  assert.deepEqual(
    entry.waiters.map(({ position }) => position),
    [1, 2],
  );
  await release(one, lock);
  await writing;
  const next = await locking;
  assert.equal(next.lockId, client?.waiterId, "who waited has its id as the id of the lock");
  await release(one, next);
});

test("ListLocks goes through all in pages, and by path and kind", async () => {
  const paths = Array.from({ length: 7 }, (_, at) => `p/${at}`);
  const locks = await Promise.all(paths.map((path) => acquire(one, [exclusive(path)])));
  const seen: string[] = [];
  for (let pageToken = ""; ; ) {
    const page = await two.call(listLocks, { path: "p", pageSize: 3, pageToken, clientLocksOnly: true });
    assert.ok(page.locks.length <= 3);
    seen.push(...page.locks.map(({ lock }) => lock?.targets[0]?.target?.path ?? ""));
    pageToken = page.nextPageToken;
    if (pageToken === "") break;
  }
  assert.deepEqual(seen, paths);
  const { nextPageToken } = await two.call(listLocks, { path: "p", pageSize: 3 });
  assert.equal(await reasonOf(two.call(listLocks, { path: "q", pageToken: nextPageToken })), "ARGUMENT_INVALID");
  const { locks: some } = await two.call(listLocks, { path: "p/3" });
  assert.deepEqual(
    some.map(({ lock }) => lock?.lockId),
    [locks[3]!.lockId],
  );
  assert.deepEqual((await two.call(listLocks, { path: "elsewhere" })).locks, []);
  await Promise.all(locks.map((lock) => release(one, lock)));
});

test("BreakLock ends a lock: nothing more under it, a higher token, an incident, one answer per request_id", async () => {
  const lock = await acquire(one, [exclusive("b/a")], { ownerName: "stuck" });
  const request = { lockId: lock.lockId, reason: "the job hangs", requestId: "break-once" };
  const first = await two.call(breakLock, request);
  assert.equal(first.lock?.lockId, lock.lockId);
  assert.equal(first.lock?.owner?.name, "stuck");
  assert.deepEqual(first.lock?.targets, lock.targets);
  assert.equal(first.outcome, Outcome.UNSPECIFIED);
  for (const client of [one, two])
    assert.match(await reasonOf(writeUnder(client, "b/a", "x", lock.lockId)), /^LOCK_(LOST|FENCED)$/);
  assert.equal(await reasonOf(one.stat("b/a")), "PATH_NOT_FOUND");
  const again = await one.call(breakLock, request);
  assert.equal(again.lock?.lockId, lock.lockId);
  assert.deepEqual(again.lock?.targets, lock.targets);
  assert.equal(await reasonOf(one.call(breakLock, { ...request, requestId: "another" })), "LOCK_LOST");
  assert.equal(await release(one, lock), false);
  const next = await acquire(one, [exclusive("b/a")]);
  assert.ok(tokenOf(next) > tokenOf(lock) + 1n, "breaking raises the token itself");
  await release(one, next);
  const incidents = [];
  for await (const incident of one.incidents())
    if (incident.kind === IncidentKind.LOCK_BROKEN) incidents.push(incident);
  assert.equal(incidents.length, 1);
  const [incident] = incidents;
  assert.match(incident!.message, /of stuck on b\/a was broken: the job hangs/);
  assert.equal(incident!.path, "b/a");
  assert.match(cluster.replicas[1]!.logs(), /"reason":"the job hangs".*a lock was broken/);
});

test("BreakLock stops the change that uses a lock, and says what became of it", async (t) => {
  // Copied and read again under the lock, so that there is time to meet it on its way.
  await one.upload("large", Buffer.alloc(48 * 1024 * 1024, "large "));
  for (let round = 0; round < 20; round++) {
    const lock = await acquire(one, [exclusive("stop")], { ttlMs: 60_000, waitMs: 20_000 });
    const writing = one.copy("large", "stop", { lockId: lock.lockId, lockWaitMs: 20_000, overwrite: true }).then(
      () => Outcome.COMMITTED,
      (error: SafefileError) => (error.outcome === "NOT_COMMITTED" ? Outcome.NOT_COMMITTED : Outcome.UNKNOWN),
    );
    const user = await until("the change", async () => {
      const { locks } = await two.call(listLocks, { path: "stop" });
      const used = locks.find((each) => each.lock?.clientLock)?.lock?.owner?.operationId;
      return locks.find((each) => used !== "" && each.lock?.owner?.operationId === used && !each.lock?.clientLock);
    });
    cluster.replicas[0]!.signal("SIGSTOP");
    const broken = await two.call(breakLock, { lockId: lock.lockId, reason: "a frozen replica" });
    const found = (await two.stat("stop").catch(() => undefined))?.operationId;
    cluster.replicas[0]!.signal("SIGCONT");
    const outcome = await writing;
    assert.equal((await two.stat("stop").catch(() => undefined))?.operationId, found, "published after it was broken");
    if (broken.outcome !== Outcome.UNSPECIFIED) assert.equal(outcome, broken.outcome);
    assert.equal(found === user.lock?.owner?.operationId, outcome === Outcome.COMMITTED);
    t.diagnostic(`round ${round}: ${Outcome[broken.outcome]}`);
    if (broken.outcome === Outcome.NOT_COMMITTED) return;
  }
  assert.fail("no change was met under way");
});

test("BreakLock ends the lease of a change that has no lock, and stops it", async (t) => {
  await one.upload("large", Buffer.alloc(48 * 1024 * 1024, "large "));
  for (let round = 0; round < 20; round++) {
    const writing = one.copy("large", "lease", { overwrite: true, lockWaitMs: 20_000 }).then(
      () => "COMMITTED",
      (error: SafefileError) => error.outcome,
    );
    const { lock } = await until("the change", async () => {
      const { locks } = await two.call(listLocks, { path: "lease" });
      return locks[0];
    });
    cluster.replicas[0]!.signal("SIGSTOP");
    const broken = await two
      .call(breakLock, { lockId: lock!.lockId, reason: "a frozen replica" })
      .catch(() => undefined);
    // Nobody has to wait for its term.
    const written = broken && (await two.write("lease", bytes, { lockWaitMs: 500 }));
    cluster.replicas[0]!.signal("SIGCONT");
    const outcome = await writing;
    t.diagnostic(`round ${round}: ${broken ? Outcome[broken.outcome] : "over"}, ${outcome}`);
    if (!written || broken.outcome !== Outcome.NOT_COMMITTED) continue;
    assert.equal(outcome, "NOT_COMMITTED");
    assert.equal((await two.stat("lease")).operationId, written.operationId);
    return;
  }
  assert.fail("no change was met under way");
});

test("BreakLock: LOCK_LOST for what nobody holds", async () => {
  const lock = await acquire(one, [exclusive("bw")]);
  for (const lockId of ["AAAAAAAAAAAA.1", "x"])
    assert.equal(await reasonOf(two.call(breakLock, { lockId, reason: "a test" })), "LOCK_LOST");
  await release(one, lock);
});

/** What a watch says until the test ends. */
async function watch(t: TestContext, client: SafefileClient, path: string, resumeToken = "") {
  const events: WatchLocksResponse[] = [];
  const done = new AbortController();
  const reading = (async () => {
    for await (const event of client.locks.watch({ path, resumeToken, signal: done.signal }))
      if (event.kind !== LockEventKind.HEARTBEAT) events.push(event);
  })().catch((error: SafefileError) => error);
  t.after(async () => {
    done.abort();
    await reading;
  });
  const kinds = () => events.map(({ kind }) => LockEventKind[kind]);
  return {
    events,
    /** Waits until these were told, in this order, and no others. */
    saw: async (...wanted: string[]) => {
      await until(`${wanted.join(" ")}; seen: ${kinds().join(" ")}`, async () =>
        kinds().length >= wanted.length ? true : undefined,
      ).catch(() => undefined);
      assert.deepEqual(kinds(), wanted);
    },
  };
}

test("WatchLocks tells of each step once and in order, whichever replica is asked", async (t) => {
  const held = await acquire(one, [exclusive("we/held")]);
  const watches = [await watch(t, one, "we"), await watch(t, two, "we")];
  for (const { saw } of watches) await saw("HELD");
  const first = await acquire(one, [exclusive("we/a")], { ownerName: "first" });
  for (const { saw } of watches) await saw("HELD", "ACQUIRED");
  const second = acquire(two, [exclusive("we/a")], { waitMs: 20_000 });
  for (const { saw } of watches) await saw("HELD", "ACQUIRED", "WAIT_STARTED");
  await release(two, first);
  const next = await second;
  const story = ["HELD", "ACQUIRED", "WAIT_STARTED", "RELEASED", "ACQUIRED"];
  for (const { saw } of watches) await saw(...story);
  assert.equal(await reasonOf(acquire(one, [exclusive("we/a")], { waitMs: 50 })), "LOCK_TIMEOUT");
  for (const { saw } of watches) await saw(...story, "WAIT_STARTED", "WAIT_ENDED");
  await one.call(breakLock, { lockId: next.lockId, reason: "to be told" });
  await acquire(two, [exclusive("we/b")], { ttlMs: 100 });
  const all = [...story, "WAIT_STARTED", "WAIT_ENDED", "BROKEN", "ACQUIRED", "EXPIRED"];
  for (const { saw, events } of watches) {
    await saw(...all);
    const [gotHeld, gotFirst, waiting] = events;
    assert.equal(gotHeld?.lock?.lockId, held.lockId);
    assert.deepEqual(gotFirst?.lock?.targets, first.targets, "with its token");
    assert.equal(gotFirst?.lock?.owner?.name, "first");
    assert.equal(waiting?.waiter?.waiterId, next.lockId);
    assert.equal(events[7]?.reason, "to be told");
    assert.equal(events[7]?.lock?.lockId, next.lockId);
    assert.equal(new Set(events.map(({ resumeToken }) => resumeToken)).size, events.length);
  }
  const resumed = await watch(t, two, "we", watches[0]!.events.at(-1)!.resumeToken);
  await resumed.saw("GAP", "HELD");
  await release(one, held);
});

test("WatchLocks sees the leases of changes, too, unless it is asked for clients' locks only", async (t) => {
  const lock = await acquire(two, [exclusive("wc/begin")]);
  const { saw, events } = await watch(t, two, "wc");
  await saw("HELD");
  await release(two, lock);
  await saw("HELD", "RELEASED");
  await one.write("wc/a", bytes);
  await saw("HELD", "RELEASED", "ACQUIRED", "RELEASED");
  assert.match(events[2]?.lock?.owner?.operationId ?? "", /^[0-9A-Z]{26}\.\d+$/);
  assert.equal(events[2]?.lock?.clientLock, false);
});

test("WatchLocks: a gap when the lock servers were away, then what is held", async (t) => {
  const lock = await acquire(one, [exclusive("wg/a")], { ttlMs: 60_000 });
  const { saw, events } = await watch(t, two, "wg");
  await saw("HELD");
  // Their connections are cut: what was told meanwhile is lost.
  const client = new Redis(cluster.servers[1]!.url);
  await client.call("CLIENT", "KILL", "TYPE", "pubsub");
  client.disconnect();
  await saw("HELD", "GAP", "HELD");
  assert.equal(events[2]?.lock?.lockId, lock.lockId);
  await release(one, lock);
  await saw("HELD", "GAP", "HELD", "RELEASED");
});
