import assert from "node:assert/strict";
import { open, readdir } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { ioError, World } from "./core.js";

test("I7: what a survivor was killed over is done by the next (was: an incarnation closed, but not cleaned up, was forgotten)", async (t) => {
  const world = await World.start(t);
  const dead = await world.core();
  const upload = dead.uploads.begin();
  await upload.write(Buffer.alloc(200_000)); // then the process dies
  world.cleanup.defer(() => upload[Symbol.asyncDispose]());
  let killed = false;
  const first = await world.core({
    tamper: {
      syncDirectory: async (real, name) => {
        if (killed || !name.at.endsWith("/closed")) return real.syncDirectory(name);
        killed = true;
        throw ioError("EIO");
      },
    },
  });
  await assert.rejects(first.survivor.end(dead.incarnation.id));
  assert(killed);
  const next = await world.core({ deadMs: 0 });
  await next.survivor.look(); // how everybody looks now
  const ended = await next.survivor.look();
  assert(ended.includes(dead.incarnation.id), "nobody looks after the dead incarnation any more");
  assert.deepEqual(await readdir(path.join(world.root, ".safefile/uploads")), []);
});

test("I7: one damaged journal does not keep survivors from ending other incarnations (was: the first error ended the round)", async (t) => {
  const world = await World.start(t);
  const cores = [await world.core(), await world.core(), await world.core()];
  for (const [at, core] of cores.entries()) {
    await core.write(`f${at}`, "x".repeat(100));
    await core.write(`f${at}`, "y".repeat(100));
  }
  const [before, damaged, after] = cores.map(({ incarnation }) => incarnation.id);
  const file = await open(path.join(world.root, ".safefile/journal", String(damaged), "00000001.log"), "r+");
  await file.write(Buffer.of(255), 0, 1, 100);
  await file.close();
  const survivor = await world.core({ deadMs: 0 });
  await survivor.survivor.look();
  const ended = await survivor.survivor.look();
  assert.deepEqual([...ended].sort(), [before, after].sort());
  assert.match(String(survivor.logged[0]), /JournalCorruptError/);
});
