import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import test from "node:test";
import { isReason } from "@safefile/client";
import { Leases } from "../../services/lock/leases.js";
import { listAll } from "../../services/lock/view.js";
import { Cleanup } from "../cluster/cleanup.js";
import { type OtlpSink, type Span, startOtlpSink } from "../cluster/otlp.js";
import { startRedis } from "../cluster/redis.js";
import { startReplica } from "../cluster/replica.js";
import { tempVolume } from "../cluster/volume.js";
import { wish } from "../lock/wish.js";
import { connect } from "../system/world.js";

const LIMITS = {
  ...{ leaseMs: 10_000, commandTimeoutMs: 5_000, wakeUpMsMax: 200, leaseKeepMs: 0, leasesKeptMax: 0, agingMs: 50 },
};
/** A call of another replica, as it stands in the books of the lock servers. */
const HOLDER = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" };
const NAME = "canary-5f1d/locked.txt";
const OWNER = "canary-owner-8c27";

interface Point {
  readonly labels: Readonly<Record<string, string | boolean>>;
  /** Of a counter or gauge, or how many a histogram has. */
  readonly count: number;
  readonly sum: number;
}

interface RawPoint {
  readonly attributes?: readonly { readonly key: string; readonly value: Readonly<Record<string, string | boolean>> }[];
  readonly count?: number;
  readonly asInt?: number;
  readonly asDouble?: number;
  readonly sum?: number;
}

/** What was exported last of one metric. */
function points(sink: OtlpSink, name: string): Point[] {
  let last: readonly RawPoint[] = [];
  for (const body of sink.bodies()) {
    if (!body.includes(`"${name}"`)) continue;
    JSON.parse(body, (_key, value) => {
      if (value?.name === name) last = (value.histogram ?? value.sum ?? value.gauge).dataPoints;
      return value;
    });
  }
  return last.map(({ attributes = [], count, asInt, asDouble, sum }) => ({
    labels: Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0] ?? ""])),
    count: Number(count ?? asInt ?? asDouble),
    sum: Number(sum ?? 0),
  }));
}

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const untilMs = performance.now() + 30_000;
  while (!(await isSo())) {
    assert(performance.now() < untilMs, what);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test("the stage lock says how long it waited and links to who was in the way; waits and holds are measured", async (t) => {
  const cleanup = Cleanup.of(t);
  const [volume, redis, sink] = await Promise.all([
    tempVolume(cleanup),
    startRedis({ cleanup }),
    startOtlpSink({ cleanup }),
  ]);
  const often = {
    OTEL_METRICS_EXPORTER: "otlp",
    OTEL_METRIC_EXPORT_INTERVAL: "100",
    OTEL_METRIC_EXPORT_TIMEOUT: "100",
  };
  const env = { ...sink.env, ...often, SAFEFILE_LEASE_KEEP_MS: "60000" };
  const replica = await startReplica({ cleanup, volume, redis: [redis.url], env });
  const { client } = connect(cleanup, replica);
  const { volumeId } = JSON.parse(await readFile(path.join(volume, ".safefile/format"), "utf8")) as {
    volumeId: string;
  };
  const safety = { isNothingGranted: async () => false, restore: async () => undefined };
  const other = new Leases([redis.url], volumeId, LIMITS, safety, () => undefined);
  cleanup.defer(() => other.close());
  await other.voting();
  const owner = { ...wish(NAME).owner, ...HOLDER, name: OWNER };
  const gauge = (name: string): number | undefined => points(sink, name)[0]?.count;

  const inTheWay = await other.acquire(wish(NAME, { owner }));
  const first = client.write(NAME, Buffer.from("1"), { priority: 50 });
  await until("the first waits for the other replica", async () =>
    (await listAll(other.quorum)).some(({ state }) => state === "waiting"),
  );
  const second = client.write(NAME, Buffer.from("2"));
  await until("the second waits behind the first", () => gauge("safefile.lock.queue") === 2);
  await new Promise((resolve) => setTimeout(resolve, 200));
  inTheWay.release();
  const written = [await first, await second, await client.write(NAME, Buffer.from("3"))];
  assert.deepEqual(
    written.map(({ revision }) => Number(revision?.revision)),
    [1, 2, 3],
  );
  await until("the lease is kept", () => gauge("safefile.lock.queue") === 0 && gauge("safefile.lock.leases") === 1);

  // It gives back what it keeps as soon as somebody wants it.
  const again = await other.acquire(wish(NAME, { owner }));
  await until("nothing is kept", () => gauge("safefile.lock.leases") === 0);
  await assert.rejects(client.write(NAME, Buffer.from("4"), { lockWaitMs: 50 }), (error) =>
    isReason(error, "LOCK_TIMEOUT"),
  );
  again.release();

  const isWhole = (spans: readonly Span[]): boolean =>
    spans.filter(({ name }) => name.endsWith("/WriteFile")).length === 4;
  const spans = await sink.waitFor(isWhole);
  const lockOf = (traceId: string): Span => {
    const [lock, ...more] = spans.filter((span) => span.traceId === traceId && span.name === "lock");
    assert(lock && more.length === 0);
    return lock;
  };
  const [one, two, three] = written.map(({ traceId }) => lockOf(traceId)) as [Span, Span, Span];
  assert.deepEqual(one.links, [HOLDER], "who was in the way, in whichever trace");
  assert.deepEqual(two.links, [{ traceId: one.traceId, spanId: one.parentSpanId }], "the call that used it before");
  assert.deepEqual(three.links, []);
  const facts = [one, two, three].map(({ attributes }) => [
    attributes["safefile.lock.waited"],
    attributes["safefile.lock.kept"],
  ]);
  assert.deepEqual(facts, [
    [true, false],
    [true, true],
    [false, true],
  ]);
  for (const each of [one, two, three]) {
    const waitMs = Number(each.attributes["safefile.lock.wait_ms"]);
    assert(waitMs >= 0 && waitMs <= Number(each.endNs - each.startNs) / 1e6 + 1, `${waitMs} ms`);
    assert.equal(waitMs > 200, each !== three);
  }

  const requests = () =>
    points(sink, "safefile.lock.requests").map(({ labels, count }) => `${labels.waited} ${labels.reason} ${count}`);
  await until("all requests are counted", () => requests().length === 3);
  assert.deepEqual(requests().sort(), ["false OK 1", "true LOCK_TIMEOUT 1", "true OK 2"]);
  const waits = Object.fromEntries(points(sink, "safefile.lock.wait").map((each) => [each.labels.reason, each]));
  assert.deepEqual([waits.OK?.count, waits.LOCK_TIMEOUT?.count], [3, 1]);
  assert(Number(waits.OK?.sum) > 0.4 && Number(waits.OK?.sum) < 60, "in seconds");
  assert(Number(waits.LOCK_TIMEOUT?.sum) >= 0.05);
  await until("holds are measured", () => points(sink, "safefile.lock.hold")[0]?.count === 3);
  assert(Number(points(sink, "safefile.lock.hold")[0]?.sum) > 0);

  // I15: neither what is locked nor by whom.
  for (const body of sink.bodies())
    for (const secret of ["canary", "locked.txt"]) assert(!body.includes(secret), `${secret} was exported`);
});
