import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Redis } from "ioredis";
import { Index } from "../../services/index/index.js";
import { Leases } from "../../services/lock/leases.js";
import type { IncarnationId, OperationId } from "../../services/model/operation.js";
import type { FilePath } from "../../services/model/path.js";
import type { OperationRecord } from "../../services/model/record.js";
import { Cleanup } from "../cluster/cleanup.js";
import { startRedis } from "../cluster/redis.js";
import { wish } from "../lock/wish.js";
import { FakeRedis, FakeRedisClient } from "../sim/fake-redis.js";

const VOLUME = "01KDVDNA00000000000000000V";
const INCARNATION = "01KDVDNA00000000000000000N" as IncarnationId;

type Connect = (() => Redis) | undefined;

function fake(): Connect {
  const server = new FakeRedis(() => Date.now());
  return () =>
    FakeRedisClient.connect(server, {
      turn: async () => undefined,
      answer: () => undefined,
      deliver: (message) => message(),
      fatal: (error) => assert.fail(String(error)),
    });
}

const recordOf = (sequence: number, path: string, revision: number): OperationRecord => ({
  operation: `${INCARNATION}.${sequence}` as OperationId,
  requestId: `request-${sequence}`,
  requestSha256: new Uint8Array(32),
  timeMs: Date.now(),
  changes: [
    {
      path: path as FilePath,
      kind: "DELETE",
      epoch: revision,
      baseOperation: "-" as OperationId,
      baseRevision: revision - 1,
      external: undefined,
      revision,
      content: undefined,
      createOnly: false,
      inode: 0n,
      mtimeNs: 0n,
      sourceRevision: 0,
      backupRevision: 0,
      directoryMode: 0,
    },
  ],
  labels: {},
  traceId: "",
});

async function check(t: TestContext, url: string, connect: Connect): Promise<void> {
  const limits = { commandTimeoutMs: 5000, requestIdKeepMs: 60_000, changesKeptMax: 0 };
  const index = new Index(url, VOLUME, limits, () => undefined, connect);
  t.after(() => index.close());
  await index.connected();
  const [a, b] = ["a", "b"] as FilePath[] as [FilePath, FilePath];

  await assert.rejects(index.lookUp("request-1", [a]), { reason: "INDEX_UNAVAILABLE" });
  assert.equal(await index.claimRebuild("one", 5000), true);
  assert.equal(await index.claimRebuild("two", 5000), false);
  assert.equal(await index.renewRebuild("two", 5000), false);
  assert.equal(await index.renewRebuild("one", 5000), true);
  assert.equal(await index.endRebuild("two"), false);
  assert.equal(await index.endRebuild("one"), true);
  assert.equal(await index.isReady(), true);

  // The head moves forward only, whatever order they come in.
  await index.apply([recordOf(2, "a", 2), recordOf(1, "a", 1)], {
    incarnation: INCARNATION,
    expected: 0,
    batch: 1,
    sequence: 7,
  });
  await index.apply([recordOf(3, "b", 1)]);
  const known = await index.lookUp("request-1", [a, b]);
  assert.equal(known.earlier, `${INCARNATION}.1`);
  assert.deepEqual([...known.heads.values()], [`${INCARNATION}.2`, `${INCARNATION}.3`]);
  assert.equal((await index.lookUp("request-9", [a])).earlier, undefined);
  assert.equal(await index.indexedRevision(a), 2);
  assert.equal(await index.watermark(INCARNATION), 7);
  assert.deepEqual([...(await index.revisions(a, 3, 3)).keys()], [2, 1]);
  assert.deepEqual(await index.paths("", "", 10), ["a", "b"]);
  assert.deepEqual(await index.paths("", "a", 10), ["b"]);
  assert.deepEqual(await index.paths("b", "", 10), ["b"]);

  // More than Redis is told in one piece: the watermark comes with the last.
  const many = Array.from({ length: 600 }, (_, at) => recordOf(10 + at, `many/${at}`, 1));
  const mark = { incarnation: INCARNATION, expected: 1, batch: 2, sequence: 609 };
  assert.equal(await index.apply(many, mark), undefined);
  assert.equal(await index.watermark(INCARNATION), 609);
  assert.equal((await index.paths("many/", "", 1000)).length, 600);
  assert.equal((await index.lookUp("request-609", [a])).earlier, `${INCARNATION}.609`);
  assert.equal(
    await index.apply([], { ...mark, expected: 3, sequence: 700 }),
    609,
    "it has not heard of a third batch",
  );
  assert.equal(await index.watermark(INCARNATION), 609);

  await index.beat(INCARNATION, 3, 5000);
  assert.equal(await index.lastBeat(INCARNATION), "3");
  await index.clear();
  assert.equal(await index.isReady(), false);
  assert.equal(await index.indexedRevision(a), 0);
  assert.deepEqual(await index.paths("", "", 10), []);

  const terms = {
    leaseMs: 60_000,
    commandTimeoutMs: 5000,
    wakeUpMsMax: 10_000,
    leaseKeepMs: 0,
    leasesKeptMax: 0,
    agingMs: 50,
  };
  const safety = { isNothingGranted: async () => true, restore: async () => undefined };
  const leases = [1, 2].map(() => new Leases([url], VOLUME, terms, safety, () => undefined, connect));
  t.after(() => {
    for (const each of leases) each.close();
  });
  const [one, two] = leases as [Leases, Leases];
  await Promise.all([one.voting(), two.voting()]);
  const first = await one.acquire(wish("a"));
  await assert.rejects(two.acquire(wish("a", { waitMs: 0 })), { reason: "LOCK_TIMEOUT" });
  const other = await two.acquire(wish("b"));
  other.release();
  const waiting = two.acquire(wish("a"));
  first.release();
  (await waiting).release();
}

test("the Redis that simulations use does what a real one does", async (t) => {
  await t.test("real", async (t2) => {
    const redis = await startRedis({ cleanup: Cleanup.of(t2) });
    await check(t2, redis.url, undefined);
  });
  await t.test("fake", (t2) => check(t2, "redis://fake", fake()));
});
