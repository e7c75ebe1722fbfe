import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import {
  type DrainReplicaResponse,
  IncidentKind,
  type ListIncidentsResponse,
  type WatchEventsResponse,
} from "@safefile/client";
import { Redis as RedisClient } from "ioredis";
import { BOOK } from "../../services/lock/script.js";
import { textOf } from "../../services/lock/server.js";
import type { LeaseId } from "../../services/model/operation.js";
import { Cleanup } from "../cluster/cleanup.js";
import { startRedis } from "../cluster/redis.js";
import { type Replica, startReplica } from "../cluster/replica.js";
import { tempVolume } from "../cluster/volume.js";
import { wish } from "../lock/wish.js";
import { admin, file, LARGE, recovery } from "./bad-case.js";
import { health } from "./health.js";
import { type Answer, ask, type RawClient } from "./raw.js";
import { connect } from "./world.js";

const WRITERS = 16;
// Nobody gets a path or an incarnation by waiting for a term to run out: it would take longer than the test.
const SETTINGS = { SAFEFILE_INCARNATION_DEAD_MS: "600000", SAFEFILE_LEASE_MS: "600000" };

async function start(t: Parameters<typeof Cleanup.of>[0], env: Readonly<Record<string, string>> = {}, main?: string) {
  const cleanup = Cleanup.of(t);
  const [volume, redis] = await Promise.all([tempVolume(cleanup), startRedis({ cleanup })]);
  const replicas: Replica[] = [];
  const options = { cleanup, volume, redis: [redis.url], env: { ...SETTINGS, ...env } };
  replicas.push(
    await startReplica({ ...options, ...(main === undefined ? {} : { main }) }),
    await startReplica(options),
  );
  const [one, two] = replicas as [Replica, Replica];
  const keys = new RedisClient(redis.url);
  cleanup.defer(() => keys.disconnect());
  const first = connect(cleanup, one);
  return { cleanup, volume, keys, one, two, first, second: connect(cleanup, two) };
}

type World = Awaited<ReturnType<typeof start>>;

/** Somebody else has the lease of held.txt, so a change of it has to wait. */
async function hold({ volume, keys }: World): Promise<string> {
  const { volumeId } = JSON.parse(readFileSync(path.join(volume, ".safefile/format"), "utf8")) as { volumeId: string };
  const prefix = `safefile:{${volumeId}}:lock:`;
  const { targets, owner } = wish("held.txt");
  const entry = {
    id: "somebody" as LeaseId,
    targets,
    rank: 1,
    under: "" as const,
    owner: { ...owner, incarnation: "", sinceMs: 0 },
  };
  await keys.eval(BOOK, 1, prefix, "install", entry.id, textOf(entry), 600_000);
  return `${prefix}i:${entry.id}`;
}

/** Waits until somebody has asked for leases in vain a few times: then a change waits in the pipeline. */
async function someoneWaits({ keys }: World): Promise<void> {
  const asked = async () => {
    const stats = await keys.info("commandstats");
    return [...stats.matchAll(/^cmdstat_eval(?:sha)?:calls=(\d+)/gm)].reduce(
      (sum, [, calls]) => sum + Number(calls),
      0,
    );
  };
  const before = await asked();
  while ((await asked()) < before + 4) await sleep(20);
}

interface Said {
  readonly path: string;
  readonly content: string;
  readonly answer: Answer;
}

const said = ({ code, info }: Answer): string => [code, info?.reason, info?.metadata.outcome].join(" ");
const DRAINING = "UNAVAILABLE REPLICA_DRAINING NOT_COMMITTED";

/** Writes files, each once, until the replica takes no more. Small ones and ones that need an object of their own. */
async function load(raw: RawClient, writer: number, all: Said[]): Promise<void> {
  for (let n = 0; ; n++) {
    const target = `load/${writer}-${n}.txt`;
    const content = `${writer}-${n} `.repeat(n % 4 === 0 ? 20_000 : 5);
    const answer = await raw.send(ask(file.writeFile, { path: target, data: Buffer.from(content) }));
    all.push({ path: target, content, answer });
    if (answer.code !== "OK") return;
  }
}

