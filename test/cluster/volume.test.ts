import assert from "node:assert/strict";
import { chmod, mkdir, readFile, stat, symlink, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import test from "node:test";
import { Cleanup } from "./cleanup.js";
import { snapshotTree, tempVolume } from "./volume.js";

test("a snapshot notices content, mode and a change that was changed back, and leaves out what it should", async (t) => {
  const cleanup = Cleanup.of(t);
  const dir = await tempVolume(cleanup);
  await mkdir(path.join(dir, "a/b"), { recursive: true });
  await mkdir(path.join(dir, ".safefile"));
  const file = path.join(dir, "a/b/file");
  await writeFile(file, "one");
  await symlink("b/file", path.join(dir, "a/link"));
  const snapshot = () => snapshotTree(dir, { ignore: [".safefile"] });

  const before = await snapshot();
  assert.deepEqual([...before.keys()], ["a", "a/b", "a/b/file", "a/link"]);
  assert.equal(before.get("a/link")?.type, "symlink");
  await writeFile(path.join(dir, ".safefile/journal"), "");
  assert.deepEqual(await snapshot(), before);

  await chmod(file, 0o600);
  assert.equal((await snapshot()).get("a/b/file")?.mode, "0600");
  assert.notDeepEqual(await snapshot(), before);
  await chmod(file, 0o644);

  await writeFile(file, await readFile(file));
  await utimes(file, new Date(1000), new Date(1000));
  assert.notDeepEqual(await snapshot(), before, "the same bytes written again are a change");

  await cleanup.end();
  await assert.rejects(stat(dir), { code: "ENOENT" });
});
