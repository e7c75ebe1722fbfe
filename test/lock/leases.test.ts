import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { type LeaseHold, type LeaseRequest, type Leases, queueMs } from "../../services/lock/leases.js";
import { pathTarget, subtreeTarget, type Target } from "../../services/lock/target.js";
import type { FilePath } from "../../services/model/path.js";
import { Cleanup } from "../cluster/cleanup.js";
import { Dice } from "./dice.js";
import { LIMITS, Observer, Replicas, start, until } from "./servers.js";
import { wish } from "./wish.js";

const shared = (path: string): Target => ({ path: path as FilePath, scope: "path", mode: "shared" });
const path = (name: string): Target => pathTarget(name as FilePath);
const subtree = (name: string): Target => subtreeTarget(name as FilePath);

async function three(t: TestContext, count: number, limits = {}): Promise<Replicas> {
  const cleanup = Cleanup.of(t);
  return Replicas.start(cleanup, await start(cleanup, 3), count, limits);
}

/** Who was granted, in order, by the rank it had while it waited. */
async function ranksInOrder(waits: readonly { at: Leases; request: LeaseRequest }[], begin: () => Promise<void>) {
  const granted: number[] = [];
  const ends = waits.map(async ({ at, request }) => {
    const before = new Set([...at.waiting()].map(({ entry }) => entry.id));
    const acquired = at.acquire(request);
    const own = [...at.waiting()].find(({ entry }) => !before.has(entry.id));
    const hold = await acquired;
    granted.push(own?.entry.rank ?? Number.NaN);
    await turn();
    hold.release();
  });
  await begin();
  await Promise.all(ends);
  return granted;
}

const inOrder = (ranks: readonly number[]): number[] => ranks.toSorted((left, right) => left - right);

/** How many scripts the servers were asked to run. */
async function scripts({ all: [leases] }: Replicas): Promise<number> {
  const { Redis } = await import("ioredis");
  let count = 0;
  for (const { url } of leases?.quorum.servers ?? []) {
    const client = new Redis(url);
    const stats = await client.info("commandstats");
    for (const [, calls] of stats.matchAll(/cmdstat_evalsha?:calls=(\d+)/g)) count += Number(calls);
    client.disconnect();
  }
  return count;
}

test("no two hold what conflicts: three replicas, paths, subtrees, readers and several at once", async (t) => {
  const replicas = await three(t, 3);
  const observer = new Observer();
  const names = ["a", "a/b", "a/b/c", "a/d", "e"];
  await Promise.all(
    Array.from({ length: 24 }, async (_, worker) => {
      const dice = new Dice(worker);
      for (let round = 0; round < 12; round++) {
        const targets = Array.from({ length: dice.chance(0.25) ? 2 : 1 }, (): Target => {
          const name = dice.chance(0.03) ? "" : dice.of(names);
          const isSubtree = name === "" || dice.chance(0.2);
          const mode = dice.chance(0.3) ? "shared" : "exclusive";
          return { path: name as FilePath, scope: isSubtree ? "subtree" : "path", mode };
        });
        const hold = await (replicas.all[worker % 3] as Leases).acquire(wish(targets, { priority: dice.below(5) }));
        const leave = observer.enter(targets);
        if (dice.chance(0.5)) await sleep(dice.below(3));
        else await turn();
        hold.assertHeld();
        leave();
        hold.release();
      }
    }),
  );
  assert.equal(observer.grants, 24 * 12);
  assert.deepEqual(observer.conflicts, []);
  await replicas.empty();
});

test("64 who wait at two replicas get it in the order of their ranks, none of them passed over", async (t) => {
  const replicas = await three(t, 2);
  const [left, right] = replicas.all as [Leases, Leases];
  const first = await left.acquire(wish("a"));
  const waits = Array.from({ length: 64 }, (_, at) => ({
    at: at % 3 === 0 ? left : right,
    request: wish("a", { priority: at % 8 === 0 ? 1 : 0 }),
  }));
  const ranks = await ranksInOrder(waits, async () => {
    await replicas.waiting(2);
    first.release();
  });
  assert.equal(ranks.length, 64);
  assert.deepEqual(ranks, inOrder(ranks));
  await replicas.empty();
});

