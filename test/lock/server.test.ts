import assert from "node:assert/strict";
import { test } from "node:test";
import { Redis } from "ioredis";
import type { Leases } from "../../services/lock/leases.js";
import type { LockServer } from "../../services/lock/server.js";
import { subtreeTarget } from "../../services/lock/target.js";
import type { LeaseId } from "../../services/model/operation.js";
import { Cleanup } from "../cluster/cleanup.js";
import { startRedis } from "../cluster/redis.js";
import { Replicas, start, until } from "./servers.js";
import { wish } from "./wish.js";

test("with one of three servers gone, who finds it taken is told that it is busy, at once and later", async (t) => {
  const cleanup = Cleanup.of(t);
  const servers = await start(cleanup, 3);
  const { all } = await Replicas.start(cleanup, servers, 2);
  const [left, right] = all as [Leases, Leases];
  const hold = await left.acquire(wish("a"));
  await servers[0]?.kill();
  for (const waitMs of [0, 0, 0, 50, 150])
    for (const targets of ["a", [subtreeTarget("a" as never)]])
      await assert.rejects(right.acquire(wish(targets, { waitMs })), (error: { reason: string }) => {
        assert.equal(error.reason, "LOCK_TIMEOUT");
        return true;
      });
  hold.release();
});

test("with a majority gone it says so, and goes on without a restart once they are back", async (t) => {
  const cleanup = Cleanup.of(t);
  const servers = await start(cleanup, 3);
  const { all } = await Replicas.start(cleanup, servers, 1, { leaseMs: 1000 });
  const [leases] = all as [Leases];
  for (const at of [0, 1]) await servers[at]?.kill();
  await assert.rejects(leases.acquire(wish("a", { waitMs: 20_000 })), { reason: "LOCK_UNAVAILABLE" });
  for (const at of [0, 1]) servers[at] = await startRedis({ cleanup, port: servers[at]?.port as number });
  await until(() => leases.quorum.servers.every(({ isConnected }) => isConnected));
  // They vote only when a term has passed; until then it waits.
  (await leases.acquire(wish("a", { waitMs: 20_000 }))).release();
  servers[2]?.signal("SIGSTOP");
  await servers[0]?.kill();
  await until(() => !leases.quorum.servers[0]?.isConnected);
  await assert.rejects(leases.acquire(wish("b", { waitMs: 20_000 })), { reason: "LOCK_UNAVAILABLE" });
  servers[2]?.signal("SIGCONT");
  await until(() => leases.quorum.servers[2]?.isVoting === true);
  (await leases.acquire(wish("b"))).release();
});

test("a server votes although asking whether it may failed at first", async (t) => {
  const cleanup = Cleanup.of(t);
  const servers = await start(cleanup, 1);
  const replicas = await Replicas.start(cleanup, servers, 0);
  let asked = 0;
  const isNothingGranted = async (): Promise<boolean> => {
    asked += 1;
    if (asked < 3) throw new Error("the volume does not answer");
    return true;
  };
  (await (await replicas.add({ isNothingGranted })).acquire(wish("a"))).release();
  assert.equal(replicas.errors.length, 2);
});

test("nothing is believed to be out only when no server has granted what others still decide on", async (t) => {
  const cleanup = Cleanup.of(t);
  const servers = await start(cleanup, 3);
  const replicas = await Replicas.start(cleanup, servers, 1, { leaseMs: 4000, commandTimeoutMs: 3000 });
  const [leases] = replicas.all as [Leases];
  replicas.safety.isNothingGranted = true;
  // The first grants it and forgets; the others answer later.
  for (const at of [1, 2]) servers[at]?.signal("SIGSTOP");
  const acquired = leases.acquire(wish("a"));
  const [server] = leases.quorum.servers as [LockServer];
  const id = [...leases.waiting()][0]?.entry.id as LeaseId;
  await until(async () => (await server.ask("look", id))[0] === 1);
  await servers[0]?.kill();
  servers[0] = await startRedis({ cleanup, port: servers[0]?.port as number });
  await until(() => server.isConnected);
  await new Promise((resolve) => setTimeout(resolve, 300)); // six times as long as it waits to look again
  const hasVoted = server.isVoting;
  for (const at of [1, 2]) servers[at]?.signal("SIGCONT");
  const hold = await acquired;
  assert.equal(hasVoted, false);
  hold.release();
});

test("a server that is frozen for longer than a term is let go, and comes back", async (t) => {
  const cleanup = Cleanup.of(t);
  const servers = await start(cleanup, 3);
  const replicas = await Replicas.start(cleanup, servers, 1, { leaseMs: 600, commandTimeoutMs: 200 });
  const [leases] = replicas.all as [Leases];
  const [frozen] = leases.quorum.servers as [LockServer];
  servers[0]?.signal("SIGSTOP");
  for (let at = 0; !frozen.isLetGo; at++) (await leases.acquire(wish(`d/${at}`))).release();
  servers[0]?.signal("SIGCONT");
  await until(() => frozen.isVoting);
  (await leases.acquire(wish("a"))).release();
  await replicas.empty();
});

test("a server that was flushed asks for its vote again", async (t) => {
  const cleanup = Cleanup.of(t);
  const servers = await start(cleanup, 3);
  const { all } = await Replicas.start(cleanup, servers, 2, { leaseMs: 1500 });
  const [left, right] = all as [Leases, Leases];
  const hold = await left.acquire(wish("a"));
  const client = new Redis(servers[0]?.url as string);
  cleanup.defer(() => client.disconnect());
  await client.flushall();
  await assert.rejects(right.acquire(wish("a", { waitMs: 0 })), { reason: "LOCK_TIMEOUT" });
  assert.equal(right.quorum.servers[0]?.isVoting, false);
  await until(() => right.quorum.servers[0]?.isVoting === true);
  hold.assertHeld();
  hold.release();
});

test("who died leaves nothing in the books for ever: lines that are over are swept while others come and go", async (t) => {
  const cleanup = Cleanup.of(t);
  const servers = await start(cleanup, 1);
  const replicas = await Replicas.start(cleanup, servers, 2, { leaseMs: 500, leaseKeepMs: 0 });
  const [left, dead] = replicas.all as [Leases, Leases];
  for (let at = 0; at < 20; at++)
    await dead.acquire(wish(at % 2 === 0 ? `d/${at}` : [subtreeTarget(`e/${at}` as never)]));
  dead.close();
  const client = new Redis(servers[0]?.url as string);
  cleanup.defer(() => client.disconnect());
  const keys = async (): Promise<string[]> =>
    (await client.keys("*:lock:*")).filter((key) => /lock:([inpt]$|[ip]:)/.test(key));
  assert.ok((await keys()).length > 20);
  for (let round = 0; round < 3000 && (await keys()).length > 0; round++) {
    (await left.acquire(wish("a"))).release();
    await left.settled(AbortSignal.timeout(5000));
  }
  assert.deepEqual(await keys(), []);
});
