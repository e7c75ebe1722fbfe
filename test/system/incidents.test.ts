import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  EventSeverity,
  type Incident,
  IncidentKind,
  type SafefileClient,
  type WatchEventsResponse,
} from "@safefile/client";
import { Redis } from "ioredis";
import { type FilePath, pathHash } from "../../services/model/path.js";
import { Cleanup } from "../cluster/cleanup.js";
import { startRedis } from "../cluster/redis.js";
import { type Replica, startReplica } from "../cluster/replica.js";
import { tempVolume } from "../cluster/volume.js";
import { Freezable, whyNoFreezing } from "../faults/frozen.js";
import { admin, file, recovery } from "./bad-case.js";
import { ask } from "./raw.js";
import { connect, flush, startWorld } from "./world.js";

const FAST = { SAFEFILE_HEARTBEAT_MS: "100", SAFEFILE_WATCH_POLL_MS: "50", SAFEFILE_WATCH_HEARTBEAT_MS: "50" };
const OTHER_BOOT = "00000000-0000-4000-8000-000000000000";

async function all(client: SafefileClient, unresolvedOnly = false): Promise<Incident[]> {
  const incidents: Incident[] = [];
  for await (const incident of client.incidents({ pageSize: 2, unresolvedOnly })) incidents.push(incident);
  return incidents;
}

async function found(client: SafefileClient, kind: IncidentKind): Promise<Incident[]> {
  return (await all(client)).filter((incident) => incident.kind === kind);
}

/** Recording is nobody's business to wait for, so a test looks until it is there. */
async function eventually(client: SafefileClient, kind: IncidentKind, isIt = (_: Incident) => true): Promise<Incident> {
  for (let look = 0; look < 600; look++) {
    const incident = (await found(client, kind)).find(isIt);
    if (incident) return incident;
    await sleep(20);
  }
  return assert.fail(`no incident of kind ${IncidentKind[kind]} that fits: ${JSON.stringify(await all(client), text)}`);
}

const text = (_key: string, value: unknown) => (typeof value === "bigint" ? String(value) : value);
const isOver = ({ resolveTime }: Incident) => resolveTime !== undefined;

/** Collects what a watch says until the test ends. */
function watch(t: TestContext, client: SafefileClient, options: Parameters<SafefileClient["watchEvents"]>[0] = {}) {
  const done = new AbortController();
  const events: WatchEventsResponse[] = [];
  const first = Promise.withResolvers<void>();
  const reading = (async () => {
    for await (const event of client.watchEvents({ ...options, signal: done.signal })) {
      events.push(event);
      first.resolve();
    }
  })().catch((error: unknown) => first.reject(error));
  t.after(() => done.abort());
  return {
    begun: first.promise,
    incidents: () => events.flatMap(({ event }) => (event.case === "incident" ? [event.value] : [])),
    events,
    async end() {
      done.abort();
      await reading;
      return events.at(-1)?.resumeToken ?? "";
    },
  };
}

test("I7: a replica that is killed is one incident, however many survive it, and every replica tells of it", async (t) => {
  const cleanup = Cleanup.of(t);
  const [volume, redis] = await Promise.all([tempVolume(cleanup), startRedis({ cleanup })]);
  const start = () => startReplica({ cleanup, volume, redis: [redis.url], env: FAST });
  const survivors = await Promise.all([start(), start(), start()]);
  const clients = survivors.map((replica) => connect(cleanup, replica).client) as [SafefileClient, SafefileClient];
  const watched = clients.map((client) => watch(t, client));
  await Promise.all(watched.map(({ begun }) => begun));
  const killed: string[] = [];
  for (let round = 0; round < 4; round++) {
    const victim = await start();
    const { client } = connect(cleanup, victim);
    await client.write(`victim-${round}.txt`, Buffer.from("written"));
    await victim.kill();
    killed.push(victim.incarnation);
    const isThis = ({ subjectIncarnation }: Incident) => subjectIncarnation === victim.incarnation;
    const incident = await eventually(clients[0], IncidentKind.REPLICA_DEAD, isThis);
    assert.ok(isOver(incident));
    assert.ok(survivors.some(({ incarnation }) => incarnation === incident.incarnation));
  }
  // Whoever comes later looks at all of them again.
  await startReplica({ cleanup, volume, redis: [redis.url], env: FAST });
  const dead = (await found(clients[0], IncidentKind.REPLICA_DEAD)).map((incident) => incident.subjectIncarnation);
  assert.deepEqual(dead.toSorted(), killed.toSorted(), "one for each death");
  for (const { incidents } of watched) {
    for (let look = 0; look < 500 && incidents().length < killed.length; look++) await sleep(20);
    assert.deepEqual(
      incidents().map(({ subjectIncarnation }) => subjectIncarnation),
      killed,
      "a watcher was not told once of each",
    );
  }
});