test("low priority gets its turn under a stream of high priority that never ends", async (t) => {
  const replicas = await three(t, 2, { agingMs: 1 });
  const first = await (replicas.all[1] as Leases).acquire(wish("a"));
  let lowRank = Number.NaN;
  let isOver = false;
  const before: number[] = [];
  const low = (async () => {
    const [leases] = replicas.all as [Leases];
    const acquired = leases.acquire(wish("a", { priority: -100, waitMs: 50_000 }));
    lowRank = [...leases.waiting()][0]?.entry.rank ?? Number.NaN;
    const hold = await acquired;
    isOver = true;
    hold.release();
  })();
  await replicas.waiting(1);
  const high = Array.from({ length: 6 }, async (_, at) => {
    const leases = replicas.all[at % 2] as Leases;
    for (let round = 0; round < 3000 && !isOver; round++) {
      const acquired = leases.acquire(wish("a", { priority: 100, waitMs: 50_000 }));
      const rank = [...leases.waiting()].at(-1)?.entry.rank ?? Number.NaN;
      const hold = await acquired;
      if (!isOver) before.push(rank);
      await turn();
      hold.release();
    }
  });
  first.release();
  await Promise.all([low, ...high]);
  assert.ok(before.length > 0, "some were before it");
  assert.deepEqual(
    before.filter((rank) => rank > lowRank),
    [],
    "nobody who came too late to be worth more",
  );
});

test("a writer is not overtaken by readers who come after it", async (t) => {
  const replicas = await three(t, 2);
  const [left, right] = replicas.all as [Leases, Leases];
  const reader = await left.acquire(wish([shared("a")]));
  const order: string[] = [];
  const writer = right.acquire(wish("a")).then(async (hold) => {
    order.push("writer");
    await sleep(20);
    order.push("writer ends");
    hold.release();
  });
  await replicas.waiting(1);
  const readers = Array.from({ length: 8 }, async (_, at) => {
    const hold = await (at % 2 === 0 ? left : right).acquire(wish([shared("a")]));
    order.push("reader");
    hold.release();
  });
  await replicas.waiting(9);
  assert.deepEqual(order, []);
  reader.release();
  await Promise.all([writer, ...readers]);
  assert.deepEqual(order.slice(0, 2), ["writer", "writer ends"]);
  await replicas.empty();
});

test("who waited long enough, or is gone, leaves nothing in the queues", async (t) => {
  // The servers would keep them in the queue for longer than this test lasts.
  const replicas = await three(t, 2, { commandTimeoutMs: 120_000, leaseMs: 400_000 });
  const [left, right] = replicas.all as [Leases, Leases];
  const hold = await left.acquire(wish("a"));
  for (const targets of [[path("a")], [subtree("a")], [path("b"), shared("a")]]) {
    await assert.rejects(right.acquire(wish(targets, { waitMs: 30 })), { reason: "LOCK_TIMEOUT" });
    await assert.rejects(right.acquire(wish(targets, { waitMs: 0 })), { reason: "LOCK_TIMEOUT" });
    const gone = new AbortController();
    const waits = right.acquire(wish(targets, { signal: gone.signal }));
    await replicas.waiting(1);
    gone.abort(new Error("gone"));
    await assert.rejects(waits, { message: "gone" });
    await until(async () => (await replicas.books()).every((lines) => lines.length === 1), 20_000);
  }
  assert.deepEqual([...right.waiting()], []);
  hold.assertHeld();
  hold.release();
  await replicas.empty();
});

test("what a minority granted is taken back, so that nobody who was refused stands in the way of others", async (t) => {
  const replicas = await three(t, 2, { leaseMs: 60_000 });
  const [left, right] = replicas.all as [Leases, Leases];
  const [first, ...others] = left.quorum.servers;
  const id = "somebody";
  const text = '{"r":1,"u":"","p":"","t":[["a","p","x"]],"o":{}}';
  for (const server of others) await server.ask("install", id, text, 60_000);
  await assert.rejects(left.acquire(wish("a", { waitMs: 0 })), { reason: "LOCK_TIMEOUT" });
  await until(async () => (await replicas.books())[0]?.length === 0);
  const waits = left.acquire(wish("a"));
  await replicas.waiting(1);
  // Whoever is worth more goes first, also at the server that granted it once.
  const urgent = text.replaceAll('"r":1', '"r":0');
  await until(async () => (await first?.ask("acquire", "urgent", urgent, 60_000, 60_000))?.[0] === 1, 20_000);
  await first?.ask("release", "urgent", "leaves", '[["a","p","x"]]');
  for (const server of others) await server.ask("release", id, "releases", '[["a","p","x"]]');
  (await waits).release();
  (await right.acquire(wish("a"))).release();
});

test("a lease that is kept, or passed on here, asks no lock server", async (t) => {
  const replicas = await three(t, 1, { leaseMs: 60_000, leaseKeepMs: 60_000 });
  const [leases] = replicas.all as [Leases];
  (await leases.acquire(wish("a"))).release();
  const before = await scripts(replicas);
  const holds: LeaseHold[] = [];
  for (let at = 0; at < 20; at++) {
    const hold = await leases.acquire(wish("a"));
    holds.push(hold);
    hold.release();
  }
  await Promise.all(
    Array.from({ length: 20 }, async () => {
      const hold = await leases.acquire(wish("a"));
      holds.push(hold);
      await turn();
      hold.release();
    }),
  );
  assert.ok(holds.every(({ isKept }) => isKept));
  assert.equal(await scripts(replicas), before);
});

