import assert from "node:assert/strict";
import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import type { FilePath } from "../../services/model/path.js";
import { refusal, type Tamper, World } from "../regress/core.js";

const SIZES = [40, 100_000];

function flipped(bytes: Uint8Array): Uint8Array {
  const wrong = Buffer.from(bytes);
  wrong.writeUInt8(wrong.readUInt8(0) ^ 1, 0);
  return wrong;
}

/** A disk that writes one bit of a staged file wrong, and says nothing, while `isBad` says so. */
const flipping = (isBad: () => boolean): Tamper => ({
  create: async (real, name) => {
    const handle = await real.create(name);
    if (!name.at.includes("/staging/") || !isBad()) return handle;
    const { write, fill } = handle;
    handle.write = (bytes, position) => write.call(handle, flipped(bytes), position);
    handle.fill = (bytes, ...rest) => fill.call(handle, flipped(bytes), ...rest);
    return handle;
  },
  // Larger contents are received here and become the staged file by a link.
  openWrite: async (real, name) => {
    const handle = await real.openWrite(name);
    if (name.at.includes("/staging/") && isBad()) await handle.write(Buffer.from("?"), 0);
    return handle;
  },
});

for (const sizeBytes of SIZES) {
  test(`I2: a staged file of ${sizeBytes} bytes that reads back otherwise is never published`, async (t) => {
    const world = await World.start(t);
    let isBad = false;
    const core = await world.core({ tamper: flipping(() => isBad) });
    const live = path.join(world.root, "f");
    const write = async (letter: string) => {
      const content = Buffer.alloc(sizeBytes, letter);
      if (sizeBytes <= 65_536) return core.write("f", content);
      await using upload = core.uploads.begin();
      await upload.write(content);
      return await core.write("f", "", "", {}, await upload.finish());
    };
    await write("a");
    const identity = async () => {
      const { ino, mode, mtimeNs, ctimeNs } = await stat(live, { bigint: true });
      return { ino, mode, mtimeNs, ctimeNs };
    };
    const before = await identity();
    isBad = true;
    const refused = await refusal(write("b"));
    assert.equal(refused.outcome, "NOT_COMMITTED", "published before it was verified");
    const content = await readFile(live);
    assert(
      content.equals(Buffer.alloc(sizeBytes, "a")),
      "published before it was verified: the live file has the flaw",
    );
    assert.deepEqual(await identity(), before);
    assert.equal((await core.revisions.page("f" as FilePath, 0, 10)).revisions.length, 1);
    isBad = false;
    assert.equal((await write("c")).record?.changes[0]?.revision, 2);
  });
}
