import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import test from "node:test";
import { isReason } from "@safefile/client";
import { Leases } from "../../services/lock/leases.js";
import { listAll } from "../../services/lock/view.js";
import { Cleanup } from "../cluster/cleanup.js";
import { wish } from "../lock/wish.js";
import { startWorld, stateOf } from "./world.js";

const LIMITS = {
  ...{ leaseMs: 10_000, commandTimeoutMs: 5_000, wakeUpMsMax: 200, leaseKeepMs: 0, leasesKeptMax: 0, agingMs: 50 },
};

test("a transaction that waits in a circle with somebody of another replica gives way, and has changed nothing", async (t) => {
  const { cleanup, volume, redis, client } = await startWorld(Cleanup.of(t));
  for (const name of ["x", "y"]) await client.write(name, Buffer.from("before"));
  const { volumeId } = JSON.parse(await readFile(path.join(volume, ".safefile/format"), "utf8")) as {
    volumeId: string;
  };
  const safety = { isNothingGranted: async () => false, restore: async () => undefined };
  const other = new Leases([redis.url], volumeId, LIMITS, safety, () => undefined);
  cleanup.defer(() => other.close());
  await other.voting();
  const isWaiting = async (): Promise<boolean> =>
    (await listAll(other.quorum)).some(({ state }) => state === "waiting");

  const x = await other.acquire(wish("x", { party: "session" }));
  const before = await stateOf(volume);
  const content = Buffer.from("after");
  const refused = client
    .transaction((tx) => tx.write("x", content).write("y", content), { lockWaitMs: 60_000 })
    .catch((error: unknown) => error);
  while (!(await isWaiting())) await new Promise((resolve) => setTimeout(resolve, 10));
  // It is behind the transaction, which is behind what its session holds.
  const y = await other.acquire(wish("y", { party: "session", waitMs: 60_000 }));
  const error = await refused;
  assert(isReason(error, "LOCK_DEADLOCK"), String(error));
  assert.deepEqual([error.outcome, error.stage, error.metadata.circle_size], ["NOT_COMMITTED", "lock", "2"]);
  assert.match(error.message, /this call waits for x, where session is in the way; session waits for y, where this/);
  assert.deepEqual(await stateOf(volume), before);
  y.release();
  x.release();
  await client.transaction((tx) => tx.write("x", content).write("y", content));
});
