import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { type FilePath, pathHash } from "../../services/model/path.js";
import { isFinished, parseBaton } from "../../services/protocol/baton.js";
import { startRedis } from "../cluster/redis.js";
import { ioError, World } from "../regress/core.js";

test("I4: what is found beside a baton that has moved on is not taken for what its path holds", async (t) => {
  const world = await World.start(t);
  // A lock server of its own, which knows nothing of the other's leases.
  const { url } = await startRedis({ cleanup: world.cleanup });
  const rival = await world.core({ lockUrl: url });
  let between: (() => Promise<unknown>) | undefined;
  const core = await world.core({
    tamper: {
      rename: async (real, source, target) => {
        const first = target.at.includes("/batons/") ? between : undefined;
        between = undefined;
        await first?.();
        return await real.rename(source, target);
      },
    },
  });
  await core.write("f", "one");
  // Just as it is about to take the baton where it left it.
  between = () => rival.write("f", "two, which is longer");
  const { record } = await core.write("f", "three");
  assert.deepEqual(
    record?.changes.map(({ revision, backupRevision, external }) => [revision, backupRevision, external]),
    [[3, 2, undefined]],
  );
  const { revisions } = await core.revisions.page("f" as FilePath, 0, 10);
  assert.deepEqual(
    revisions.map(({ revision, kind }) => [revision, kind]),
    [
      [3, "WRITE"],
      [2, "WRITE"],
      [1, "WRITE"],
    ],
  );
});

test("I5: what is decided is done when it is acknowledged, though passing its baton on failed once", async (t) => {
  const world = await World.start(t);
  let isFailing = false;
  let failures = 0;
  const core = await world.core({
    tamper: {
      rename: async (real, source, target) => {
        // Its owner becomes the last one, too.
        const baton = parseBaton(path.basename(target.at));
        if (isFailing && baton && isFinished(baton)) {
          isFailing = false;
          failures += 1;
          throw ioError("EIO");
        }
        return await real.rename(source, target);
      },
    },
  });
  await core.write("f", "one");
  isFailing = true;
  const { record } = await core.write("f", "two");
  assert.equal(failures, 1);
  assert.equal(record?.changes[0]?.revision, 2);
  const baton = await core.batons.look(pathHash("f" as FilePath));
  assert.equal(baton && isFinished(baton) && baton.last, record?.operation);
  const { record: next } = await core.write("f", "three");
  assert.deepEqual([next?.changes[0]?.revision, next?.changes[0]?.external], [3, undefined]);
});
