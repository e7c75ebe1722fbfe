import assert from "node:assert/strict";
import { lstat, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { freeHold } from "../lock/wish.js";
import { type Tamper, toRemove, toWrite, World } from "./core.js";

const isGone = (name: string): boolean => /\/committed\/[^/]+\/d\d+\/x$/.test(name);

test("a file published into a directory that is just being removed stays at its path (was: put away under found/)", async (t) => {
  const world = await World.start(t);
  const at = (name: string) => path.join(world.root, name);
  let isDone = false;
  const tamper: Tamper = {
    rename: async (real, source, target) => {
      if (isDone || !isGone(target.at) || !source.at.endsWith("/dir")) return real.rename(source, target);
      isDone = true;
      // A writer that holds the old directory open publishes into it, another one has made the directory anew.
      await using late = await real.locate("dir/late" as never);
      await writeFile(at("new"), "late");
      await real.rename(source, target);
      await mkdir(at("dir"));
      await writeFile(at("dir/other"), "other");
      await using staged = await real.locate("new" as never);
      await real.rename(staged, late);
    },
  };
  const core = await world.core({ tamper });
  await core.write("dir/file", "x");
  await core.changeAll([toRemove("dir/file"), toRemove("dir", "REMOVE_DIRECTORY")]);
  assert(isDone);
  assert.equal(await readFile(at("dir/late"), "utf8"), "late");
  assert.equal(await readFile(at("dir/other"), "utf8"), "other");
  await assert.rejects(lstat(at(".safefile/found")), { code: "ENOENT" });
  assert.deepEqual(await readdir(at(".safefile/committed")), []);
});

test("what a killed remover left in a removed directory goes back to its path", async (t) => {
  const world = await World.start(t);
  const at = (name: string) => path.join(world.root, name);
  let isDead = false;
  const core = await world.core({
    tamper: {
      rename: async (real, source, target) => {
        if (isDead) throw Object.assign(new Error("killed"), { code: "EIO" });
        await real.rename(source, target);
        if (!isGone(target.at) || !source.at.endsWith("/in")) return;
        isDead = true;
        await writeFile(path.join(at(".safefile/committed"), target.at.split("/committed/")[1] ?? "", "late"), "late");
        await rm(at("deep"), { recursive: true });
        throw Object.assign(new Error("killed"), { code: "EIO" });
      },
      removeDirectory: async (real, name) => {
        if (isDead) throw Object.assign(new Error("killed"), { code: "EIO" });
        await real.removeDirectory(name);
      },
    },
  });
  await mkdir(at("deep/in"), { recursive: true });
  await core.changeAll([toRemove("deep/in", "REMOVE_DIRECTORY"), toWrite("zoo", "x")]);
  assert(isDead);
  const other = await world.core();
  await other.write("zoo", "y");
  assert.equal(await readFile(at("deep/in/late"), "utf8"), "late");
  await assert.rejects(lstat(at(".safefile/found")), { code: "ENOENT" });
});

test("a directory that took the place of a file to be deleted keeps what is in it", async (t) => {
  const world = await World.start(t);
  const at = (name: string) => path.join(world.root, name);
  const core = await world.core({
    tamper: {
      rename: async (real, source, target) => {
        if (isGone(target.at)) {
          await rm(at("file"));
          await mkdir(at("file"));
          await writeFile(at("file/in"), "in");
        }
        await real.rename(source, target);
      },
    },
  });
  await core.write("file", "x");
  await core.remove("file");
  assert.equal(await readFile(at("file/in"), "utf8"), "in");
});

test("a helper that comes late does not bring a removed directory back", async (t) => {
  const world = await World.start(t);
  const at = (name: string) => path.join(world.root, name);
  const other = await world.core();
  let isDone = false;
  const core = await world.core({
    tamper: {
      locateWithParents: async (real, name) => {
        if (!isDone && name === "dir/file") {
          isDone = true;
          // Everybody else is faster: publishes for us, then removes the file and its directory.
          await other.write("zoo", "two");
          await other.changeAll([toRemove("dir/file"), toRemove("dir", "REMOVE_DIRECTORY")]);
        }
        return real.locateWithParents(name);
      },
    },
  });
  // Without a lease in common, as after a flush of Redis.
  core.leases.acquire = other.leases.acquire = async () => freeHold();
  await core.changeAll([toWrite("dir/file", "one"), toWrite("zoo", "one")]);
  assert(isDone);
  await assert.rejects(lstat(at("dir")), { code: "ENOENT" });
});
