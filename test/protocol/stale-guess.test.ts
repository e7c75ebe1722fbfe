import assert from "node:assert/strict";
import { test } from "node:test";
import type { FilePath } from "../../services/model/path.js";
import { startRedis } from "../cluster/redis.js";
import { World } from "../regress/core.js";

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
