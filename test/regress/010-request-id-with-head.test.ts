import assert from "node:assert/strict";
import { test } from "node:test";
import { type FilePath, pathHash } from "../../services/model/path.js";
import { World } from "./core.js";
import { heldRedis } from "./held-redis.js";

const f = "f" as FilePath;

/** What the index is asked or told of the request or its path, in however many commands. */
const isAboutIt = (command: readonly string[]): boolean =>
  command.some((word) => word.endsWith("request") || word.endsWith(pathHash(f)));

for (const at of [1, 2])
  test(`I5: a request announced while its retry looks it up is not done twice, before look ${at} (was: the head was seen, its request id not)`, async (t) => {
    const world = await World.start(t);
    const { promise: lookingUp, resolve: announce } = Promise.withResolvers<void>();
    world.cleanup.defer(announce);
    const first = await world.core();
    const apply = first.index.apply.bind(first.index);
    first.index.apply = async (...args) => {
      await lookingUp;
      return await apply(...args);
    };
    let looks = 0;
    const indexUrl = await heldRedis(world.cleanup, world.redis.port, async (command) => {
      if (!isAboutIt(command)) return;
      looks += 1;
      if (looks !== at) return;
      announce();
      await first.announced();
    });
    const retried = await world.core({ indexUrl });
    world.cleanup.defer(announce);
    const { operation } = await first.write("f", "once", "request");
    const again = await retried.write("f", "once", "request");
    assert(looks >= 1);
    assert.deepEqual([again.operation, again.replayed], [operation, true]);
    assert.equal((await retried.files.stat(f)).revision, 1);
  });

for (const at of [1, 2])
  test(`I5: a request whose announcement is under way is not done twice, before write ${at} (was: the head was indexed before its request id)`, async (t) => {
    const world = await World.start(t);
    const { promise: halfWay, resolve: reachHalfWay } = Promise.withResolvers<void>();
    const { promise: retriedOnce, resolve: goOn } = Promise.withResolvers<void>();
    let isWritten = false;
    let written = 0;
    const indexUrl = await heldRedis(world.cleanup, world.redis.port, async (command) => {
      if (!isWritten || !isAboutIt(command) || ++written !== at) return;
      reachHalfWay();
      await retriedOnce;
    });
    const first = await world.core({ indexUrl });
    world.cleanup.defer(goOn);
    const retried = await world.core();
    const apply = first.index.apply.bind(first.index);
    first.index.apply = async (...args) => {
      isWritten = true;
      return await apply(...args);
    };
    const { operation } = await first.write("f", "once", "request");
    await Promise.race([halfWay, first.announced()]);
    const again = await retried.write("f", "once", "request");
    goOn();
    assert.deepEqual([again.operation, again.replayed], [operation, true]);
    assert.equal((await retried.files.stat(f)).revision, 1);
  });
