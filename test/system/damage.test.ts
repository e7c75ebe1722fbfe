import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { lstat, open, readdir, readFile, rm, truncate, utimes } from "node:fs/promises";
import path from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { FileOpsService, RecoveryService, RestoreState, SafefileError } from "@safefile/client";
import { Cleanup } from "../cluster/cleanup.js";
import { startReplica } from "../cluster/replica.js";
import { type Answer, ask } from "./raw.js";
import { connect, startWorld, stateOf, type World } from "./world.js";

const cleanup = new Cleanup();
let world: World;
const startHere = (cleanup: Cleanup) =>
  // Without records in memory, every look at history is one at the disk.
  startWorld(cleanup, { SAFEFILE_RECORDS_CACHED_BYTES_MAX: "1" });

before(async () => {
  world = await startHere(cleanup);
});
after(() => cleanup.end());

const at = (name: string, { volume } = world) => path.join(volume, name);

/** The file below `.safefile/` whose content is `bytes`, alone or among others. */
async function storedAt(directory: string, bytes: Buffer, of = world): Promise<{ file: string; offset: number }> {
  const base = at(`.safefile/${directory}`, of);
  for (const name of await readdir(base, { recursive: true })) {
    const file = path.join(base, name);
    if (!(await lstat(file)).isFile()) continue;
    const offset = (await readFile(file)).indexOf(bytes);
    if (offset >= 0) return { file, offset };
  }
  return assert.fail(`${directory} does not hold these ${bytes.length} bytes`);
}

