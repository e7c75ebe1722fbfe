import assert from "node:assert/strict";
import { test } from "node:test";
import { Redis } from "ioredis";
import { type FilePath, pathHash } from "../../services/model/path.js";
import { ioError, World } from "./core.js";

for (const believed of ["as it is", "far ahead", "missing"] as const) {
  test(`I1: what was acknowledged outlives its replica, with Redis's watermark ${believed} (was: a survivor skipped what Redis called done, and the change was forgotten)`, async (t) => {
    const world = await World.start(t);
    const hash = pathHash("a" as FilePath);
    const dead = await world.core({
      tamper: {
        // It publishes and answers, but never gets to pass the baton on.
        rename: async (real, source, target) => {
          if (target.at.includes(hash) && isFinishedName(target.at)) throw ioError("EIO");
          return real.rename(source, target);
        },
      },
    });
    const first = await dead.write("a", "one", "request", { ifRevision: 0 });
    await dead.write("b", "other");
    await dead.announced();
    const redis = new Redis(world.redis.url);
    world.cleanup.defer(() => redis.disconnect());
    const key = `safefile:{${dead.volumeId}}:watermarks`;
    if (believed === "far ahead") await redis.hset(key, dead.incarnation.id, 1_000_000);
    if (believed === "missing") await redis.del(key);
    const next = await world.core();
    await next.survivor.end(dead.incarnation.id);
    const again = await next.write("a", "one", "request", { ifRevision: 0 });
    assert.deepEqual([again.operation, again.replayed], [first.operation, true]);
  });
}

/** Whether a baton's name says that its owner has finished. */
function isFinishedName(name: string): boolean {
  const [, , owner, last] = /([0-9]+)\.(-|[0-9A-Z]{26}\.[0-9]+)\.(-|[0-9A-Z]{26}\.[0-9]+)$/.exec(name) ?? [];
  return owner !== "-" && owner === last;
}