test("what was kept long enough is given back together, and before anything else is asked in the same turn", async (t) => {
  const [leaseKeepMs, count] = [400, 60];
  // Nobody may be told by itself: whoever finds its way barred by what was just given back would come too late.
  const replicas = await three(t, 2, { leaseMs: 60_000, leaseKeepMs, wakeUpMsMax: 20_000 });
  const [leases, other] = replicas.all as [Leases, Leases];
  const holds = await Promise.all(Array.from({ length: count }, (_, at) => leases.acquire(wish(`d/${at}`))));
  const before = await scripts(replicas);
  const keptFromMs = performance.now();
  for (const hold of holds) hold.release();
  assert.equal(leases.counts.held, count);
  while (leases.counts.held > 0) await sleep(5);
  const keptMs = performance.now() - keptFromMs;
  assert.ok(keptMs >= leaseKeepMs - 2, `kept ${keptMs} ms`);
  await leases.settled(AbortSignal.timeout(5_000));
  assert.equal((await scripts(replicas)) - before, 3, "one at each server");
  (await other.acquire(wish([subtree("d")], { waitMs: 0 }))).release();
  await other.settled(AbortSignal.timeout(5_000));

  for (let at = 0; at < count; at++) (await leases.acquire(wish(`d/${at}`))).release();
  const all = await leases.acquire(wish([subtree("d")], { waitMs: 0 }));
  assert.equal(all.hasWaited, false);
  all.release();
});

test("what is kept goes at once to those elsewhere who want it, be it a subtree of many", async (t) => {
  // Whoever had to look by itself, or to wait for a kept lease to end, would come too late.
  const limits = { leaseMs: 60_000, leaseKeepMs: 60_000, wakeUpMsMax: 20_000 };
  const replicas = await three(t, 2, limits);
  const [left, right] = replicas.all as [Leases, Leases];
  for (const targets of [[path("d/3")], [path("d/1"), path("d/2")], [subtree("d")], [subtree("")]]) {
    for (let at = 0; at < 30; at++) (await left.acquire(wish(`d/${at}`))).release();
    const hold = await right.acquire(wish(targets, { waitMs: 9000 }));
    hold.release();
    // Also to those in the same replica who want more than the path.
    (await left.acquire(wish([subtree("d")], { waitMs: 9000 }))).release();
  }
});

test("many changes of one path at one replica do not keep others elsewhere from their turn", async (t) => {
  const replicas = await three(t, 2, { wakeUpMsMax: 20_000, leaseMs: 60_000, leaseKeepMs: 60_000 });
  const [left, right] = replicas.all as [Leases, Leases];
  let isOver = false;
  const busy = Array.from({ length: 4 }, async () => {
    while (!isOver) {
      const hold = await left.acquire(wish("d/a"));
      await turn();
      hold.release();
    }
  });
  for (const targets of [[path("d/a")], [subtree("d")], [shared("d/a"), path("e")]])
    for (let round = 0; round < 3; round++) (await right.acquire(wish(targets, { waitMs: 9000 }))).release();
  isOver = true;
  await Promise.all(busy);
});

test("who died at the head of the queue delays the others no longer than is said", async (t) => {
  const replicas = await three(t, 3);
  const [left, dead, right] = replicas.all as [Leases, Leases, Leases];
  const hold = await left.acquire(wish("a"));
  const never = assert.rejects(dead.acquire(wish("a")), { reason: "LOCK_UNAVAILABLE" });
  await replicas.waiting(1);
  const next = right.acquire(wish("a"));
  await replicas.waiting(2);
  dead.close();
  const fromMs = performance.now();
  hold.release();
  (await next).release();
  const boundMs = 2 * queueMs(LIMITS) + 2000;
  assert.ok(performance.now() - fromMs < boundMs);
  await never;
});

test("three hundred who wait cost the servers as much for each as a few do", async (t) => {
  const replicas = await three(t, 2, { commandTimeoutMs: 10_000, leaseMs: 60_000 });
  const cost = async (count: number, targets: readonly Target[]): Promise<number> => {
    const first = await (replicas.all[0] as Leases).acquire(wish("a"));
    const before = await scripts(replicas);
    const all = Array.from({ length: count }, async (_, at) => {
      const hold = await (replicas.all[at % 2] as Leases).acquire(wish(targets, { waitMs: 60_000 }));
      await turn();
      hold.release();
    });
    await replicas.waiting(1);
    first.release();
    await Promise.all(all);
    await replicas.empty();
    return ((await scripts(replicas)) - before) / count / 3;
  };
  for (const targets of [[path("a")], [shared("a")], [path("a"), path("b")]]) {
    const each = await cost(300, targets);
    t.diagnostic(`${JSON.stringify(targets)}: ${each.toFixed(1)} scripts at each server for each who waits`);
    assert.ok(each < 30, `${each} scripts for each`);
  }
});