/** What was acknowledged is there, what was refused is not, by way of the replica that is left. */
async function check({ second }: World, all: readonly Said[]): Promise<void> {
  for (const { path: target, content, answer } of all) {
    const found = await second.raw.send(ask(file.readFile, { path: target }));
    if (answer.code === "OK") {
      assert.equal(found.code, "OK", `${target} was acknowledged: ${found.message}`);
      const { bytes } = await second.client.read(target);
      assert.equal(Buffer.from(bytes).toString(), content, target);
    } else if (answer.info?.metadata.outcome === "NOT_COMMITTED") {
      assert.equal(found.code, "NOT_FOUND", `${target} was said to be unchanged: ${said(answer)}`);
    }
  }
}

/** The incarnation is over, by its own doing: the other one is held, so it cannot have been that one. */
async function assertHandedOver({ volume, keys, one, two, second }: World): Promise<void> {
  const control = path.join(volume, ".safefile");
  assert.deepEqual(await keys.keys("*:lock:i:*"), [], "a lease is left");
  assert.ok(existsSync(path.join(control, "closed", one.incarnation)), "it did not close its incarnation");
  assert.ok(!existsSync(path.join(control, "incarnations", one.incarnation)));
  assert.ok(!existsSync(path.join(control, "staging", one.incarnation)));
  two.signal("SIGCONT");
  // A look at the others is due every heartbeat, so a death would have been recorded by the time of a second one.
  await second.client.write("after.txt", Buffer.from("after"));
  const { messages } = await second.raw.send(ask(recovery.listIncidents, {}));
  const dead = (messages[0] as ListIncidentsResponse).incidents.filter(
    ({ kind }) => kind === IncidentKind.REPLICA_DEAD,
  );
  assert.deepEqual(dead, []);
}

test("I1, I7: SIGTERM under load loses nothing that was acknowledged, and nobody has to wait for what is left", async (t) => {
  const world = await start(t);
  const { one, two, first } = world;
  const all: Said[] = [];
  const writers = Promise.all(Array.from({ length: WRITERS }, (_, writer) => load(first.raw, writer, all)));
  while (all.length < 100) await sleep(10);
  two.signal("SIGSTOP");
  const exit = await one.stop();
  await writers;
  assert.deepEqual(exit, { code: 0, signal: null }, one.logs());
  assert.match(one.logs(), /closed this incarnation/);
  await assertHandedOver(world);
  await check(world, all);
  const refused = all.filter(({ answer }) => answer.code !== "OK").map(({ answer }) => said(answer));
  assert.equal(refused.length, WRITERS);
  t.diagnostic(`${all.length - WRITERS} acknowledged; ${[...new Set(refused)].join(", ")}`);
});

test("I5, I6: a drain that gives no time says NOT_COMMITTED only of what is not there", async (t) => {
  // Most changes are past their journal record when the drain comes: those must be told what they came to.
  const world = await start(t, {}, "test/system/slow-main.js");
  const { one, first } = world;
  const all: Said[] = [];
  const writers = Promise.all(Array.from({ length: WRITERS }, (_, writer) => load(first.raw, writer, all)));
  while (all.length < WRITERS) await sleep(10);
  const drain = ask(admin.drainReplica, {
    reason: "test",
    drainWait: create(DurationSchema, {}),
    requestId: "drain-1",
  });
  const [drained, again] = await Promise.all([first.raw.send(drain), first.raw.send(drain)]);
  await writers;
  assert.equal(drained.code, "OK", drained.message);
  const answer = drained.messages[0] as DrainReplicaResponse;
  assert.deepEqual([answer.incarnation, answer.requestId], [one.incarnation, "drain-1"]);
  assert.deepEqual(again.messages[0], answer, "repeated, it says the same");
  assert.deepEqual(await one.exited, { code: 0, signal: null }, one.logs());
  await check(world, all);
});

