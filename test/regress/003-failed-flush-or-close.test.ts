import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { DurabilityError } from "../../services/volume/volume.js";
import { refusal, World } from "./core.js";
import { failNext, failNoMore } from "./faults.js";

for (const call of ["fdatasync", "fsync", "close"] as const) {
  test(`I10: a failed ${call} of a kept outside file ends the incarnation (was: taken for a refusal, and acknowledged on)`, async (t) => {
    const world = await World.start(t);
    t.after(failNoMore);
    const core = await world.core();
    await writeFile(path.join(world.root, "f"), Buffer.alloc(100_000, 1));
    const fault = failNext(call, call === "fsync" ? /\.safefile\/objects/ : /\.safefile\/objects\/.*\/.*x1$/);
    const first = core.write("f", "mine");
    if (call === "close") await first;
    else assert.notEqual((await refusal(first)).outcome, "COMMITTED");
    assert.equal(fault.left, 0, "nothing failed, so nothing was tested");
    assert(core.left[0] instanceof DurabilityError, "the replica goes on after a failed flush");
  });
}

test("I5: what a failed close comes after is still told as committed (was: NOT_COMMITTED was said of the head)", async (t) => {
  const world = await World.start(t);
  t.after(failNoMore);
  const core = await world.core();
  const live = path.join(world.root, "a");
  const fault = failNext("close", new RegExp(`^${live}$`));
  const { record } = await core.write("a", "committed");
  assert.equal(fault.left, 0, "nothing failed, so nothing was tested");
  assert.equal(record?.changes[0]?.revision, 1);
  assert.equal(await readFile(live, "utf8"), "committed");
  assert(core.left[0] instanceof DurabilityError, "the replica goes on after a failed close");
});
