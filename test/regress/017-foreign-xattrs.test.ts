import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import type { FilePath } from "../../services/model/path.js";
import { World } from "./core.js";

/** Sets an extended attribute whose name need not be text. */
function setXattr(file: string, name: string, value: string): void {
  execFileSync("python3", [
    "-c",
    "import os,sys; os.setxattr(sys.argv[1], bytes.fromhex(sys.argv[2]), sys.argv[3].encode())",
    file,
    name,
    value,
  ]);
}
const hex = (name: string, encoding: BufferEncoding = "utf8") => Buffer.from(`user.${name}`, encoding).toString("hex");

test("an extended attribute whose name is no text is left alone (was: every call about the file went on for ever)", async (t) => {
  const world = await World.start(t);
  const file = path.join(world.root, "file");
  await writeFile(file, "x");
  setXattr(file, hex("\xff\xfe", "latin1"), "odd");
  setXattr(file, hex("tag"), "kept");
  const core = await world.core();
  const info = await core.files.stat("file" as FilePath);
  assert.deepEqual(Object.keys(info.xattrs ?? {}), ["tag"]);
  await core.write("file", "y");
  assert.deepEqual(Object.keys((await core.files.stat("file" as FilePath)).xattrs ?? {}), ["tag"]);
});

test("an extended attribute may be called like a property that every object has (was: INTERNAL)", async (t) => {
  const world = await World.start(t);
  const file = path.join(world.root, "file");
  const core = await world.core();
  await core.write("file", "x");
  setXattr(file, hex("other"), "1");
  await core.write("file", "y");
  execFileSync("python3", [
    "-c",
    "import os,sys; os.removexattr(sys.argv[1], 'user.other'); os.setxattr(sys.argv[1], 'user.constructor', b'1')",
    file,
  ]);
  await core.write("file", "z");
  assert.deepEqual(Object.keys((await core.files.stat("file" as FilePath)).xattrs ?? {}), ["constructor"]);
});
