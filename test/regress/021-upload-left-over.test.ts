import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { ioError, World } from "./core.js";

test("I5: a committed upload whose leftovers cannot be removed is told as committed (was: NOT_COMMITTED, the file being the new one)", async (t) => {
  const world = await World.start(t);
  let failed = 0;
  const core = await world.core({
    tamper: {
      unlink: async (real, name) => {
        if (!name.at.includes("/uploads/")) return real.unlink(name);
        // The first one is the staged file's; only then has it a single name.
        if (failed++ === 0) return real.unlink(name);
        throw ioError("EIO");
      },
    },
  });
  const content = Buffer.alloc(200_000, "x");
  const send = async () => {
    await using upload = core.uploads.begin();
    await upload.write(content);
    return await core.write("f", "", "", {}, await upload.finish());
  };
  const { record } = await send();
  assert(failed > 1, "nothing failed, so nothing was tested");
  assert.equal(record?.changes[0]?.revision, 1);
  assert((await readFile(path.join(world.root, "f"))).equals(content));
});
