import assert from "node:assert/strict";
import { test } from "node:test";
import { Redis } from "ioredis";
import { type FilePath, pathHash } from "../../services/model/path.js";
import { toWrite, World } from "./core.js";

const never = () => new Promise<never>(() => undefined);

test("I5: whoever indexes another's change of several paths says of its own only (was: the head of the other was indexed before its request ids)", async (t) => {
  const world = await World.start(t);
  const silent = await world.core();
  silent.index.apply = never;
  const first = await silent.write("a", "one", "first");
  await silent.changeAll([toWrite("a", "two"), toWrite("b", "two")]);
  const other = await world.core();
  await other.write("b", "three");
  await other.announced();
  const again = await other.write("a", "one", "first");
  assert.deepEqual([again.operation, again.replayed], [first.operation, true]);
});

test("I5: a replica that indexes its own changes again, indexes what they were built on (was: another's request id was missing under them)", async (t) => {
  const world = await World.start(t);
  const [other, core] = [await world.core(), await world.core()];
  const first = await other.write("a", "one", "first");
  await other.announced();
  await core.write("a", "two");
  await core.announced();
  // As if Redis had gone back to before both, and `other` had not noticed yet.
  const redis = new Redis(world.redis.url);
  world.cleanup.defer(() => redis.disconnect());
  const prefix = `safefile:{${core.volumeId}}:`;
  await redis.del(`${prefix}f:${pathHash("a" as FilePath)}`, `${prefix}r:first`, `${prefix}watermarks`);
  const ready = (await redis.get(`${prefix}ready`)) ?? "";
  await redis.set(`${prefix}ready`, ready.replace(/\/.*/, `/${"0".repeat(40)}`));
  assert.equal(await core.repair.look(), 2);
  const again = await core.write("a", "one", "first");
  assert.deepEqual([again.operation, again.replayed], [first.operation, true]);
});
