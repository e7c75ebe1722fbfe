import assert from "node:assert/strict";
import { copyFile, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { Redis } from "ioredis";
import { Settled } from "../../services/journal/settled.js";
import type { OperationId } from "../../services/model/operation.js";
import { type FilePath, pathHash } from "../../services/model/path.js";
import type { Handle, Name } from "../../services/volume/volume.js";
import { type Core, type CoreOptions, ioError, type Tamper, World } from "../regress/core.js";
import { ForgetfulDisk } from "./copy.js";

const OTHER = "01ARZ3NDEKTSV4RRFFQ69G5FA1.7" as OperationId;
const AT = { sequence: 1, segment: 1, offset: 10 };

async function start(t: TestContext, options: CoreOptions = {}) {
  const world = await World.start(t);
  const disk = new ForgetfulDisk(world.root);
  world.cleanup.defer(() => disk.remove());
  const core = await world.core({ ...options, tamper: { ...disk.tamper, ...options.tamper } });
  await core.replay.runIfNeeded();
  /** The core that finds what the cut left, with its own disk. */
  const afterCut = async (root: string, more: CoreOptions = {}) => {
    const next = new ForgetfulDisk(root);
    world.cleanup.defer(() => next.remove());
    return { disk: next, core: await world.on(root).core({ ...more, tamper: { ...next.tamper, ...more.tamper } }) };
  };
  return { world, disk, core, afterCut };
}

const read = (root: string, file: string): Promise<string> => readFile(path.join(root, file), "utf8");
const checkpointFile = (root: string, { incarnation }: Core): string =>
  path.join(root, ".safefile/checkpoints", incarnation.id);

/** Counts the bytes that are read of a journal before `offset` of its segment `segment`. */
function countingReads(
  incarnation: string,
  before: { segment: number; offset: number },
  count: (bytes: number) => void,
): Tamper {
  const isOld = (name: Name, position: number): boolean => {
    const [, found, segment] = /journal\/([^/]+)\/0*([0-9]+)\.log$/.exec(name.at) ?? [];
    const isBefore = Number(segment) < before.segment;
    return found === incarnation && (isBefore || (Number(segment) === before.segment && position < before.offset));
  };
  return {
    readPiece: async (real, name, sizeBytes, position) => {
      const bytes = await real.readPiece(name, sizeBytes, position);
      if (isOld(name, position)) count(bytes.length);
      return bytes;
    },
    openRead: async (real, name): Promise<Handle> => {
      const handle = await real.openRead(name);
      return new Proxy(handle, {
        get(target, key) {
          const value: unknown = Reflect.get(target, key, target);
          if (key !== "read") return typeof value === "function" ? value.bind(target) : value;
          return async (into: Uint8Array, position: number) => {
            const bytes = await target.read(into, position);
            if (isOld(name, position)) count(bytes);
            return bytes;
          };
        },
      });
    },
  };
}

test("a checkpoint that is missing, damaged, of another incarnation, or beyond its journal counts as none", async (t) => {
  const { world, core } = await start(t);
  const { checkpoints, incarnation } = core;
  assert.equal(await checkpoints.read(incarnation.id), undefined);
  await core.write("f", "x");
  const checkpoint = { at: AT, isFinal: true, foreignAborts: [OTHER] };
  await checkpoints.write(incarnation.id, checkpoint);
  assert.deepEqual(await checkpoints.read(incarnation.id), checkpoint);
  const file = checkpointFile(world.root, core);
  const whole = await readFile(file);
  for (let byte = 0; byte < whole.length; byte++) {
    const damaged = Buffer.from(whole);
    damaged[byte] = (damaged[byte] as number) ^ 0x10;
    await writeFile(file, damaged);
    assert.equal(await checkpoints.read(incarnation.id), undefined, `bit of byte ${byte}`);
    await writeFile(file, whole.subarray(0, byte));
    assert.equal(await checkpoints.read(incarnation.id), undefined, `cut at byte ${byte}`);
  }
  await writeFile(file, whole);
  const other = await world.core();
  await copyFile(file, checkpointFile(world.root, other));
  assert.equal(await checkpoints.read(other.incarnation.id), undefined, "of another incarnation");
  await checkpoints.write(incarnation.id, { ...checkpoint, at: { ...AT, offset: 1e9 } });
  assert.equal(await checkpoints.read(incarnation.id), undefined, "beyond its journal");
});

test("a volume from before checkpoints gets them", async (t) => {
  const { world, core } = await start(t);
  await rm(path.join(world.root, ".safefile/checkpoints"), { recursive: true });
  await core.write("f", "x");
  await core.checkpointer.run();
  assert.equal((await core.checkpoints.read(core.incarnation.id))?.at.sequence, 1);
});

test("what is handed to the journal is open until it is settled, also before anybody knows where it is", () => {
  const writer = { end: { sequence: 4, segment: 1, offset: 400, bytes: 400 } };
  const settled = new Settled(writer);
  const [first, second] = [settled.begin(), settled.begin()];
  writer.end = { sequence: 9, segment: 2, offset: 50, bytes: 900 };
  assert.equal(settled.end.sequence, 4, "both may be any of those that became durable");
  const at = { incarnation: "" as never, segment: 2, offset: 0, bytesBefore: 850 };
  first.journaled({ ...at, sequence: 9 });
  second.settle();
  assert.deepEqual(settled.end, { sequence: 8, segment: 2, offset: 0, bytes: 850 });
  first.settle();
  assert.deepEqual(settled.end, writer.end);
});

test("I1: a replay brings back what came since the checkpoint, and reads nothing from before it", async (t) => {
  const { disk, core, afterCut } = await start(t);
  for (let n = 0; n < 40; n++) await core.write(`old/${n}`, `old ${n}`);
  await core.checkpointer.run();
  assert.equal(core.checkpointer.replayBytes, 0);
  for (let n = 0; n < 5; n++) await core.write(`old/${n}`, `new ${n}`);
  await core.remove("old/5");
  await core.write("new", "new");
  assert(core.checkpointer.replayBytes > 0);
  disk.sync(); // names and contents happen to be kept
  const before = await core.checkpoints.read(core.incarnation.id);
  assert(before);
  let bytes = 0;
  const counting = countingReads(core.incarnation.id, before.at, (more) => (bytes += more));
  const next = await afterCut(await disk.cut(), { tamper: counting });
  assert.deepEqual(await next.core.replay.runIfNeeded(), { paths: 7, republished: 0, leftOut: 0 });
  assert.equal(bytes, 0, "bytes read from before the checkpoint");
  assert.deepEqual((await next.core.checkpoints.read(core.incarnation.id))?.isFinal, true);
  // All of it is settled now: after another cut there is nothing to do.
  const third = await afterCut(await next.disk.cut());
  assert.deepEqual(await third.core.replay.runIfNeeded(), { paths: 0, republished: 0, leftOut: 0 });
});

test("I1: names that went back to the checkpoint come to the head, and revisions do not land in found/", async (t) => {
  const { disk, core, afterCut } = await start(t, { config: { segmentBytesMax: 1024 * 1024 } });
  const filler = "x".repeat(60_000);
  for (let n = 0; n < 80; n++) await core.write(`old/${n}`, `${filler} ${n}`);
  for (let n = 0; n < 10; n++) await core.write(`f${n}`, `${n} before`);
  await core.checkpointer.run();
  for (let n = 0; n < 10; n++) await core.write(`f${n}`, `${n} after`);
  await core.remove("f9");
  await core.write("made", "made");
  const before = await core.checkpoints.read(core.incarnation.id);
  assert(before && before.at.segment >= 5, `the journal has ${before?.at.segment} segments`);
  const root = await disk.cut();
  assert.equal(await read(root, "f0"), "0 before", "the cut took nothing back");
  let bytes = 0;
  const next = await afterCut(root, {
    tamper: countingReads(core.incarnation.id, before.at, (more) => (bytes += more)),
  });
  assert.deepEqual(await next.core.replay.runIfNeeded(), { paths: 11, republished: 11, leftOut: 0 });
  for (let n = 0; n < 9; n++) assert.equal(await read(root, `f${n}`), `${n} after`);
  await assert.rejects(read(root, "f9"), { code: "ENOENT" });
  assert.equal(await read(root, "made"), "made");
  assert(
    !(await readdir(path.join(root, ".safefile"))).includes("found"),
    "a revision was taken for something unknown",
  );
  assert(bytes <= 2 * 1024 * 1024, `${bytes} bytes read of 5 MiB from before the checkpoint`);
  assert.equal((await next.core.write("f0", "on")).record?.changes[0]?.revision, 3);
});

test("I1: an operation that is under way when a checkpoint is made is not settled by it", async (t) => {
  const hold = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  let isHolding = false;
  const tamper: Tamper = {
    rename: async (real, source, target) => {
      if (isHolding && !target.at.includes(".safefile") && source.at.includes("/staging/")) {
        isHolding = false;
        held.resolve();
        await hold.promise;
      }
      await real.rename(source, target);
    },
  };
  const { disk, core, afterCut } = await start(t, { tamper });
  await core.write("f", "one");
  isHolding = true;
  const writing = core.write("f", "two");
  await held.promise;
  await core.write("g", "other");
  await core.checkpointer.run();
  assert.equal((await core.checkpoints.read(core.incarnation.id))?.at.sequence, 1);
  hold.resolve();
  await writing; // acknowledged
  const root = await disk.cut();
  const next = await afterCut(root);
  await next.core.replay.runIfNeeded();
  assert.equal(await read(root, "f"), "two");
  assert.equal(await read(root, "g"), "other");
});

test("I1: a process killed between the sync and the checkpoint file leaves the one before", async (t) => {
  let isKilled = false;
  const tamper: Tamper = {
    rename: async (real, source, target) => {
      if (isKilled && target.at.includes("/checkpoints/")) throw ioError("EIO");
      await real.rename(source, target);
    },
  };
  const { world, disk, core, afterCut } = await start(t, { tamper });
  await core.write("f", "one");
  await core.checkpointer.run();
  await core.write("f", "two");
  isKilled = true;
  await assert.rejects(core.checkpointer.run(), { code: "EIO" });
  assert.deepEqual(await readdir(path.join(world.root, ".safefile/staging", core.incarnation.id)), []);
  await core.write("g", "new");
  const root = await disk.cut();
  const next = await afterCut(root);
  assert.deepEqual(await next.core.replay.runIfNeeded(), { paths: 2, republished: 1, leftOut: 0 });
  assert.deepEqual([await read(root, "f"), await read(root, "g")], ["two", "new"]);
});

test("I1/I10: a checkpoint whose sync fails is not written", async (t) => {
  const tamper: Tamper = { syncAll: () => Promise.reject(ioError("EIO")) };
  const { core } = await start(t, { tamper });
  await core.write("f", "one");
  await assert.rejects(core.checkpointer.run(), { code: "EIO" });
  assert.equal(await core.checkpoints.read(core.incarnation.id), undefined);
});

test("I1/I7: a second cut in the middle of a replay starts over from the same checkpoints", async (t) => {
  const { disk, core, afterCut } = await start(t);
  for (let n = 0; n < 6; n++) await core.write(`f${n}`, "one");
  await core.checkpointer.run();
  for (let n = 0; n < 6; n++) await core.write(`f${n}`, "two");
  for (const stopAt of ["/checkpoints/", "/batons/", "/closed/"]) {
    const root = await disk.cut();
    let left = stopAt === "/batons/" ? 5 : 1;
    const stop = (at: string): void => {
      if (at.includes(stopAt) && --left === 0) throw ioError("EIO");
    };
    const next = await afterCut(root, {
      tamper: {
        rename: async (real, source, target) => {
          stop(target.at);
          await real.rename(source, target);
        },
        createWith: async (real, name, content, sync) => {
          stop(name.at);
          await real.createWith(name, content, sync);
        },
      },
    });
    next.disk.sync();
    await assert.rejects(next.core.replay.runIfNeeded(), { code: "EIO" }, stopAt);
    const again = await next.disk.cut();
    const last = await afterCut(again);
    await last.core.replay.runIfNeeded();
    for (let n = 0; n < 6; n++) assert.equal(await read(again, `f${n}`), "two", stopAt);
  }
});

test("a damaged checkpoint makes a replay read everything, with the same result", async (t) => {
  const { disk, core, afterCut } = await start(t);
  for (let n = 0; n < 6; n++) await core.write(`f${n}`, "one");
  await core.checkpointer.run();
  await core.write("f0", "two");
  const root = await disk.cut();
  await truncate(checkpointFile(root, core), 30);
  const next = await afterCut(root);
  assert.deepEqual(await next.core.replay.runIfNeeded(), { paths: 6, republished: 1, leftOut: 0 });
  assert.equal(await read(root, "f0"), "two");
});

test("I7: a zombie's checkpoint does not take the place of the final one", async (t) => {
  const hold = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  const tamper: Tamper = {
    rename: async (real, source, target) => {
      if (target.at.includes("/checkpoints/")) {
        held.resolve();
        await hold.promise;
      }
      await real.rename(source, target);
    },
  };
  const { world, core: zombie } = await start(t, { tamper });
  await zombie.write("f", "one");
  const late = zombie.checkpointer.run();
  late.catch(() => undefined);
  await held.promise;
  await zombie.write("f", "two");
  const survivor = await world.core();
  await survivor.survivor.end(zombie.incarnation.id);
  const final = await survivor.checkpoints.read(zombie.incarnation.id);
  assert.deepEqual([final?.isFinal, final?.at.sequence], [true, 2]);
  hold.resolve();
  await assert.rejects(late, { code: "ENOENT" });
  assert.deepEqual(await survivor.checkpoints.read(zombie.incarnation.id), final);
});

for (const indexed of ["the index knows", "the index does not know"] as const)
  test(`I7: a survivor reads a journal from its checkpoint on, where ${indexed} what is before it`, async (t) => {
    const { world, core } = await start(t);
    for (let n = 0; n < 20; n++) await core.write(`f${n}`, "one");
    await core.announced();
    await core.checkpointer.run();
    const before = await core.checkpoints.read(core.incarnation.id);
    assert.equal(before?.at.sequence, 20);
    await core.write("f0", "two");
    await core.announced();
    let bytes = 0;
    const counting = countingReads(core.incarnation.id, before.at, (more) => {
      bytes += more;
    });
    const survivor = await world.core({ tamper: counting });
    assert.equal(bytes, 0);
    const sequence = indexed === "the index knows" ? 20 : 19;
    const redis = new Redis(world.redis.url);
    world.cleanup.defer(() => redis.disconnect());
    await redis.hset(`safefile:{${core.volumeId}}:watermarks`, core.incarnation.id, sequence);
    await survivor.survivor.end(core.incarnation.id);
    assert.equal(bytes > 0, sequence < 20);
    assert.equal((await survivor.checkpoints.read(core.incarnation.id))?.at.sequence, 21);
  });

test("I1: what a survivor ended is durable before its final checkpoint says so", async (t) => {
  const { world, disk, core, afterCut } = await start(t);
  disk.sync();
  await core.write("f", "one");
  await core.write("g", "one");
  await core.remove("g");
  const survivor = await world.core({ tamper: disk.tamper });
  await survivor.survivor.end(core.incarnation.id);
  const root = await disk.cut();
  const next = await afterCut(root);
  assert.deepEqual(await next.core.replay.runIfNeeded(), { paths: 0, republished: 0, leftOut: 0 });
  assert.equal(await read(root, "f"), "one");
  assert.equal((await next.core.write("g", "two")).record?.changes[0]?.revision, 3);
});

test("I5: aborts of others' operations are named until those are over, and kept by who ends us", async (t) => {
  const { world, core } = await start(t);
  await core.journals.abort(OTHER, "test");
  await core.write("f", "one");
  await core.checkpointer.run();
  assert.deepEqual((await core.checkpoints.read(core.incarnation.id))?.foreignAborts, [OTHER]);
  // Of this one only the journal says so.
  const later = OTHER.replace(/\d+$/, "77") as OperationId;
  await core.journals.abort(later, "test");
  const survivor = await world.core();
  await survivor.survivor.end(core.incarnation.id);
  assert.deepEqual((await survivor.checkpoints.read(core.incarnation.id))?.foreignAborts, [OTHER, later]);
  // The other one is over now.
  const other = await world.core();
  await other.write("g", "one");
  const ended = `${other.incarnation.id}.1` as OperationId;
  await survivor.journals.abort(ended, "test");
  await survivor.survivor.end(other.incarnation.id);
  await survivor.write("f", "two");
  await survivor.checkpointer.run();
  assert.deepEqual((await survivor.checkpoints.read(survivor.incarnation.id))?.foreignAborts, []);
});

test("I5: a replay takes an abort from a checkpoint, though its record is not read any more", async (t) => {
  const { disk, core, afterCut, world } = await start(t);
  const owner = await world.core();
  await owner.write("f", "one");
  // As if it had been stopped: the abort is what decides.
  const stopped = await owner.write("f", "two");
  await core.journals.abort(stopped.operation, "test");
  await core.write("g", "one");
  await core.checkpointer.run();
  const root = await disk.cut();
  const next = await afterCut(root);
  await next.core.replay.runIfNeeded();
  assert.equal(await read(root, "f"), "one");
});

test("an unfinished repair that a replayer left behind is done by whoever meets it, with all journals read", async (t) => {
  const { core, afterCut, disk } = await start(t);
  await core.write("f", "one");
  await core.write("f", "two");
  await core.checkpointer.run();
  const root = await disk.cut();
  const replayer = await afterCut(root);
  await replayer.core.replay.runIfNeeded();
  const { batons, incarnation } = replayer.core;
  const seen = await batons.look(pathHash("f" as FilePath));
  assert(seen);
  await batons.move(seen, { ...seen, epoch: seen.epoch + 1, owner: incarnation.nextRepair() });
  const other = await afterCut(root);
  assert.equal((await other.core.write("f", "three")).record?.changes[0]?.revision, 3);
});
