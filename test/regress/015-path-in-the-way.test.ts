import assert from "node:assert/strict";
import { mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import type { FilePath } from "../../services/model/path.js";
import { type Core, refusal, type Tamper, toRemove, toWrite, World } from "./core.js";

/** Does `act` once, right after the next operation on several paths was decided and before it is published. */
function onceDecided(act: () => Promise<unknown>): Tamper {
  let isDone = false;
  return {
    rename: async (real, source, target) => {
      await real.rename(source, target);
      if (isDone || !/\/staging\//.test(source.at) || !/\/committed\/[^/]+$/.test(target.at)) return;
      isDone = true;
      await act();
    },
  };
}

const OBSTACLES: readonly (readonly [what: string, make: (root: string) => Promise<unknown>])[] = [
  ["a file became its directory", (root) => writeFile(path.join(root, "way"), "in the way")],
  ["a symlink became its directory", (root) => symlink("/", path.join(root, "way"))],
  ["a directory became the file", (root) => mkdir(path.join(root, "way/file/full"), { recursive: true })],
];

for (const [what, make] of OBSTACLES)
  test(`I17: one path that cannot be published yet holds up no other (${what}; was: all paths, for ever)`, async (t) => {
    const world = await World.start(t);
    const text = (name: string) => readFile(path.join(world.root, name), "utf8");
    const core = await world.core({ tamper: onceDecided(() => make(world.root)) });
    await core.write("zoo", "before");
    const both = await core.changeAll([toWrite("way/file", "one"), toWrite("zoo", "one")], "both");
    assert.equal(both.replayed, false);
    assert.equal(await text("zoo"), "one");
    const other: Core = await world.core();
    await other.write("zoo", "two");
    assert.equal(await text("zoo"), "two");
    assert.equal((await refusal(other.write("way/file", "two"))).reason, "PATH_INVALID");
    await rm(path.join(world.root, "way"), { recursive: true });
    await other.write("way/file", "two");
    assert.equal(await text("way/file"), "two");
    assert.equal(
      (await other.files.stat("way/file" as FilePath)).revision,
      2,
      "on top of what could not be seen before",
    );
  });

test("a delete that is decided ends also when its directory is a symlink by then", async (t) => {
  const world = await World.start(t);
  const at = (name: string) => path.join(world.root, name);
  const swap = async () => {
    await rm(at("dir"), { recursive: true });
    await symlink("/", at("dir"));
  };
  const core = await world.core({ tamper: onceDecided(swap) });
  await core.changeAll([toWrite("zoo", "before")]);
  await core.write("dir/file", "x");
  await core.changeAll([toRemove("dir/file"), toWrite("zoo", "after")]);
  assert.equal(await readFile(at("zoo"), "utf8"), "after");
  assert.deepEqual(core.logged, []);
});

test("a directory made where one file is being written is said, not INTERNAL", async (t) => {
  const world = await World.start(t);
  const core = await world.core({
    tamper: {
      rename: async (real, source, target) => {
        if (target.at.endsWith("/way")) await mkdir(path.join(world.root, "way/full"), { recursive: true });
        await real.rename(source, target);
      },
    },
  });
  assert.equal((await refusal(core.write("way", "file"))).reason, "PATH_INVALID");
});
