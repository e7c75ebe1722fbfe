import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { refusal, World } from "./core.js";

const TIMES = 12;

test("I14: a failed precondition on a large outside file leaves no copy of it behind (was: one a try, for ever)", async (t) => {
  const world = await World.start(t);
  const core = await world.core();
  await writeFile(path.join(world.root, "f"), Buffer.alloc(100_000, 1));
  for (let at = 0; at < TIMES; at++)
    assert.equal((await refusal(core.write("f", "x", "", { ifRevision: 0 }))).reason, "ALREADY_EXISTS");
  assert.deepEqual(await filesBelow(world.root, "objects"), []);
});

test("I14: a refused change keeps no name in .safefile (was: one in fenced/ a try, while the replica ran)", async (t) => {
  const world = await World.start(t);
  const core = await world.core();
  await core.write("a", "one");
  for (let at = 0; at < TIMES; at++) await refusal(core.write("a", "x", "", { ifRevision: 0 }));
  for (let at = 0; at < TIMES; at++)
    assert.equal((await refusal(core.remove(`missing-${at}`))).reason, "PATH_NOT_FOUND");
  assert.deepEqual(await filesBelow(world.root, "fenced"), []);
  assert.deepEqual(await filesBelow(world.root, "staging"), []);
  await core.write("a", "two"); // and the baton is free again
});

async function filesBelow(root: string, directory: string): Promise<string[]> {
  const entries = await readdir(path.join(root, ".safefile", directory), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile() || entry.parentPath.endsWith("fenced")).map((entry) => entry.name);
}
