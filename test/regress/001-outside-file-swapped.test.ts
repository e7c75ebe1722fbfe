import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { constants, open, readdir, readFile, rename, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { tempVolume } from "../cluster/volume.js";
import { refusal, World } from "./core.js";

const LARGE = 100_000;

for (const what of ["symlink", "FIFO"] as const) {
  test(`I12: a ${what} swapped in while a large outside file is kept is neither followed nor waited for (was: ${
    what === "symlink" ? "a file from outside the root became a revision" : "the copy hung for ever"
  })`, { timeout: 15_000 }, async (t) => {
    const world = await World.start(t);
    const live = path.join(world.root, "f");
    const secret = path.join(await tempVolume(world.cleanup), "secret");
    await writeFile(secret, `TOP SECRET${" ".repeat(LARGE)}`);
    // Should the copy wait for a writer after all, here it is, so that the test ends.
    const wakeUp = () => open(live, constants.O_WRONLY | constants.O_NONBLOCK).then((file) => file.close());
    world.cleanup.defer(() => wakeUp().catch(() => undefined));
    let swaps = 0;
    const core = await world.core({
      tamper: {
        copyDurably: async (real, source, target) => {
          swaps += 1;
          await rename(live, `${live}.aside`);
          if (what === "symlink") await symlink(secret, live);
          else execFileSync("mkfifo", [live]);
          try {
            await real.copyDurably(source, target);
          } finally {
            await rename(`${live}.aside`, live);
          }
        },
      },
    });
    await writeFile(live, Buffer.alloc(LARGE, 1));
    const { reason, outcome } = await refusal(core.write("f", "mine"));
    assert.equal(swaps, 1);
    assert.deepEqual([reason, outcome], ["PATH_INVALID", "NOT_COMMITTED"]);
    assert.equal((await readFile(live)).length, LARGE, "the live file is as it was");
    for (const entry of await readdir(path.join(world.root, ".safefile/objects"), {
      recursive: true,
      withFileTypes: true,
    }))
      assert(!entry.isFile(), `${entry.name} is kept of a refused change`);
  });
}
