import assert from "node:assert/strict";
import { test } from "node:test";
import { Cleanup } from "../cluster/cleanup.js";
import { startRedis } from "../cluster/redis.js";
import { startReplica } from "../cluster/replica.js";
import { tempVolume } from "../cluster/volume.js";
import { file } from "./bad-case.js";
import { ask } from "./raw.js";
import { connect } from "./world.js";

test("with a lease that is kept, a change waits for no Redis before its answer", async (t) => {
  const cleanup = Cleanup.of(t);
  const volume = await tempVolume(cleanup);
  const redis = await startRedis({ cleanup });
  const config = {
    leaseMs: 60_000,
    leaseKeepMs: 60_000,
    redisTimeoutMs: 500,
    indexTimeoutMs: 500,
    heartbeatMs: 60_000,
  };
  const replica = await startReplica({ cleanup, volume, redis: [redis.url], config });
  const { raw, client } = connect(cleanup, replica);
  const write = (text: string, requestId = "") =>
    raw.send(ask(file.writeFile, { path: "f", data: Buffer.from(text), options: { requestId } }));
  assert.equal((await write("one")).code, "OK");

  redis.signal("SIGSTOP");
  for (const text of ["two", "three"]) assert.equal((await write(text)).code, "OK", text);
  // Whether this one was made before, only the index knows.
  const asked = await write("four", "asked-before");
  assert.deepEqual([asked.code, asked.info?.reason], ["UNAVAILABLE", "INDEX_UNAVAILABLE"]);
  assert.equal(asked.info?.metadata.outcome, "NOT_COMMITTED");
  redis.signal("SIGCONT");

  let last = await write("five", "asked-before-too");
  while (last.code === "UNAVAILABLE") last = await write("five", "asked-before-too");
  assert.equal(last.code, "OK");
  assert.equal(Number((await client.stat("f")).revision), 4);
});
