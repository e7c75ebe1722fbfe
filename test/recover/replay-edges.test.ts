/** What a power cut may leave besides files of before: directories, links, half-done work of others. In one process. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, open, readdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { Redis } from "ioredis";
import type { Intent } from "../../services/model/operation-request.js";
import { type FilePath, pathHash } from "../../services/model/path.js";
import { isFinished } from "../../services/protocol/baton.js";
import { NotPlainError } from "../../services/volume/volume.js";
import { type Core, ioError, refusal, toRemove, toWrite } from "../regress/core.js";
import { beforeCut } from "./after-cut.js";

const toMake = (at: string, mode?: number): Intent => ({
  path: at as FilePath,
  kind: "MAKE_DIRECTORY",
  mode,
  source: undefined,
  precondition: { etag: undefined, ifRevision: undefined },
});
const read = (root: string, file: string): Promise<string> => readFile(path.join(root, file), "utf8");
const isPublish = (source: string, target: string): boolean =>
  source.includes("/staging/") && !/\/(fenced|committed|checkpoints)\//.test(target);
const typeAt = (root: string, file: string): Promise<string> =>
  stat(path.join(root, file)).then(
    (stats) => (stats.isDirectory() ? (stats.mode & 0o777).toString(8) : "file"),
    () => "nothing",
  );
const foundIn = (root: string): Promise<string[]> => readdir(path.join(root, ".safefile/found")).catch(() => []);
const batonOf = (core: Core, file: string) => core.batons.look(pathHash(file as FilePath));
const batonNames = async (root: string, file: string): Promise<string[]> => {
  const hash = pathHash(file as FilePath);
  const directory = path.join(root, ".safefile/batons", hash.slice(0, 2), hash.slice(2, 4));
  return (await readdir(directory)).filter((name) => name.startsWith(hash)).map((name) => path.join(directory, name));
};

test("I1: directories that were made come back with their permissions, those that were removed go again", async (t) => {
  const { core, disk, found } = await beforeCut(t);
  for (const name of ["removed", "replaced", "used"]) await core.changeAll([toMake(name)]);
  await core.write("file", "a file");
  disk.sync();
  await core.changeAll([toMake("made", 0o700)]);
  await core.changeAll([toMake("made/in", undefined)]);
  await core.write("made/in/f", "deep");
  await core.changeAll([toRemove("removed", "REMOVE_DIRECTORY")]);
  await core.changeAll([toRemove("replaced", "REMOVE_DIRECTORY")]);
  await core.write("replaced", "a file now");
  await core.changeAll([toRemove("used", "REMOVE_DIRECTORY")]);
  await core.remove("file");
  await core.changeAll([toMake("file")]);
  await core.write("deleted", "x");
  await core.remove("deleted");
  const root = await disk.cut();
  await mkdir(path.join(root, "deleted"));
  await writeFile(path.join(root, "used/outside"), "outside");
  const next = await found(root);
  assert.deepEqual(await next.replay.runIfNeeded(), { paths: 8, republished: 6, leftOut: 0 });
  assert.notEqual(await typeAt(root, "deleted"), "nothing", "a directory of somebody outside stays");
  assert.deepEqual(
    await Promise.all(["made", "made/in", "removed", "replaced", "file", "used"].map((name) => typeAt(root, name))),
    ["700", await typeAt(root, "made/in"), "nothing", "file", await typeAt(root, "file"), "755"],
  );
  assert.notEqual(await typeAt(root, "file"), "file");
  assert.equal(await read(root, "made/in/f"), "deep");
  assert.equal(await read(root, "replaced"), "a file now");
  assert.equal(await read(root, "used/outside"), "outside", "what somebody outside put there since");
  for (const name of ["made", "removed", "replaced", "used", "file"])
    assert(isFinished((await batonOf(next, name)) as never), name);
  await next.write("made/on", "goes on");
});

test("I1: a file whose attributes alone went back comes to its head", async (t) => {
  const { core, disk, found } = await beforeCut(t);
  for (const name of ["mode", "xattrs"]) await core.write(name, "one");
  disk.sync();
  const root = await disk.cut();
  const next = await found(root);
  const head = await next.heads.headAt("mode" as FilePath, (await batonOf(next, "mode"))?.last as never);
  const content = head?.change.content;
  assert(content);
  for (const [name, other] of [
    ["mode", { mode: 0o777 }],
    ["xattrs", { xattrs: { "user.other": Buffer.from("x") } }],
  ] as const) {
    await using live = await next.volume.locate(name as FilePath);
    await using handle = await next.volume.openWrite(live);
    await handle.setAttributes({ ...content, ...other, mtimeNs: 1n });
  }
  assert.deepEqual(await next.replay.runIfNeeded(), { paths: 2, republished: 2, leftOut: 0 });
  assert.notEqual(await typeAt(root, "mode"), "777");
  await using live = await next.volume.locate("xattrs" as FilePath);
  assert.deepEqual(await next.volume.xattrs(live), content.xattrs);
});

test("what is put into a directory while a replay removes it is kept under found/", async (t) => {
  const { core, disk, found } = await beforeCut(t);
  await core.changeAll([toMake("d")]);
  disk.sync();
  await core.changeAll([toRemove("d", "REMOVE_DIRECTORY")]);
  const root = await disk.cut();
  const next = await found(root, {
    tamper: {
      rename: async (real, source, target) => {
        if (target.at.endsWith("/x")) await writeFile(path.join(root, "d/outside"), "outside");
        await real.rename(source, target);
      },
    },
  });
  await next.replay.runIfNeeded();
  assert.equal(await typeAt(root, "d"), "nothing");
  const [kept] = await foundIn(root);
  assert.equal(await read(root, `.safefile/found/${kept}/outside`), "outside");
});

for (const [what, intent] of [
  ["made", toMake("d")],
  ["removed", toRemove("d", "REMOVE_DIRECTORY")],
] as const)
  test(`I7: a repair of a directory to be ${what} that a rival stops is done again`, async (t) => {
    const { core, disk, found } = await beforeCut(t);
    if (what === "removed") await core.changeAll([toMake("d")]);
    else await core.write("d", "a file");
    disk.sync();
    if (what === "made") await core.remove("d");
    await core.changeAll([intent]);
    const root = await disk.cut();
    let stopped = 0;
    const next = await found(root, {
      tamper: {
        rename: async (real, source, target) => {
          // As whoever takes the baton of this repair does: its staged name goes to fenced/.
          if (target.at.endsWith("/x") && ++stopped === 1) {
            const staged = path.dirname(target.at.slice(target.at.indexOf("staging/")));
            await rename(
              path.join(root, ".safefile", staged),
              path.join(root, ".safefile/fenced", path.basename(staged)),
            );
          }
          await real.rename(source, target);
        },
      },
    });
    await next.replay.runIfNeeded();
    assert(stopped > 1, "the repair was not done again");
    assert.equal((await typeAt(root, "d")) === "nothing", what === "removed");
    assert(isFinished((await batonOf(next, "d")) as never));
  });

test("a symlink or a pipe that somebody outside made of a path stays, and the path can be repaired later", async (t) => {
  const { core, disk, found } = await beforeCut(t);
  for (const name of ["d/f", "pipe", "moved"]) await core.write(name, "one");
  disk.sync();
  for (const name of ["d/f", "pipe", "moved"]) await core.write(name, "two");
  const root = await disk.cut();
  await rm(path.join(root, "d"), { recursive: true });
  await symlink("/etc", path.join(root, "d"));
  await rm(path.join(root, "pipe"));
  execFileSync("mkfifo", [path.join(root, "pipe")]);
  const next = await found(root, {
    tamper: {
      // Replaced after its type was looked at.
      openRead: async (real, name) => {
        if (name.at.endsWith("moved")) throw new NotPlainError("moved", "symlink");
        return await real.openRead(name);
      },
    },
  });
  assert.deepEqual(await next.replay.runIfNeeded(), { paths: 3, republished: 1, leftOut: 0 });
  assert.equal(await read(root, "moved"), "two");
  assert((await stat(path.join(root, "pipe"))).isFIFO());
  assert((await readdir(path.join(root, "d"))).length > 0);
});

test("I3: an operation that a later one left out stays out after a cut, with an abort that says so", async (t) => {
  const hold = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  let isHolding = false;
  const { world, core, disk, found } = await beforeCut(t, {
    tamper: {
      rename: async (real, source, target) => {
        if (isHolding && isPublish(source.at, target.at)) {
          isHolding = false;
          held.resolve();
          await hold.promise;
        }
        await real.rename(source, target);
      },
    },
  });
  await core.write("f", "one");
  isHolding = true;
  const late = core.write("f", "stopped");
  late.catch(() => undefined);
  await held.promise;
  const redis = new Redis(world.redis.url);
  world.cleanup.defer(() => redis.disconnect());
  await redis.del(...(await redis.keys("*:lock:i:*")));
  const rival = await world.core();
  await rival.write("f", "two");
  const root = await disk.cut();
  hold.resolve();
  await assert.rejects(late);
  const next = await found(root);
  assert.equal((await next.replay.runIfNeeded())?.leftOut, 1);
  assert.equal(await read(root, "f"), "two");
  assert.deepEqual(
    next.journals.foreignAborts.map((each) => each.slice(0, 26)),
    [core.incarnation.id],
  );
});

test("I17: what a transaction had left in committed/ when the power failed is done by the replay", async (t) => {
  const decided = Promise.withResolvers<void>();
  const { core, disk, found } = await beforeCut(t, {
    tamper: {
      rename: async (real, source, target) => {
        if (source.at.includes("/committed/")) {
          decided.resolve();
          await new Promise<void>(() => undefined); // here the power fails
        }
        await real.rename(source, target);
      },
    },
  });
  void core.changeAll([toWrite("a", "a"), toWrite("b", "b")]).catch(() => undefined);
  await decided.promise;
  disk.sync();
  const root = await disk.cut();
  assert.equal((await readdir(path.join(root, ".safefile/committed"))).length, 1);
  const next = await found(root);
  assert.deepEqual(await next.replay.runIfNeeded(), { paths: 2, republished: 2, leftOut: 0 });
  assert.deepEqual(await readdir(path.join(root, ".safefile/committed")), []);
  assert.deepEqual([await read(root, "a"), await read(root, "b")], ["a", "b"]);
});

test("I3: a late repair touches neither what came after the cut, nor a path that has no history", async (t) => {
  const { core, disk, found } = await beforeCut(t);
  await core.write("f", "one");
  const root = await disk.cut();
  const [first, late] = [await found(root), await found(root)];
  await first.replay.runIfNeeded();
  // It has read the journals by now, and will not read them again.
  assert.equal(await late.replay.repair("f" as FilePath), false);
  await first.write("f", "two");
  await writeFile(path.join(root, "unknown"), "outside");
  const before = await batonOf(first, "f");
  assert.equal(await late.replay.repair("f" as FilePath), false);
  assert.equal(await late.replay.repair("unknown" as FilePath), false);
  assert.deepEqual(await batonOf(first, "f"), before);
  assert.deepEqual([await read(root, "f"), await read(root, "unknown")], ["two", "outside"]);
});

test("I7: a path all of whose records came to nothing is left as it is found", async (t) => {
  const { core, disk, found } = await beforeCut(t, {
    tamper: {
      link: async (real, source, target) => {
        if (source.at.includes("/staging/")) throw ioError("EPERM");
        await real.link(source, target);
      },
    },
  });
  assert.equal((await refusal(core.write("f", "never", "", { ifRevision: 0 }))).outcome, "NOT_COMMITTED");
  const root = await disk.cut();
  await writeFile(path.join(root, "f"), "outside");
  const next = await found(root);
  assert.deepEqual(await next.replay.runIfNeeded(), { paths: 1, republished: 0, leftOut: 0 });
  assert.equal(await read(root, "f"), "outside");
});

test("I7: a baton that moves away while a replay takes it is looked at again; one that always does is an error", async (t) => {
  const { core, disk, found } = await beforeCut(t);
  await core.write("f", "one");
  await core.write("g", "one");
  for (const times of [1, Number.POSITIVE_INFINITY]) {
    const root = await disk.cut();
    let left = times;
    const next = await found(root, {
      tamper: {
        rename: async (real, source, target) => {
          const isTaken = target.at.includes("/batons/") && !source.at.includes("/births/");
          if (isTaken && left-- > 0) throw ioError("ENOENT");
          await real.rename(source, target);
        },
      },
    });
    if (times === 1) {
      await next.replay.runIfNeeded();
      assert.deepEqual([await read(root, "f"), await read(root, "g")], ["one", "one"]);
      assert.deepEqual(await readdir(path.join(root, ".safefile/staging", next.incarnation.id)), []);
    } else await assert.rejects(next.replay.runIfNeeded(), /moved away 1000 times/);
  }
});

test("I7: lost batons and their .born are made anew, once, also when another replayer is faster", async (t) => {
  const { core, disk, found } = await beforeCut(t);
  const names = ["both", "baton", "born", "raced", "helped"];
  for (const name of names) await core.write(name, "one");
  disk.sync();
  for (const name of names) await core.write(name, "two");
  const root = await disk.cut();
  for (const name of names)
    for (const file of await batonNames(root, name))
      if (name === "both" || (name === "born") === file.endsWith(".born")) await rm(file);
  const other = await found(root);
  const next = await found(root, {
    tamper: {
      rename: async (real, source, target) => {
        const isLost = target.at.endsWith(".lost");
        const is = (name: string) => isLost && target.at.includes(pathHash(name as FilePath));
        // Another replayer moves the same .born first, and makes the baton; or makes one just after we moved it.
        if (is("helped")) {
          await other.replay.repair("helped" as FilePath);
          for (const file of await batonNames(root, "helped")) if (file.endsWith(".born")) await rm(file);
        }
        await real.rename(source, target);
        if (is("raced")) await other.replay.repair("raced" as FilePath);
      },
    },
  });
  await next.replay.runIfNeeded();
  for (const name of names) {
    assert.equal(await read(root, name), "two", name);
    assert.equal((await batonNames(root, name)).length, 2, `${name}: one baton and its .born`);
    assert.equal((await next.write(name, "three")).record?.changes[0]?.revision, 3);
  }
});

test("I9: a damaged record of long ago does not keep a path from being repaired; what cannot be compared is kept", async (t) => {
  const { core, disk, found } = await beforeCut(t);
  await core.write("f", "an old one");
  await core.checkpointer.run();
  await core.write("f", "two");
  const damaged = async (): Promise<string> => {
    const root = await disk.cut();
    const file = await open(path.join(root, ".safefile/journal", core.incarnation.id, "00000001.log"), "r+");
    await file.write(Buffer.of(1, 2, 3), 0, 3, 60);
    await file.close();
    await writeFile(path.join(root, "f"), "by somebody outside");
    return root;
  };
  const root = await damaged();
  const next = await found(root);
  await next.replay.runIfNeeded();
  assert.equal(await read(root, "f"), "two");
  const [kept] = await foundIn(root);
  assert.equal(await read(root, `.safefile/found/${kept}`), "by somebody outside");

  // That a record cannot be read now does not say that it is damaged.
  const unreadable = await found(await damaged(), {
    tamper: {
      openRead: async (real, name) => {
        const handle = await real.openRead(name);
        if (!name.at.includes(`journal/${core.incarnation.id}`)) return handle;
        const readReal = handle.read.bind(handle);
        handle.read = async (into, position) => {
          if (position === 0) throw ioError("EIO");
          return await readReal(into, position);
        };
        return handle;
      },
    },
  });
  await assert.rejects(unreadable.replay.runIfNeeded(), { code: "EIO" });
});

test("I7: an error of the volume stops a replay, and the next one does it all", async (t) => {
  const { core, disk, found } = await beforeCut(t);
  await core.write("d/f", "one");
  const root = await disk.cut();
  for (const call of ["examine", "openRead", "locateWithParents"] as const) {
    await mkdir(path.join(root, "d"), { recursive: true });
    await writeFile(path.join(root, "d/f"), "outside");
    const failing = await found(root, {
      tamper: {
        [call]: async (real: never, at: never) => {
          const name = typeof at === "string" ? at : (at as { at: string }).at;
          if (name === "d/f" || name.endsWith("/f")) throw ioError("EIO");
          return await (real as Record<string, (at: never) => Promise<never>>)[call]?.(at);
        },
      },
    });
    await assert.rejects(failing.replay.runIfNeeded(), { code: "EIO" }, call);
  }
  const next = await found(root);
  assert.equal((await next.replay.runIfNeeded())?.paths, 1);
  assert.equal(await read(root, "d/f"), "one");
});

test("I9: a volume that lost one of its directories is not served as if that was empty", async (t) => {
  const { disk, found } = await beforeCut(t);
  for (const name of ["committed", "generations"]) {
    const root = await disk.cut();
    const next = await found(root);
    await rm(path.join(root, ".safefile", name), { recursive: true });
    await assert.rejects(next.replay.runIfNeeded(), new RegExp(`${name} is gone`));
  }
});
