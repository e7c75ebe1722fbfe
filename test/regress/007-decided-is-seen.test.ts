import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type FilePath, pathHash } from "../../services/model/path.js";
import { isFinished } from "../../services/protocol/baton.js";
import { type Core, ioError, World } from "./core.js";

/** A core whose deletes fail `times` times at their last step, out of descriptors. */
async function clumsy(world: World): Promise<{ core: Core; fail: (times: number) => void }> {
  let left = 0;
  const core = await world.core({
    tamper: {
      rename: async (real, source, target) => {
        if (left === 0 || !target.at.endsWith("/d0/x")) return real.rename(source, target);
        left -= 1;
        throw ioError("EMFILE");
      },
    },
  });
  return { core, fail: (times) => (left = times) };
}

test("I5: an acknowledged delete is done when it is acknowledged, though its last step failed once (was: the file stayed)", async (t) => {
  const world = await World.start(t);
  const { core, fail } = await clumsy(world);
  await core.write("a", "one");
  fail(1);
  const { record } = await core.remove("a");
  assert.equal(record?.changes[0]?.revision, 2);
  await assert.rejects(core.files.stat("a" as FilePath), { reason: "PATH_NOT_FOUND" });
});

test("I5: an acknowledged delete is finished by its replica however often the last step fails (was: only by the next change)", async (t) => {
  const world = await World.start(t);
  const { core, fail } = await clumsy(world);
  await core.write("a", "one");
  fail(2);
  await core.remove("a");
  for (const untilMs = performance.now() + 10_000; performance.now() < untilMs; await sleep(10)) {
    const baton = await core.batons.look(pathHash("a" as FilePath));
    if (baton && isFinished(baton)) break;
  }
  assert.deepEqual(await readdir(path.join(world.root, ".safefile/committed")), []);
  await assert.rejects(core.files.stat("a" as FilePath), { reason: "PATH_NOT_FOUND" });
});

test("I5: a delete that is asked for again gives its first outcome, whether or not Redis has heard of it", async (t) => {
  const world = await World.start(t);
  const core = await world.core();
  for (const hasHeard of [false, true]) {
    const target = `heard-${hasHeard}`;
    await core.write(target, "one");
    const first = await core.remove(target, `delete-${hasHeard}`);
    if (hasHeard) await core.announced();
    const again = await core.remove(target, `delete-${hasHeard}`);
    assert.deepEqual([again.operation, again.replayed], [first.operation, true]);
  }
});
