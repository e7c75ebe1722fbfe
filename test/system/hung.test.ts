import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { IncidentKind, type ListIncidentsResponse, type WriteFileResponse } from "@safefile/client";
import { Cleanup } from "../cluster/cleanup.js";
import { startRedis } from "../cluster/redis.js";
import { startReplica } from "../cluster/replica.js";
import { Freezable, whyNoFreezing } from "../faults/frozen.js";
import { admin, file, recovery } from "./bad-case.js";
import { health } from "./health.js";
import { ask } from "./raw.js";
import { connect } from "./world.js";

const skip = whyNoFreezing() ?? false;
const WRITES = 64;
const SETTINGS = {
  SAFEFILE_VOLUME_SILENT_MS: "2000",
  SAFEFILE_HEARTBEAT_MS: "100",
  // Longer than the test: being declared dead is another story.
  SAFEFILE_INCARNATION_DEAD_MS: "600000",
  SAFEFILE_DRAIN_MS: "500",
  SAFEFILE_DRAIN_GRACE_MS: "1000",
};

async function start(cleanup: Cleanup) {
  const disk = Freezable.make(cleanup);
  const redis = await startRedis({ cleanup });
  const replica = await startReplica({ cleanup, volume: disk.root, redis: [redis.url], env: SETTINGS });
  const { raw, client } = connect(cleanup, replica);
  return { disk, replica, raw, client };
}

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  for (let look = 0; look < 600; look++) {
    if (await condition()) return;
    await sleep(50);
  }
  assert.fail(`never: ${what}`);
}

/** One letter of proc(5), "" when there is no such thread. */
async function threadState(pid: number, thread: number | string): Promise<string> {
  const stat = await readFile(`/proc/${pid}/task/${thread}/stat`, "utf8").catch(() => "");
  return stat.slice(stat.lastIndexOf(")") + 2).slice(0, 1);
}

/** Threads that wait in the kernel and cannot be interrupted. */
async function stuckThreads(pid: number): Promise<number> {
  const threads = await readdir(`/proc/${pid}/task`);
  const states = await Promise.all(threads.map((thread) => threadState(pid, thread)));
  return states.filter((state) => state === "D").length;
}

test("I14: while the volume hangs, health answers, calls are answered, and all goes on when it answers again", {
  skip,
  timeout: 120_000,
}, async (t) => {
  const cleanup = Cleanup.of(t);
  const { disk, replica, raw, client } = await start(cleanup);
  await client.write("before.txt", Buffer.from("before"));
  assert.equal(await health(raw), "SERVING");

  disk.freeze(cleanup);
  const write = (n: number) =>
    ask(file.writeFile, {
      path: `w${n}.txt`,
      data: Buffer.from(`content ${n}`),
      options: { requestId: `write-${n}` },
    });
  const writes = Array.from({ length: WRITES }, (_, n) => raw.send(write(n), { deadlineMs: 600_000 }));
  await until("a thread is stuck", async () => (await stuckThreads(replica.pid)) > 0);
  await until("health says NOT_SERVING", async () => (await health(raw)) === "NOT_SERVING");

  // Without a deadline that would help: the service itself has to answer, while nothing moves.
  for (const { code, info, message } of await Promise.all(writes)) {
    const found = [code, info?.reason, info?.metadata.outcome].join(" ");
    assert.match(found, /^(UNKNOWN OUTCOME_UNKNOWN UNKNOWN|UNAVAILABLE VOLUME_UNAVAILABLE NOT_COMMITTED)$/, message);
  }
  for (const call of [write(0), ask(file.statFile, { path: "before.txt" }), ask(recovery.listIncidents, {})]) {
    const { code, info } = await raw.send(call);
    assert.deepEqual([code, info?.reason], ["UNAVAILABLE", "VOLUME_UNAVAILABLE"]);
  }
  assert.equal(await health(raw), "NOT_SERVING");
  assert.ok((await stuckThreads(replica.pid)) > 0, "the volume answered meanwhile, so nothing was tested");

  disk.thaw();
  await until("health says SERVING", async () => (await health(raw)) === "SERVING");
  for (let n = 0; n < WRITES; n++) {
    const { code, messages, message } = await raw.send(write(n));
    assert.equal(code, "OK", message);
    // The first outcome, whatever it was: never a second revision.
    assert.equal((messages[0] as WriteFileResponse).result?.revision?.revision, 1n);
  }
  await until("an incident tells of it", async () => {
    const { messages } = await raw.send(ask(recovery.listIncidents, {}));
    const [volume] = (messages[0] as ListIncidentsResponse).incidents.filter(
      ({ kind }) => kind === IncidentKind.VOLUME,
    );
    return volume?.resolveTime !== undefined;
  });
  assert.equal((await replica.stop()).code, 0);
});

test("I14: a replica whose volume hangs leaves all the same when it is told to", {
  skip,
  timeout: 120_000,
}, async (t) => {
  const cleanup = Cleanup.of(t);
  const { disk, replica, raw } = await start(cleanup);
  disk.freeze(cleanup);
  await until("health says NOT_SERVING", async () => (await health(raw)) === "NOT_SERVING");
  const drained = await raw.send(ask(admin.drainReplica, { reason: "the volume hangs" }));
  assert.equal(drained.code, "OK", drained.message);
  await until("nobody listens any more", async () => (await health(raw)) === "UNAVAILABLE");
  // Its other threads stay until the kernel has what they wait for.
  await until("its main thread is gone", async () => (await threadState(replica.pid, replica.pid)) === "Z");
  disk.thaw();
  assert.deepEqual(await replica.exited, { code: null, signal: "SIGKILL" });
});
