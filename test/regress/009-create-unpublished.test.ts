import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { Redis } from "ioredis";
import type { FilePath } from "../../services/model/path.js";
import { refusal, World } from "./core.js";

test("I5: a create that somebody outside removed, and a rival stopped, is not acknowledged (was: told COMMITTED, and in no history)", async (t) => {
  const world = await World.start(t);
  const redis = new Redis(world.redis.url);
  world.cleanup.defer(() => redis.disconnect());
  const rival = await world.core();
  let paused = false;
  const core = await world.core({
    tamper: {
      unlink: async (real, name) => {
        if (!paused && name.at.includes("/staging/")) {
          paused = true; // between its link and its unlink, longer than its lease
          const leases = await redis.keys("*:lock:i:*");
          assert.equal(leases.length, 1);
          await redis.del(...leases);
          await rm(path.join(world.root, "f")); // somebody outside
          await rival.write("f", "by the rival");
        }
        return real.unlink(name);
      },
    },
  });
  const { reason, outcome } = await refusal(core.write("f", "mine", "request", { ifRevision: 0 }));
  assert(paused);
  assert.deepEqual([reason, outcome], ["LOCK_FENCED", "NOT_COMMITTED"]);
  const { revisions } = await rival.revisions.page("f" as FilePath, 0, 10);
  assert.deepEqual(
    revisions.map(({ revision }) => revision),
    [1],
  );
});
