import assert from "node:assert/strict";
import { truncate } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Core, ioError, World } from "../regress/core.js";

const LONG_MS = 3_600_000;
const WAIT_MS = 20_000;

async function untilSequence({ checkpoints, incarnation }: Core, sequence: number): Promise<void> {
  const deadlineMs = performance.now() + WAIT_MS;
  while ((await checkpoints.read(incarnation.id))?.at.sequence !== sequence) {
    assert(performance.now() < deadlineMs, `no checkpoint at ${sequence}`);
    await sleep(10);
  }
}

test("a checkpoint is made when one is due by time, again after one that failed, and at the end", async (t) => {
  const world = await World.start(t);
  let failures = 2;
  const core = await world.core({
    config: { checkpointMs: 20 },
    tamper: { syncAll: async (real) => (failures-- > 0 ? Promise.reject(ioError("EIO")) : real.syncAll()) },
  });
  core.checkpointer.start();
  await core.write("f", "one");
  await untilSequence(core, 1);
  assert.equal(core.logged.length, 2, "each failure is told");
  await core.write("f", "two");
  await untilSequence(core, 2);
  await core.checkpointer.stop("final");
  assert.equal(core.checkpointer.replayBytes, 0);
  assert.equal((await core.checkpoints.read(core.incarnation.id))?.isFinal, true);
});

test("a checkpoint is made at once when the journal has grown enough, and not before", async (t) => {
  const world = await World.start(t);
  const core = await world.core({ config: { checkpointMs: LONG_MS, checkpointBytes: 20_000 } });
  core.checkpointer.start();
  await core.write("f", "x".repeat(5_000));
  await sleep(500); // more than one look; whatever the timing, nothing is due
  assert.equal(await core.checkpoints.read(core.incarnation.id), undefined);
  await core.write("f", "x".repeat(20_000));
  await untilSequence(core, 2);
  await core.checkpointer.stop("next");
  assert.equal((await core.checkpoints.read(core.incarnation.id))?.isFinal, false);
});

test("what ends with a change still open has no final checkpoint", async (t) => {
  const world = await World.start(t);
  const core = await world.core();
  await core.write("f", "one");
  const open = core.announcer.begin();
  await core.write("f", "two");
  await core.checkpointer.stop("final");
  const last = await core.checkpoints.read(core.incarnation.id);
  assert.deepEqual([last?.at.sequence, last?.isFinal], [1, false]);
  open.settle();
});

test("a checkpoint's file that is far too large counts as none", async (t) => {
  const world = await World.start(t);
  const core = await world.core({ config: { recordBytesMax: 100_000 } });
  await core.write("f", "one");
  await core.checkpointer.run();
  assert(await core.checkpoints.read(core.incarnation.id));
  await truncate(path.join(world.root, ".safefile/checkpoints", core.incarnation.id), 200_001);
  assert.equal(await core.checkpoints.read(core.incarnation.id), undefined);
});
