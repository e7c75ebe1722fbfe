/** What a dead incarnation may leave, and what keeps one from being ended. */
import assert from "node:assert/strict";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { type FilePath, pathHash } from "../../services/model/path.js";
import { type CoreOptions, ioError, toWrite, World } from "../regress/core.js";

const read = (root: string, file: string): Promise<string> => readFile(path.join(root, file), "utf8");
const inControl = (world: World, ...names: string[]): string => path.join(world.root, ".safefile", ...names);

/** One that dies after a transaction was decided, and before any of it was published. */
async function decided(t: TestContext, options: CoreOptions = {}) {
  const world = await World.start(t);
  const died = Promise.withResolvers<void>();
  const dead = await world.core({
    ...options,
    tamper: {
      rename: async (real, source, target) => {
        if (source.at.includes("/committed/") || /committed\/[^/]+\/w/.test(source.at)) {
          died.resolve();
          await new Promise<void>(() => undefined);
        }
        await real.rename(source, target);
      },
    },
  });
  void dead.changeAll([toWrite("a", "a"), toWrite("b", "b")]).catch(() => undefined);
  await died.promise;
  return { world, dead };
}

test("I17: a survivor finishes a transaction that was decided, and closes its owner", async (t) => {
  const { world, dead } = await decided(t);
  assert.equal(await dead.survivor.closeOwn(), false, "one that has something left must not close itself");
  const survivor = await world.core();
  // What is no operation's is left alone.
  await writeFile(inControl(world, "committed", "notes"), "x");
  await survivor.survivor.end(dead.incarnation.id);
  assert.deepEqual([await read(world.root, "a"), await read(world.root, "b")], ["a", "b"]);
  assert.deepEqual(await readdir(inControl(world, "committed")), ["notes"]);
  assert((await readdir(inControl(world, "closed"))).includes(dead.incarnation.id));
});

test("I7: an incarnation with a staged name left does not close itself; with none it does", async (t) => {
  const world = await World.start(t);
  const core = await world.core();
  const left = inControl(world, "staging", core.incarnation.id, core.incarnation.nextOperation());
  await writeFile(left, "");
  assert.equal(await core.survivor.closeOwn(), false);
  assert.deepEqual(await readdir(inControl(world, "closed")), []);
  await rm(left);
  assert.equal(await core.survivor.closeOwn(), true);
  assert.deepEqual(await readdir(inControl(world, "closed")), [core.incarnation.id]);
});

test("I7: a staging directory that never becomes empty, or cannot be removed, keeps its owner from being closed", async (t) => {
  const world = await World.start(t);
  const dead = await world.core();
  await dead.write("f", "one");
  for (const [code, expected] of [
    ["ENOTEMPTY", /does not become empty/],
    ["EIO", { code: "EIO" }],
  ] as const) {
    const survivor = await world.core({
      tamper: {
        removeDirectory: async (real, name) => {
          if (name.at.includes(dead.incarnation.id)) throw ioError(code);
          await real.removeDirectory(name);
        },
      },
    });
    await assert.rejects(survivor.survivor.end(dead.incarnation.id), expected);
    assert.deepEqual(await readdir(inControl(world, "closed")), []);
  }
});

test("I7: births that a dead incarnation left are ended, whatever they had come to; what is no birth is left alone", async (t) => {
  const world = await World.start(t);
  const dead = await world.core();
  const birth = (name: string) => `${dead.incarnation.nextOperation()}.${pathHash(name as FilePath)}`;
  const [announced, second] = [birth("announced"), birth("second")];
  const foreign = [`${dead.incarnation.id}.notes`, `${dead.incarnation.id}.7.short`];
  for (const name of foreign) await writeFile(inControl(world, "births", name), "x");
  await writeFile(inControl(world, "births", announced), `births/${announced}`);
  // The other maker of the same path was faster, but has not made the baton.
  const rival = await world.core();
  const faster = `${rival.incarnation.nextOperation()}.${pathHash("second" as FilePath)}`;
  const hash = pathHash("second" as FilePath);
  const directory = inControl(world, "batons", hash.slice(0, 2), hash.slice(2, 4));
  await mkdir(directory, { recursive: true });
  await writeFile(inControl(world, "births", second), `births/${second}`);
  await writeFile(inControl(world, "births", faster), `births/${faster}`);
  await writeFile(path.join(directory, `${hash}.born`), `births/${faster}`);
  const gone = birth("gone");
  await writeFile(inControl(world, "births", gone), `births/${gone}`);
  // Its name is not in it yet, and it vanishes before a survivor can write that.
  const vanished = birth("vanished");
  await writeFile(inControl(world, "births", vanished), "");
  const survivor = await world.core({
    tamper: {
      openWrite: async (real, name) => {
        if (name.at.endsWith(vanished)) await rm(inControl(world, "births", vanished));
        return await real.openWrite(name);
      },
      readSmall: async (real, name) => {
        if (name.at.endsWith(gone)) await rm(inControl(world, "births", gone), { force: true });
        return await real.readSmall(name);
      },
    },
  });
  await survivor.survivor.end(dead.incarnation.id);
  assert.deepEqual((await readdir(inControl(world, "births"))).sort(), [...foreign].sort());
  for (const name of ["announced", "second", "gone", "vanished"])
    assert.equal((await survivor.write(name, "one")).record?.changes[0]?.revision, 1, name);
});