test("a file that was changed from outside, and a damaged one, are incidents that name them and no content", async (t) => {
  const cleanup = Cleanup.of(t);
  const { volume, client } = await startWorld(cleanup, { ...FAST, SAFEFILE_RECORDS_CACHED_BYTES_MAX: "1" });
  const secret = "what nobody else should read ";
  await client.write("outside.txt", Buffer.from("ours"));
  await writeFile(path.join(volume, "outside.txt"), secret.repeat(3));
  await client.write("outside.txt", Buffer.from("ours again"));
  const external = await eventually(client, IncidentKind.EXTERNAL_CHANGE);
  assert.deepEqual([external.path, external.revision, external.outcome], ["outside.txt", 2n, 1]);
  assert.match(external.traceId, /^[0-9a-f]{32}$/);

  const large = Buffer.from(secret.repeat(10_000));
  await client.write("damaged.txt", large);
  await client.write("damaged.txt", Buffer.from("newer"));
  const objects = path.join(volume, ".safefile/objects");
  for (const name of await readdir(objects, { recursive: true })) {
    const object = path.join(objects, name);
    if ((await stat(object)).size === large.length) await writeFile(object, Buffer.from(large).fill("x", 0, 1));
  }
  for (let again = 0; again < 3; again++) await assert.rejects(client.readRevision("damaged.txt", 1));
  const corrupt = await eventually(client, IncidentKind.CORRUPTION);
  assert.deepEqual([corrupt.path, corrupt.revision, isOver(corrupt)], ["damaged.txt", 1n, false]);
  assert.equal((await found(client, IncidentKind.CORRUPTION)).length, 1, "the same damage, told once");
  assert.deepEqual(
    (await all(client, true)).map(({ kind }) => kind),
    [IncidentKind.CORRUPTION],
  );
  for (const name of await readdir(path.join(volume, ".safefile/incidents")))
    assert.ok(!(await readFile(path.join(volume, ".safefile/incidents", name), "utf8")).includes(secret), "I15");
});

test("a Redis that forgets everything, and one that is away, are incidents that end", async (t) => {
  const cleanup = Cleanup.of(t);
  const { redis, client } = await startWorld(cleanup, FAST);
  await client.write("a.txt", Buffer.from("a"));
  assert.deepEqual(await all(client), [], "an index that a new volume never had is none");
  await flush(redis);
  const lost = await eventually(client, IncidentKind.INDEX);
  assert.ok(isOver(lost));
  assert.match(lost.message, /rebuilt/);

  await redis.kill();
  const isAway = ({ message }: Incident) => /does not answer/.test(message);
  assert.ok(!isOver(await eventually(client, IncidentKind.INDEX, isAway)));
  await startRedis({ cleanup, port: redis.port });
  await eventually(client, IncidentKind.INDEX, (incident) => isAway(incident) && isOver(incident));
});

