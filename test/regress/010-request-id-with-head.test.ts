import assert from "node:assert/strict";
import { test } from "node:test";
import type { FilePath } from "../../services/model/path.js";
import { World } from "./core.js";
import { heldRedis } from "./held-redis.js";

/** The parts of the index that are asked for or written one after the other. */
const isAboutRequest = (command: readonly string[]): boolean => command.some((word) => /\}:r:request$/.test(word));
const isAboutPath = (command: readonly string[]): boolean => command.some((word) => /\}:f:[0-9a-f]{40}$/.test(word));

test("I5: a request announced while its retry looks it up is not done twice (was: the head was seen, its request id not)", async (t) => {
  const world = await World.start(t);
  const { promise: lookingUp, resolve: announce } = Promise.withResolvers<void>();
  const first = await world.core();
  const apply = first.index.apply.bind(first.index);
  first.index.apply = async (...args) => {
    await lookingUp;
    await apply(...args);
  };
  let looks = 0;
  const indexUrl = await heldRedis(world.cleanup, world.redis.port, async (command) => {
    if (!isAboutRequest(command) && !isAboutPath(command)) return;
    looks += 1;
    if (looks !== 2) return;
    announce();
    await first.announced();
  });
  const retried = await world.core({ indexUrl });
  const { operation } = await first.write("f", "once", "request");
  const again = await retried.write("f", "once", "request");
  assert(looks >= 2);
  assert.deepEqual([again.operation, again.replayed], [operation, true]);
  assert.equal((await retried.files.stat("f" as FilePath)).revision, 1);
});

test("I5: a request whose announcement is half in Redis is not done twice (was: the head was indexed before its request id)", async (t) => {
  const world = await World.start(t);
  const { promise: halfWay, resolve: reachHalfWay } = Promise.withResolvers<void>();
  const { promise: retriedOnce, resolve: goOn } = Promise.withResolvers<void>();
  world.cleanup.defer(goOn);
  let written = 0;
  const indexUrl = await heldRedis(world.cleanup, world.redis.port, async (command) => {
    const isWrite = /^(set|eval)$/i.test(command[0] ?? "") && (isAboutRequest(command) || isAboutPath(command));
    if (!isWrite || ++written !== 2) return;
    reachHalfWay();
    await retriedOnce;
  });
  const first = await world.core({ indexUrl });
  world.cleanup.defer(goOn);
  const retried = await world.core();
  const { operation } = await first.write("f", "once", "request");
  await halfWay;
  const again = await retried.write("f", "once", "request");
  goOn();
  assert.deepEqual([again.operation, again.replayed], [operation, true]);
  assert.equal((await retried.files.stat("f" as FilePath)).revision, 1);
});
