import assert from "node:assert/strict";
import { test } from "node:test";
import { SafefileClient } from "@safefile/client";
import { Cleanup } from "../cluster/cleanup.js";
import { startRedis } from "../cluster/redis.js";
import { startReplica } from "../cluster/replica.js";
import { tempVolume } from "../cluster/volume.js";

/** Node's HTTP/2 server ends a connection after a burst of 1,000 reset streams and 33 more a second. */
const READS = 4_000;
const PARALLEL = 4;

test("thousands of reads over one connection go through (was: each reset its stream, until the server ended the connection)", {
  timeout: 120_000,
}, async (t) => {
  const cleanup = Cleanup.of(t);
  const volume = await tempVolume(cleanup);
  const redis = await startRedis({ cleanup });
  const { address } = await startReplica({ cleanup, volume, redis: [redis.url] });
  // No repeats: a connection that ends must be seen.
  const client = new SafefileClient({ address, retry: { attemptsMax: 1 } });
  cleanup.defer(() => client.close());
  const content = Buffer.from("small");
  await client.write("small.txt", content);
  let reads = 0;
  const work = async (): Promise<void> => {
    while (reads < READS) {
      reads += 1;
      const { bytes } = reads % 2 === 0 ? await client.read("small.txt") : await client.readRevision("small.txt", 1);
      assert.deepEqual(Buffer.from(bytes), content);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
});
