import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import type { FilePath } from "../../services/model/path.js";
import { type Core, World } from "./core.js";

test("I2: what was opened just before it was replaced is the revision before (was: called the newer one, and damaged)", async (t) => {
  const world = await World.start(t);
  const path = "f" as FilePath;
  let replace = false;
  const core: Core = await world.core({
    tamper: {
      openRead: async (real, name) => {
        const handle = await real.openRead(name);
        if (!replace || !name.at.endsWith("/f")) return handle;
        replace = false;
        await core.write(path, "two");
        const { stat } = handle;
        await using live = await real.locate(path);
        const ctimeNs = (await real.stat(live))?.ctimeNs;
        assert(ctimeNs !== undefined);
        // As the kernel leaves it: the rename gave both files the same change time, where no finer one was asked for.
        handle.stat = async () => ({ ...(await stat.call(handle)), ctimeNs });
        return handle;
      },
    },
  });
  await core.write(path, "one");
  replace = true;
  const { handle, info } = await core.files.open(path);
  await using open = handle;
  assert(!replace, "it was not replaced, so nothing was tested");
  const bytes = Buffer.alloc(3);
  await open.read(bytes, 0);
  assert.equal(bytes.toString(), "one");
  assert.equal(info.revision, 1);
  assert.deepEqual(Buffer.from(info.sha256 ?? []), createHash("sha256").update("one").digest());
});