test("a start of the host after a power cut is an incident, and Redis learns what it was not told", async (t) => {
  const cleanup = Cleanup.of(t);
  const { volume, redis, replica, client } = await startWorld(cleanup, FAST);
  await client.write("a.txt", Buffer.from("a"));
  await replica.kill();
  const control = path.join(volume, ".safefile");
  for (const name of await readdir(path.join(control, "generations")))
    await rename(path.join(control, "generations", name), path.join(control, "generations", `1.${OTHER_BOOT}`));
  const own = path.join(control, "incarnations", replica.incarnation);
  await writeFile(own, (await readFile(own, "utf8")).replace(/"bootId":"[^"]*"/, `"bootId":"${OTHER_BOOT}"`));
  await rm(path.join(volume, "a.txt"));
  // As if the power had failed before Redis was told.
  const direct = new Redis(redis.url);
  cleanup.defer(() => direct.disconnect());
  const [watermarks, ...others] = await direct.keys("*:watermarks");
  assert(watermarks && others.length === 0);
  const head = watermarks.replace("watermarks", `f:${pathHash("a.txt" as FilePath)}`);
  assert.equal(await direct.del(head), 1);
  await direct.hset(watermarks, replica.incarnation, 0);
  const again = connect(cleanup, await startReplica({ cleanup, volume, redis: [redis.url], env: FAST }));
  assert.match((await eventually(again.client, IncidentKind.REPLAY)).message, /1 files published again/);
  assert.match((await direct.hget(head, "h")) ?? "", new RegExp(`^1 ${replica.incarnation}`));
});

test("I11: a full volume makes nobody wait, and is an incident when there is room again", {
  skip: whyNoFreezing() ?? false,
}, async (t) => {
  const cleanup = Cleanup.of(t);
  const disk = Freezable.make(cleanup, "48M");
  const redis = await startRedis({ cleanup });
  const replica = await startReplica({ cleanup, volume: disk.root, redis: [redis.url], env: FAST });
  const { client, raw } = connect(cleanup, replica);
  await client.write("a.txt", Buffer.from("a"));
  const filler = path.join(disk.root, "filler");
  assert.throws(() => execFileSync("dd", ["if=/dev/zero", `of=${filler}`, "bs=4096"], { stdio: "ignore" }));
  const large = Buffer.alloc(1024 * 1024, 1);
  const refused = await raw.send(ask(file.writeFile, { path: "b.txt", data: large }));
  assert.deepEqual([refused.code, refused.info?.reason], ["RESOURCE_EXHAUSTED", "VOLUME_FULL"]);
  assert.equal(Buffer.from((await client.read("a.txt")).bytes).toString(), "a");
  await rm(filler);
  await client.write("b.txt", large);
  assert.match((await eventually(client, IncidentKind.VOLUME, isOver)).message, /full/);
});

test("I10: a flush that fails is an incident that the replica leaves behind, and so is its death", async (t) => {
  const cleanup = Cleanup.of(t);
  const [volume, redis] = await Promise.all([tempVolume(cleanup), startRedis({ cleanup })]);
  const start = (main?: string) =>
    startReplica({ cleanup, volume, redis: [redis.url], env: FAST, ...(main === undefined ? {} : { main }) });
  const failing = await start("test/system/failing-main.js");
  const { raw } = connect(cleanup, failing);
  const survivor = connect(cleanup, await start());
  failing.signal("SIGUSR2");
  let answer = await raw.send(ask(file.writeFile, { path: "a.txt", data: Buffer.from("a") }));
  // The signal may come after a first write.
  for (let n = 0; answer.code === "OK" && n < 100; n++)
    answer = await raw.send(ask(file.writeFile, { path: `a${n}.txt`, data: Buffer.from("a") }));
  assert.notEqual(answer.code, "OK");
  assert.equal((await failing.exited).code, 70);
  const lost = await eventually(survivor.client, IncidentKind.DURABILITY);
  assert.equal(lost.incarnation, failing.incarnation);
  const dead = await eventually(survivor.client, IncidentKind.REPLICA_DEAD);
  assert.equal(dead.subjectIncarnation, failing.incarnation);
});

test("I3: an operation that a rival stopped is an incident", { timeout: 120_000 }, async (t) => {
  const cleanup = Cleanup.of(t);
  const [volume, redis] = await Promise.all([tempVolume(cleanup), startRedis({ cleanup })]);
  const env = { ...FAST, SAFEFILE_LEASE_MS: "300", SAFEFILE_INCARNATION_DEAD_MS: "600000" };
  const start = () => startReplica({ cleanup, volume, redis: [redis.url], env });
  const [paused, rival] = (await Promise.all([start(), start()])) as [Replica, Replica];
  const [held, other] = [connect(cleanup, paused), connect(cleanup, rival)];
  for (let round = 0, fenced = 0; fenced === 0; round++) {
    assert.ok(round < 50, "no writer was ever met between its baton and its publish");
    // Large enough that it is mostly between its baton and its publish.
    const writes = Array.from({ length: 4 }, (_, n) =>
      held.raw.send(ask(file.writeFile, { path: `${n}.txt`, data: Buffer.alloc(900_000, round) })),
    );
    // On a busy machine it is later that they are there.
    await sleep(20 + Math.random() * (30 + 10 * round));
    paused.signal("SIGSTOP");
    await Promise.all(writes.map((_, n) => other.client.write(`${n}.txt`, Buffer.from(`rival ${round}`))));
    paused.signal("SIGCONT");
    fenced = (await Promise.all(writes)).filter(({ info }) => info?.reason === "LOCK_FENCED").length;
  }
  const incident = await eventually(other.client, IncidentKind.OPERATION_FENCED);
  assert.match(incident.path, /^[0-3]\.txt$/);
  assert.equal(incident.incarnation, paused.incarnation);
  assert.ok(incident.operationId.startsWith(paused.incarnation));
});

test("a watch goes on after its token: nothing twice, nothing left out; severity and limits hold", async (t) => {
  const cleanup = Cleanup.of(t);
  const { volume, client, raw } = await startWorld(cleanup, {
    ...FAST,
    SAFEFILE_INCIDENTS_MAX: "20",
    SAFEFILE_INCIDENTS_PER_MINUTE_MAX: "1000",
    SAFEFILE_EVENT_WATCHES_MAX: "3",
  });
  const change = async (name: string) => {
    await client.write(name, Buffer.from("ours"));
    await writeFile(path.join(volume, name), "from outside");
    await client.write(name, Buffer.from("ours again"));
    await eventually(client, IncidentKind.EXTERNAL_CHANGE, (incident) => incident.path === name);
  };
  const quiet = watch(t, client, { severityMin: EventSeverity.ERROR });
  const first = watch(t, client);
  await first.begun;
  await change("1.txt");
  while (first.incidents().length < 1) await sleep(10);
  const token = await first.end();
  assert.ok(first.events.some(({ event }) => event.case === "heartbeat"));
  await change("2.txt");
  await change("3.txt");
  const second = watch(t, client, { resumeToken: token });
  while (second.incidents().length < 2) await sleep(10);
  await change("4.txt");
  while (second.incidents().length < 3) await sleep(10);
  assert.deepEqual(
    second.incidents().map((incident) => incident.path),
    ["2.txt", "3.txt", "4.txt"],
  );
  assert.deepEqual(quiet.incidents(), []);

  const third = watch(t, client);
  await third.begun;
  const refused = await raw.send(ask(admin.watchEvents, {}));
  assert.deepEqual([refused.code, refused.info?.reason], ["RESOURCE_EXHAUSTED", "LIMIT_EXCEEDED"]);
  await Promise.all([second.end(), third.end(), quiet.end()]);

  // A reader that comes back after what it has not seen was removed is told that there is a gap.
  for (let n = 5; n < 30; n++) await change(`${n}.txt`);
  const paths = (await all(client)).map((incident) => incident.path);
  assert.ok(paths.length <= 20 && paths[0] === "29.txt", `newest first, at most 20: ${paths}`);
  const late = watch(t, client, { resumeToken: token });
  while (!late.incidents().some((incident) => incident.path === "29.txt")) await sleep(10);
  assert.equal(late.events[0]?.event.case, "gap");
  await late.end();
});

test("what cannot be recorded in a minute is counted", async (t) => {
  const cleanup = Cleanup.of(t);
  const { volume, client, replica, redis } = await startWorld(cleanup, {
    ...FAST,
    SAFEFILE_INCIDENTS_PER_MINUTE_MAX: "2",
  });
  for (let n = 0; n < 5; n++) {
    await client.write(`${n}.txt`, Buffer.from("ours"));
    await writeFile(path.join(volume, `${n}.txt`), "from outside");
    await client.write(`${n}.txt`, Buffer.from("ours again"));
  }
  // Whoever leaves says it without waiting for the minute to end.
  assert.equal((await replica.stop()).code, 0);
  const next = connect(cleanup, await startReplica({ cleanup, volume, redis: [redis.url], env: FAST }));
  const incidents = await all(next.client);
  assert.equal(incidents.length, 3);
  assert.ok(incidents.some(({ message }) => /^3 more/.test(message)));
  assert.equal((await next.raw.send(ask(recovery.listIncidents, { pageSize: 2 }))).code, "OK");
});