test("while a replica drains, changes are refused, reads go on, streams end, and those under way are told", async (t) => {
  const world = await start(t, { SAFEFILE_DRAIN_MS: "3000" });
  const { volume, keys, one, two, first, second } = world;
  await first.client.write("there.txt", Buffer.from("there"));
  const key = await hold(world);
  const waiting = first.raw.send(
    ask(file.writeFile, {
      path: "held.txt",
      data: LARGE,
      options: { lockWait: create(DurationSchema, { seconds: 60n }) },
    }),
  );
  const header = { part: { case: "header" as const, value: { path: "upload.txt" } } };
  const half = { part: { case: "chunk" as const, value: { data: LARGE } } };
  const upload = first.raw.send(ask(file.uploadFile, header, half), { end: false });
  const watch = first.raw.send(ask(admin.watchEvents, {}));
  const staged = () => readdirSync(path.join(volume, ".safefile/uploads")).length;
  while (staged() < 2) await sleep(10); // the upload, and the change that is too large for a record
  await someoneWaits(world);

  two.signal("SIGSTOP");
  one.signal("SIGTERM");
  while ((await health(first.raw)) !== "NOT_SERVING") await sleep(10);
  const refused = await first.raw.send(ask(file.writeFile, { path: "new.txt", data: Buffer.from("new") }));
  assert.equal(said(refused), DRAINING);
  assert.ok(refused.retryAfterMs !== undefined, "says when to try again");
  assert.equal(Buffer.from((await first.client.read("there.txt")).bytes).toString(), "there");
  assert.equal(said(await upload), DRAINING);
  const watched = await watch;
  assert.deepEqual([watched.code, watched.info?.reason], ["UNAVAILABLE", "REPLICA_DRAINING"]);
  assert.equal((watched.messages[0] as WatchEventsResponse).event.case, "heartbeat");
  assert.equal(said(await waiting), DRAINING, "the one that waited for a lease");
  assert.deepEqual(await one.exited, { code: 0, signal: null }, one.logs());
  await keys.del(key);
  await assertHandedOver(world);
  for (const name of ["held.txt", "new.txt", "upload.txt"])
    assert.equal((await second.raw.send(ask(file.statFile, { path: name }))).code, "NOT_FOUND");
});

test("I7: a drain that takes longer than a death shows life all the while, so nobody stops what it finishes", async (t) => {
  const env = { SAFEFILE_DRAIN_MS: "60000", SAFEFILE_INCARNATION_DEAD_MS: "500", SAFEFILE_HEARTBEAT_MS: "50" };
  const world = await start(t, env);
  const { keys, one, first, second } = world;
  const key = await hold(world);
  const options = { lockWait: create(DurationSchema, { seconds: 60n }) };
  const waiting = first.raw.send(ask(file.writeFile, { path: "held.txt", data: LARGE, options }));
  await someoneWaits(world);
  one.signal("SIGTERM");
  while ((await health(first.raw)) !== "NOT_SERVING") await sleep(10);
  await sleep(2_000); // four deaths long
  await keys.del(key);
  assert.equal((await waiting).code, "OK", "it was given time, and could have been finished");
  assert.deepEqual(await one.exited, { code: 0, signal: null }, one.logs());
  assert.deepEqual(Buffer.from((await second.client.read("held.txt")).bytes), LARGE);
});

test("a second SIGTERM ends it at once", async (t) => {
  const world = await start(t, { SAFEFILE_DRAIN_MS: "600000" });
  const { one, first } = world;
  await hold(world);
  const options = { lockWait: create(DurationSchema, { seconds: 600n }) };
  const waiting = first.raw.send(ask(file.writeFile, { path: "held.txt", data: LARGE, options }));
  await someoneWaits(world);
  one.signal("SIGTERM");
  while ((await health(first.raw)) !== "NOT_SERVING") await sleep(10);
  one.signal("SIGTERM");
  assert.deepEqual(await one.exited, { code: 75, signal: null });
  assert.equal((await waiting).code, "UNAVAILABLE");
});