/** One flipped bit, as a disk would do it: the file's times tell nothing. */
async function flip(file: string, offset: number): Promise<void> {
  const { atime, mtime } = await lstat(file);
  const handle = await open(file, "r+");
  try {
    const byte = Buffer.alloc(1);
    await handle.read(byte, 0, 1, offset);
    byte[0]! ^= 1;
    await handle.write(byte, 0, 1, offset);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await utimes(file, atime, mtime);
}

async function failure(call: Promise<unknown>): Promise<SafefileError> {
  const error = await call.then(
    () => assert.fail("the call went through"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof SafefileError, String(error));
  return error;
}

function assertDataLoss(error: { code: unknown; reason: string | undefined; message: string }): void {
  assert.deepEqual([error.code, error.reason], [15, "REVISION_CORRUPT"], error.message);
}

const casesOf = ({ messages }: Answer) =>
  messages.map((message) => (message as unknown as { part: { case: string } }).part.case);

/** A file of two revisions, and where the first one's bytes are kept. */
async function twoRevisions(name: string, sizeBytes: number) {
  const bytes = randomBytes(sizeBytes);
  await world.client.write(name, bytes);
  await world.client.write(name, Buffer.from("newer"));
  return { bytes, kept: await storedAt("objects", bytes) };
}

async function assertNotServed(name: string, offset: number): Promise<void> {
  const { client, raw } = world;
  const state = await stateOf(world.volume);
  assertDataLoss(await failure(client.readRevision(name, 1)));
  for (const [method, request] of [
    [RecoveryService.method.readRevision, { path: name, revision: 1n }],
    [FileOpsService.method.readFile, { path: name, revision: 1n }],
  ] as const) {
    const answer = await raw.send(ask(method as never, request as never));
    assert.equal(answer.code, "DATA_LOSS");
    assert.ok(!casesOf(answer).includes("trailer"), "a stream without a trailer is not whole");
  }
  assertDataLoss(await failure(client.readRevision(name, 1, { offset, limit: 1 })));
  const rollback = await failure(client.rollback(name, 1));
  assertDataLoss(rollback);
  assert.equal(rollback.outcome, "NOT_COMMITTED");
  assert.deepEqual(await stateOf(world.volume), state);
}

test("I9: a flipped bit in a stored object is reported and never served, nor written back", async () => {
  const { kept } = await twoRevisions("flipped.bin", 300_000);
  const before = createHash("sha256")
    .update(await readFile(kept.file))
    .digest("hex");
  await flip(kept.file, 299_999);
  assert.notEqual(
    createHash("sha256")
      .update(await readFile(kept.file))
      .digest("hex"),
    before,
  );
  await assertNotServed("flipped.bin", 299_999);
});

test("I9: an object that is cut short, or gone, is reported", async () => {
  const cut = await twoRevisions("cut.bin", 300_000);
  await truncate(cut.kept.file, 299_999);
  await assertNotServed("cut.bin", 0);
  const gone = await twoRevisions("gone.bin", 300_000);
  await rm(gone.kept.file);
  await assertNotServed("gone.bin", 0);
});

test("I9, I16: a restore leaves a file alone whose revision is damaged, and says so", async () => {
  const { client } = world;
  const { kept } = await twoRevisions("restored/damaged.bin", 300_000);
  const sound = await client.write("restored/sound.txt", Buffer.from("sound"));
  const point = { operation: sound.operationId };
  await client.write("restored/damaged.bin", Buffer.from("newest"));
  await client.write("restored/sound.txt", Buffer.from("changed"));
  await client.rollback("restored/damaged.bin", 1);
  const head = await client.write("restored/damaged.bin", Buffer.from("live"));
  await flip(kept.file, 0);
  const { restoreId } = await client.startRestore("restored", { tree: true, asOf: point });
  const states: RestoreState[] = [];
  for await (const { event } of client.watchRestore(restoreId))
    if (event.case === "progress") states.push(event.value.state);
  assert.equal(states.at(-1), RestoreState.SUCCEEDED, "as of then it was newer, and that is sound");
  assert.equal(await readFile(at("restored/damaged.bin"), "utf8"), "newer");
  assert.equal(await readFile(at("restored/sound.txt"), "utf8"), "sound");

  const { restoreId: second } = await client.startRestore("restored/damaged.bin", {
    asOf: new Date(Number(head.revision!.createTime!.seconds) * 1_000 - 3_600_000),
  });
  for await (const { event } of client.watchRestore(second))
    if (event.case === "item") assert.fail("nothing was there");

  const first = (await client.readRevision("restored/damaged.bin", 2)).revision;
  assert.equal(first.revision, 2n);
  const damaged = await oldest("restored/damaged.bin");
  const { restoreId: third } = await client.startRestore("restored/damaged.bin", { asOf: { operation: damaged } });
  const items: (number | undefined)[] = [];
  for await (const { event } of client.watchRestore(third))
    if (event.case === "item") items.push(event.value.error?.code);
  assert.deepEqual(items, [15]);
  assert.equal(await readFile(at("restored/damaged.bin"), "utf8"), "newer");
});

async function oldest(name: string): Promise<string> {
  let operation = "";
  for await (const { operationId } of world.client.revisions(name)) operation = operationId;
  return operation;
}

test("I9: the bytes of a live file that a disk has changed are not served as its revision", async () => {
  const { client } = world;
  await client.write("rotten.bin", randomBytes(300_000));
  await flip(at("rotten.bin"), 150_000);
  const error = await client.read("rotten.bin").then(
    ({ file }) => assert.equal(file.revision, 0n, "served as what somebody outside made of it"),
    (reason: unknown) => reason,
  );
  if (error) assertDataLoss(error as SafefileError);
});

/** Damages the record of a first revision, in the journal of the replica that runs. */
async function damagedRecord(name: string, of = world) {
  const { client } = of;
  const bytes = randomBytes(1_000);
  await client.write(name, bytes);
  await client.write(name, Buffer.from("newer"));
  const record = await storedAt("journal", bytes, of);
  await flip(record.file, record.offset + 500);
  return record;
}

test("I9: a flipped bit in a journal record is reported and never served, nor written back", async () => {
  await damagedRecord("journaled.bin");
  await assertNotServed("journaled.bin", 0);
  assert.equal(Buffer.from((await world.client.read("journaled.bin")).bytes).toString(), "newer", "others are served");
});

test("I9: a change whose base record is damaged is refused with DATA_LOSS and changes nothing", async () => {
  const { client } = world;
  const bytes = randomBytes(1_000);
  await client.write("base.bin", bytes);
  const record = await storedAt("journal", bytes);
  await flip(record.file, record.offset + 500);
  const before = await stateOf(world.volume);
  const error = await failure(client.write("base.bin", Buffer.from("over it")));
  assertDataLoss(error);
  assert.equal(error.outcome, "NOT_COMMITTED");
  assert.deepEqual(await stateOf(world.volume), before);
});

test("I9: RebuildIndex reports a damaged journal instead of leaving its revisions out", async (t) => {
  const own = await startHere(Cleanup.of(t));
  await damagedRecord("rebuilt.bin", own);
  await own.client.write("after.bin", Buffer.from("a valid record behind the bad one"));
  assertDataLoss(await failure(own.client.rebuildIndex()));
});

/** A replica that starts where another left a damaged record in the middle of its journal. */
async function startBesideDamage(t: TestContext) {
  const own = await startHere(Cleanup.of(t));
  await own.client.write("listed/before.bin", Buffer.from("a valid record before the bad one"));
  const { file } = await damagedRecord("listed/damaged.bin", own);
  await own.client.write("listed/after.bin", Buffer.from("a valid record behind the bad one"));
  await own.replica.kill();
  const { live } = await stateOf(own.volume);
  const replica = await startReplica({ cleanup: own.cleanup, volume: own.volume, redis: [own.redis.url] });
  const [incarnation] = path.relative(at(".safefile/journal", own), file).split(path.sep);
  return { replica, incarnation, live, volume: own.volume, ...connect(own.cleanup, replica) };
}

test("I9: a replica that starts beside a damaged journal reports where, and serves nothing of it", async (t) => {
  const { replica, incarnation, live, volume, client } = await startBesideDamage(t);
  assert.match(replica.logs(), new RegExp(`journal ${incarnation}, segment 1, offset [0-9]+: bad record`));
  assertDataLoss(await failure(client.readRevision("listed/damaged.bin", 1)));
  assert.deepEqual((await stateOf(volume)).live, live);
});

test("I9: one damaged record takes no sound files with it: they are still listed, read and written", async (t) => {
  const { client } = await startBesideDamage(t);
  const listed: string[] = [];
  for await (const each of client.list("listed")) listed.push(each.path);
  assert.deepEqual(listed, ["listed/after.bin", "listed/before.bin", "listed/damaged.bin"]);
  for (const [name, content] of [
    ["listed/before.bin", "a valid record before the bad one"],
    ["listed/after.bin", "a valid record behind the bad one"],
    ["listed/damaged.bin", "newer"],
  ] as const) {
    assert.equal(Buffer.from((await client.read(name)).bytes).toString(), content);
    await client.write(name, Buffer.from("goes on"));
  }
});
