import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { IndexUnavailableError } from "../../services/errors/index.js";
import { type FilePath, pathHash } from "../../services/model/path.js";
import type { Name } from "../../services/volume/volume.js";
import { type Core, type Tamper, World } from "../regress/core.js";

const F = "f" as FilePath;
const SEGMENT_BYTES = 64 * 1024;

/** A world, and a way to speak to its Redis behind everybody's back. */
async function start(t: TestContext): Promise<{ world: World; redis: Redis }> {
  const world = await World.start(t);
  const redis = new Redis(world.redis.url);
  world.cleanup.defer(() => redis.disconnect());
  return { world, redis };
}

/** Redis as if it had never heard of what `core` journaled after `sequence`. */
async function forget(redis: Redis, core: Core, paths: readonly string[], sequence: number): Promise<void> {
  const prefix = `safefile:{${core.volumeId}}:`;
  await redis.hset(`${prefix}watermarks`, core.incarnation.id, sequence);
  for (const each of paths) await redis.del(`${prefix}f:${pathHash(each as FilePath)}`);
}

test("I8: what ended incarnations committed and Redis does not know is indexed, once", async (t) => {
  const { world, redis } = await start(t);
  const [dead, core] = [await world.core(), await world.core()];
  for (const name of ["a", "b", "b"]) await dead.write(name, "x");
  await dead.announced();
  await core.survivor.end(dead.incarnation.id);
  assert.equal(await core.tails.indexAll(), 0, "whoever ends it accounts for it");
  await forget(redis, dead, ["b"], 1);
  assert.equal(await core.tails.indexAll(), 2);
  assert.equal(await core.index.indexedRevision("b" as FilePath), 2);
  assert.equal(await core.index.watermark(dead.incarnation.id), 3);
  await redis.del(`safefile:{${core.volumeId}}:f:${pathHash("b" as FilePath)}`);
  assert.equal(await core.tails.indexAll(), 0, "nothing is behind the watermark");
});

test("I8: a live incarnation indexes its own; nobody else calls it accounted for", async (t) => {
  const { world, redis } = await start(t);
  const [live, core] = [await world.core(), await world.core()];
  await live.write("f", "one");
  await live.announced();
  await live.checkpointer.run();
  await forget(redis, live, ["f"], 0);
  assert.equal(await core.tails.indexAll(), 0);
  assert.equal(await core.index.watermark(live.incarnation.id), 0);
});

test("a tail is read from the segment that holds the watermark, and from no earlier one", async (t) => {
  const { world, redis } = await start(t);
  const read = new Set<string>();
  const note = ({ at }: Name): void => {
    if (at.includes(`journal/${dead.incarnation.id}`)) read.add(path.basename(at));
  };
  const tamper: Tamper = {
    openRead: (real, name) => {
      note(name);
      return real.openRead(name);
    },
    readPiece: (real, name, ...piece) => {
      note(name);
      return real.readPiece(name, ...piece);
    },
  };
  const dead = await world.core({ config: { segmentBytesMax: SEGMENT_BYTES } });
  for (let n = 0; n < 40; n++) await dead.write(`f${n}`, "x".repeat(8_000));
  await dead.announced();
  const segments = await readdir(path.join(world.root, ".safefile/journal", dead.incarnation.id));
  assert(segments.length >= 4, `${segments.length} segments`);
  const core = await world.core({ tamper });
  await core.survivor.end(dead.incarnation.id);
  const fresh = await world.core({ tamper });
  for (const known of [38, 20, 0]) {
    const paths = Array.from({ length: 40 - known }, (_, n) => `f${known + n}`);
    await forget(redis, dead, paths, known);
    read.clear();
    assert.equal(await fresh.tails.indexAll(), 40 - known);
    for (const each of paths) assert.equal(await fresh.index.indexedRevision(each as FilePath), 1, each);
    assert.equal(read.has("00000001.log"), known === 0, `${known}: ${[...read]}`);
  }
});

test("I8: an index that may have been forgotten meanwhile is not called complete", async (t) => {
  const { world, redis } = await start(t);
  const [dead, core] = [await world.core(), await world.core()];
  await dead.write("f", "one");
  await dead.announced();
  await core.survivor.end(dead.incarnation.id);
  await forget(redis, dead, ["f"], 0);
  const { connection } = core.index;
  await redis.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
  while (core.index.connection === connection) await sleep(5);
  await core.index.connected();
  await assert.rejects(core.index.account(dead.incarnation.id, 1, connection), IndexUnavailableError);
  assert.equal(await core.index.watermark(dead.incarnation.id), 0);
});

test("I8: a rebuild accounts for those that have ended, and for them alone", async (t) => {
  const { world } = await start(t);
  const [dead, core] = [await world.core(), await world.core()];
  for (const each of [dead, core]) await each.write(each === dead ? "f" : "g", "one");
  for (const each of [dead, core]) await each.announced();
  await core.survivor.end(dead.incarnation.id);
  await core.rebuild.run();
  assert.equal(await core.index.watermark(dead.incarnation.id), 1);
  assert.equal(await core.index.watermark(core.incarnation.id), 0);
  assert.equal(await core.index.indexedRevision(F), 1);
});
