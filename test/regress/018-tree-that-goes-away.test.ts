import assert from "node:assert/strict";
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import type { FilePath } from "../../services/model/path.js";
import { Trees } from "../../services/query/tree.js";
import { PosixVolume } from "../../services/volume/posix.js";
import { Cleanup } from "../cluster/cleanup.js";
import { tempVolume } from "../cluster/volume.js";
import { tampered } from "./core.js";

test("a tree that is deleted while it is looked at is what is left of it, or not found (was: INTERNAL)", async (t) => {
  const root = await tempVolume(Cleanup.of(t));
  const real = await PosixVolume.open(root, "local", assert.fail as () => never);
  t.after(() => real.close());
  const at = (name: string) => path.join(root, name);
  for (const gone of ["tree/a", "tree"]) {
    await mkdir(at("tree/a/b"), { recursive: true });
    await writeFile(at("tree/a/b/file"), "x");
    const volume = tampered(real, {
      listLive: async (volume, directory) => {
        if (directory === gone) await rm(at(gone), { recursive: true });
        return await volume.listLive(directory);
      },
    });
    const found = await new Trees(volume, 1000).all("tree" as FilePath);
    assert.deepEqual(
      found.map((entry) => entry.path),
      gone === "tree" ? ["tree"] : ["tree", "tree/a"],
    );
  }
  const missing = new Trees(real, 1000).all("tree" as FilePath);
  await assert.rejects(missing, { reason: "PATH_NOT_FOUND" });
});
