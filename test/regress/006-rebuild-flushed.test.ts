import assert from "node:assert/strict";
import { test } from "node:test";
import { Redis } from "ioredis";
import { World } from "./core.js";

const PATHS = 40;

for (const at of [1, 20, PATHS]) {
  test(`I8: an index flushed while path ${at} of ${PATHS} is rebuilt is whole in the end (was: what came before was missing, and it was called ready)`, async (t) => {
    const world = await World.start(t);
    const core = await world.core();
    for (let n = 0; n < PATHS; n++) await core.write(`f${n}`, String(n));
    await core.announced();
    const before = await core.index.paths("", "", 1000);
    assert.equal(before.length, PATHS);
    const redis = new Redis(world.redis.url);
    world.cleanup.defer(() => redis.disconnect());
    const reapply = core.index.reapply.bind(core.index);
    let applied = 0;
    core.index.reapply = async (...args) => {
      await reapply(...args);
      if (++applied === at) await redis.flushall();
    };
    await core.rebuild.run();
    assert(applied > at, "the rebuild did not start over");
    assert.equal(await core.index.isReady(), true);
    assert.deepEqual(await core.index.paths("", "", 1000), before);
  });
}
