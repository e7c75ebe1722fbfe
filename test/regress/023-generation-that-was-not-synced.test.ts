import assert from "node:assert/strict";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { type Core, ioError, World } from "./core.js";

test("I1: a generation that another replica made is made durable before it is relied on (was: it had died before, and the next power cut went unnoticed)", async (t) => {
  const world = await World.start(t);
  const isGenerations = (name: { at: string }): boolean => name.at.endsWith("/generations");
  const dying = await world.core({
    tamper: {
      syncDirectory: async (real, name) => {
        if (isGenerations(name)) throw ioError("EIO");
        await real.syncDirectory(name);
      },
    },
  });
  await assert.rejects(dying.replay.runIfNeeded(), { code: "EIO" });
  assert.equal((await readdir(path.join(world.root, ".safefile/generations"))).length, 1);
  let synced = 0;
  const next = await world.core({
    tamper: {
      syncDirectory: async (real, name) => {
        if (isGenerations(name)) synced += 1;
        await real.syncDirectory(name);
      },
    },
  });
  await next.replay.runIfNeeded();
  assert.equal(synced, 1);
});

test("I1: a volume that lost its generations is replayed all the same", async (t) => {
  const world = await World.start(t);
  const before: Core = await world.core();
  await before.replay.runIfNeeded();
  await before.write("f", "one");
  await before.announced();
  const file = path.join(world.root, "f");
  for (const name of await readdir(path.join(world.root, ".safefile/generations")))
    await rm(path.join(world.root, ".safefile/generations", name));
  await rm(file);
  const after = await world.core({ bootId: "another" });
  assert.equal((await after.replay.runIfNeeded())?.republished, 1);
});

test("a volume that two replicas begin at once is new to both (was: one that had said nothing of itself yet was taken for one from before, and ended)", async (t) => {
  const world = await World.start(t);
  const first = await world.core();
  const control = path.join(world.root, ".safefile");
  const beginning = "01KDVDNA000000000000000000";
  await writeFile(path.join(control, "incarnations", beginning), "");
  await mkdir(path.join(control, "staging", beginning));
  await mkdir(path.join(control, "journal", beginning));
  assert.equal(await first.replay.runIfNeeded(), undefined);
  assert.deepEqual(await readdir(path.join(control, "closed")), []);
});
