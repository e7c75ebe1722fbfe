import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { LeaseHold, Leases } from "../../services/lock/leases.js";
import { type LockServer, textOf } from "../../services/lock/server.js";
import { subtreeTarget } from "../../services/lock/target.js";
import { Cleanup, endWithParent } from "../cluster/cleanup.js";
import { startRedis } from "../cluster/redis.js";
import { Replicas, start, until } from "./servers.js";
import { wish } from "./wish.js";

/** What a server has of `id`, and for how long. */
async function look(server: LockServer, id: string): Promise<{ state: string; leftMs: number }> {
  const [, , text, leftMs] = await server.ask("look", id);
  return { state: String(text).slice(0, 1), leftMs: Number(leftMs) };
}

test("a lease that cannot be renewed is lost by the monotonic clock, and says so before anybody is told", async (t) => {
  const cleanup = Cleanup.of(t);
  const servers = await start(cleanup, 3);
  const { all } = await Replicas.start(cleanup, servers, 1, { leaseMs: 1000, commandTimeoutMs: 500 });
  const hold = await (all[0] as Leases).acquire(wish("a"));
  const fromMs = performance.now();
  for (const server of servers) server.signal("SIGSTOP");
  await once(hold.lost, "abort");
  for (const server of servers) server.signal("SIGCONT");
  assert.equal(hold.lost.reason.reason, "LOCK_LOST");
  assert.throws(() => hold.assertHeld(), { reason: "LOCK_LOST" });
  // Asked for before `fromMs`, and renewed at most once since.
  assert.ok(performance.now() - fromMs < 20_000);
  hold.release();
  await (all[0] as Leases).voting();
  (await (all[0] as Leases).acquire(wish("a"))).release();
});

test("a wall clock that jumps takes no lease away", async (t) => {
  const cleanup = Cleanup.of(t);
  const { all } = await Replicas.start(cleanup, await start(cleanup, 3), 1, { leaseMs: 1500 });
  const [leases] = all as [Leases];
  const hold = await leases.acquire(wish("a"));
  const real = Date.now;
  t.after(() => {
    Date.now = real;
  });
  Date.now = () => real() + 3_600_000;
  const [server] = leases.quorum.servers as [LockServer];
  for (let renewals = 0, beforeMs = 1500; renewals < 3; ) {
    const { leftMs } = await look(server, hold.id);
    if (leftMs > beforeMs) renewals += 1;
    beforeMs = leftMs;
    hold.assertHeld();
    await until(() => true);
  }
  Date.now = () => real() - 3_600_000;
  let leastMs = Number.POSITIVE_INFINITY;
  await until(async () => {
    const { leftMs } = await look(server, hold.id);
    const isRenewed = leftMs > leastMs;
    leastMs = Math.min(leastMs, leftMs);
    return isRenewed;
  });
  hold.assertHeld();
  hold.release();
});

test("a process that was stopped for longer than its term sees at its first look that it holds nothing", async (t) => {
  const cleanup = Cleanup.of(t);
  const servers = await start(cleanup, 3);
  const leaseMs = 1500;
  const replicas = await Replicas.start(cleanup, servers, 1, { leaseMs });
  const program = fileURLToPath(new URL("holder.js", import.meta.url));
  const urls = servers.map(({ url }) => url);
  const child = spawn(process.execPath, [program, replicas.volume, String(leaseMs), "a", ...urls], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  endWithParent(child);
  const said: string[] = [];
  const lines = createInterface({ input: child.stdout }).on("line", (line) => said.push(line));
  const ended = once(lines, "close");
  await until(() => said.length > 0);
  child.kill("SIGSTOP");
  const hold = await (replicas.all[0] as Leases).acquire(wish("a"));
  child.kill("SIGCONT");
  await ended;
  assert.deepEqual(said, ["holds", "lost LOCK_LOST LOCK_LOST"]);
  hold.assertHeld();
  hold.release();
});

test("a lease outlives all servers when they restart empty one after the other: it is put down again", async (t) => {
  const cleanup = Cleanup.of(t);
  const servers = await start(cleanup, 3);
  const replicas = await Replicas.start(cleanup, servers, 2, { leaseMs: 2000 });
  const [left, right] = replicas.all as [Leases, Leases];
  const hold = await left.acquire(wish([subtreeTarget("a" as never)]));
  for (const [at, { port }] of servers.entries()) {
    await servers[at]?.kill();
    servers[at] = await startRedis({ cleanup, port });
    const server = left.quorum.servers[at] as LockServer;
    await until(async () => server.isVoting && (await look(server, hold.id)).state === "h");
    hold.assertHeld();
    await assert.rejects(right.acquire(wish("a/b", { waitMs: 0 })), { reason: "LOCK_TIMEOUT" });
  }
  hold.release();
  await replicas.empty();
});

test("what acts under another entry ends with it, whatever a minority said", async (t) => {
  const cleanup = Cleanup.of(t);
  const replicas = await Replicas.start(cleanup, await start(cleanup, 3), 2, { leaseMs: 2000 });
  const [left, right] = replicas.all as [Leases, Leases];
  const over = await left.acquire(wish([subtreeTarget("a" as never)], { party: "client" }));
  // One server has lost it; and somebody else waits, who is not waited for.
  for (const server of left.quorum.servers.slice(0, 1))
    await server.ask("release", over.id, "leaves", '[["a","s","x"]]');
  const others = right.acquire(wish("a/b"));
  await until(async () => (await replicas.books()).slice(1).every((lines) => lines.length === 2));
  const holds: LeaseHold[] = [];
  for (let at = 0; at < 10; at++) holds.push(await right.acquire(wish(`a/${at}`, { under: over.id })));
  for (const hold of holds) hold.assertHeld();
  over.release();
  (await others).release();
  await until(() => holds.every(({ lost }) => lost.aborted));
  for (const hold of holds) {
    assert.throws(() => hold.assertHeld(), { reason: "LOCK_LOST" });
    hold.release();
  }
  await assert.rejects(right.acquire(wish("a/b", { under: over.id })), { reason: "LOCK_LOST" });
  await replicas.empty();
});

test("who only waits is no entry to act under", async (t) => {
  const cleanup = Cleanup.of(t);
  const replicas = await Replicas.start(cleanup, await start(cleanup, 3), 1);
  const [leases] = replicas.all as [Leases];
  const hold = await leases.acquire(wish([subtreeTarget("a" as never)]));
  const gone = new AbortController();
  const waits = leases.acquire(wish([subtreeTarget("a" as never)], { signal: gone.signal, party: "client" }));
  await replicas.waiting(1);
  const [{ entry } = assert.fail()] = [...leases.waiting()];
  await assert.rejects(leases.acquire(wish("a/b", { under: entry.id })), { reason: "LOCK_LOST" });
  gone.abort(new Error("gone"));
  await assert.rejects(waits);
  hold.release();
  assert.ok(textOf(entry).length > 0);
});
