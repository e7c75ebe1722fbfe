import assert from "node:assert/strict";
import { mkdir, readdir, rm, symlink } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { World } from "./core.js";

for (const [what, swap] of [
  ["a directory", (at: string) => mkdir(at)],
  ["a symlink", (at: string) => symlink("/etc", at)],
] as const)
  test(`I5: a repeated request whose path became ${what} is answered with its first outcome`, async (t) => {
    const world = await World.start(t);
    const core = await world.core();
    const first = await core.write("d/f", "one", "first");
    const file = path.join(world.root, "d/f");
    await rm(file);
    await swap(file);
    const again = await core.write("d/f", "one", "first");
    assert.deepEqual([again.operation, again.replayed], [first.operation, true]);
    await assert.rejects(core.write("d/f", "two", "second"), { reason: "PATH_INVALID", outcome: "NOT_COMMITTED" });
    assert.deepEqual(await readdir(path.join(world.root, "d")), ["f"]);
    await rm(file, { recursive: true });
    assert.equal((await core.write("d/f", "three")).record?.changes[0]?.revision, 3, "what was there is told: deleted");
  });
