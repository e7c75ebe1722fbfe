import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { Cleanup } from "../cluster/cleanup.js";
import { Cluster } from "../crash/cluster.js";
import { type Header, keptFiles, received, UploadStream, until, uploadNames } from "./upload-stream.js";

const MIB = 1024 * 1024;
const BYTES = randomBytes(5 * MIB);
const HALF = 3 * MIB;
const NAME = { path: "dir/large.bin", uploadId: "mine" };
/** A client that is cancelled ends its requests first, so nothing but the size tells that from an end. */
const SIZE = { sizeBytes: BigInt(BYTES.length) };
const UNSIZED = { sizeBytes: undefined as never };
const timeout = 120_000;

async function start(t: TestContext, replicas = 1, config: Readonly<Record<string, unknown>> = {}) {
  const cleanup = Cleanup.of(t);
  // Flushed often, so that little needs to be sent; nobody but a process proven dead is ended.
  const cluster = await Cluster.start(cleanup, replicas, {
    uploadSyncBytes: MIB,
    incarnationDeadMs: 600_000,
    ...config,
  });
  const { volume } = cluster;
  const stream = (at: number, header: Header = {}) =>
    new UploadStream(cleanup, cluster.running[at]!.replica.address, { ...NAME, ...SIZE, ...header });
  /** A stream that was cut after the server had `HALF`. */
  const broken = async (at = 0, header: Header = {}) => {
    const first = await stream(at, header).send(BYTES.subarray(0, HALF));
    await received(volume, HALF);
    await first.cut();
    return first;
  };
  const live = () => readFile(path.join(volume, NAME.path)).catch(() => undefined);
  const isPublished = async () => {
    assert.ok((await live())?.equals(BYTES), "the published bytes are those sent");
    // The call is answered before its stream puts down what it held; nothing of it may stay.
    await until(async () => ((await uploadNames(volume)).length === 0 ? true : undefined));
  };
  return { cleanup, cluster, volume, stream, broken, live, isPublished };
}

/** Where the server says that a stream should go on from. */
async function heldBytes(stream: UploadStream): Promise<number> {
  await stream.send(Buffer.from("x"), 2 ** 50);
  const { code, info, fields } = await stream.answer;
  assert.deepEqual([code, info?.reason, fields], ["INVALID_ARGUMENT", "ARGUMENT_INVALID", ["chunk.offset"]]);
  return Number(info?.metadata.upload_offset);
}

async function commits(answer: UploadStream["answer"], replayed = false): Promise<void> {
  const { code, message, messages } = await answer;
  assert.equal(code, "OK", message);
  assert.equal(messages[0]?.result?.replayed, replayed);
}

test("an upload whose client went away goes on from where it was, and leaves nothing behind", {
  timeout,
}, async (t) => {
  const { stream, broken, live, isPublished } = await start(t);
  await broken();
  assert.equal(await live(), undefined);
  assert.equal(await heldBytes(stream(0)), HALF);
  const sha256 = createHash("sha256").update(BYTES).digest();
  const next = stream(0, { sizeBytes: BigInt(BYTES.length), sha256 });
  await next.send(BYTES.subarray(HALF), HALF);
  await commits(next.end());
  await isPublished();
  assert.equal(await heldBytes(stream(0)), 0);
});

for (const ends of ["kill", "stop"] as const) {
  test(`an upload goes on through another replica when the first gets ${ends === "kill" ? "SIGKILL" : "SIGTERM"}`, {
    timeout,
  }, async (t) => {
    const { cluster, volume, stream, isPublished } = await start(t, 2);
    const first = await stream(0).send(BYTES.subarray(0, HALF));
    await received(volume, HALF);
    const ended = cluster.running[0]!.replica[ends]();
    const { code, info } = await first.answer;
    assert.equal(code, "UNAVAILABLE");
    // Told at once, while there is time to go elsewhere.
    if (ends === "stop") assert.equal(info?.reason, "REPLICA_DRAINING");
    await ended;
    // The survivor has ended the dead one when its mark is gone; the bytes must outlive that, too.
    const marks = path.join(volume, ".safefile/incarnations");
    if (ends === "kill") await until(async () => ((await readdir(marks)).length === 1 ? true : undefined));
    const held = await heldBytes(stream(1));
    assert.equal(held, HALF);
    const next = await stream(1).send(BYTES.subarray(held), held);
    await commits(next.end());
    await isPublished();
  });
}

test("what overlaps is compared and skipped; what differs, leaves a gap or ends early is refused", {
  timeout,
}, async (t) => {
  const { stream, broken, live, isPublished } = await start(t);
  await broken();
  const changed = Buffer.from(BYTES);
  changed[HALF - 1]! ^= 1;
  const different = stream(0);
  await different.send(changed, 0);
  const { code, info, fields } = await different.end();
  assert.deepEqual([code, info?.reason, fields], ["INVALID_ARGUMENT", "CHECKSUM_MISMATCH", ["chunk.data"]]);
  assert.equal(await heldBytes(stream(0)), HALF, "what was held stays");

  const short = await stream(0, UNSIZED).send(BYTES.subarray(0, MIB));
  assert.equal((await short.end()).info?.metadata.upload_offset, String(HALF), "a shorter file is not the longer one");

  const early = stream(0, { sizeBytes: BigInt(BYTES.length) });
  const ended = await early.end();
  assert.deepEqual([ended.code, ended.info?.reason], ["INVALID_ARGUMENT", "CHECKSUM_MISMATCH"]);
  assert.equal(ended.info?.metadata.upload_offset, String(HALF));
  const unsized = await stream(0, UNSIZED).end();
  assert.deepEqual([unsized.code, unsized.info?.metadata.upload_offset], ["INVALID_ARGUMENT", String(HALF)]);
  assert.equal(await live(), undefined);

  const next = await stream(0).send(BYTES.subarray(MIB + 5), MIB + 5);
  await commits(next.end());
  await isPublished();
});

test("I6: a stream that is cancelled before its size_bytes is never taken for one that has ended", {
  timeout,
}, async (t) => {
  const { cluster, volume, stream } = await start(t);
  // Below and above what is kept in memory, all at once.
  const cut = Array.from({ length: 60 }, async (_, at) => {
    const sizeBytes = at % 2 ? 1_000 : 300_000;
    const uploadId = at % 4 < 2 ? "" : `round-${at}`;
    const before = await stream(0, { path: `${at}.bin`, uploadId }).send(BYTES.subarray(0, sizeBytes));
    return { before, name: `${at}.bin` };
  });
  const streams = await Promise.all(cut);
  await until(async () => ((await uploadNames(volume)).length >= 45 ? true : undefined));
  const whole = async () => (await keptFiles(volume)).filter(({ sizeBytes }) => sizeBytes === 300_000).length;
  await until(async () => ((await whole()) === 15 ? true : undefined));
  await Promise.all(streams.map(({ before }) => before.cut()));
  const { client } = cluster.running[0]!;
  // An upload that comes after them is through only once they are.
  await client.upload("last.bin", BYTES);
  await until(async () => ((await uploadNames(volume)).length === 30 ? true : undefined));
  const found = (await readdir(volume)).sort();
  assert.deepEqual(found, [".safefile", "last.bin"]);
  assert.deepEqual(
    (await keptFiles(volume)).map(({ sizeBytes }) => sizeBytes),
    Array(15).fill(300_000),
  );
});

test("a stream that is cut keeps what it had, however often", { timeout }, async (t) => {
  const { volume, stream, isPublished } = await start(t);
  // Taken for the end, it would be handed to the stages, which end its bytes when they find the caller gone.
  for (let held = 0; held < BYTES.length; held += MIB / 4) {
    const next = await stream(0).send(BYTES.subarray(held, held + MIB / 4), held);
    await received(volume, held + MIB / 4);
    await next.cut();
    assert.equal(await heldBytes(stream(0)), held + MIB / 4);
  }
  await commits(stream(0, { sizeBytes: BigInt(BYTES.length) }).end());
  await isPublished();
});

test("an upload that is complete is committed without a chunk", { timeout }, async (t) => {
  const { volume, stream, isPublished } = await start(t);
  const first = await stream(0).send(BYTES);
  await received(volume, BYTES.length);
  await first.cut();
  await commits(stream(0, { sizeBytes: BigInt(BYTES.length) }).end());
  await isPublished();
});

test("of two streams with one upload_id one commits and the other is told", { timeout }, async (t) => {
  const { stream, isPublished } = await start(t, 2);
  for (let round = 0; round < 5; round++) {
    const both = [0, 1].map((at) => stream(at, { options: { requestId: `round-${round}-${at}` } as never }));
    const answers = await Promise.all(
      both.map(async (each) => {
        await each.send(BYTES);
        return each.end();
      }),
    );
    const refused = answers.filter(({ code }) => code !== "OK");
    // One after the other, both commit: then the first was through before the second began to be kept.
    assert.ok(refused.length <= 1, JSON.stringify(answers.map(({ code, message }) => [code, message])));
    for (const { code, info, message } of refused) {
      assert.deepEqual([code, info?.reason, info?.metadata.upload_id], ["ABORTED", "LOCK_FENCED", "mine"], message);
    }
    await isPublished();
  }
});

test("I3: a replica that was paused in an upload changes nothing once another has committed it", {
  timeout,
}, async (t) => {
  const { cluster, volume, stream, live, isPublished } = await start(t, 2);
  const zombie = stream(0);
  await zombie.send(BYTES.subarray(0, HALF));
  await received(volume, HALF);
  const { replica } = cluster.running[0]!;
  replica.signal("SIGSTOP");
  // On its way to the paused replica: it will write these when it wakes.
  const late = zombie.send(Buffer.alloc(2 * MIB, 0xee), HALF).then(() => zombie.end());
  const held = await heldBytes(stream(1));
  assert.equal(held, HALF);
  const next = await stream(1).send(BYTES.subarray(held), held);
  // Before the commit as well as after it the two must not share a file.
  await received(volume, BYTES.length);
  await commits(next.end());
  assert.ok((await live())?.equals(BYTES));
  replica.signal("SIGCONT");
  const { code, info, message } = await late;
  assert.deepEqual([code, info?.reason], ["ABORTED", "LOCK_FENCED"], message);
  await isPublished();
});

test("I3: nor while the other is still receiving", { timeout }, async (t) => {
  const { cluster, volume, stream, isPublished } = await start(t, 2);
  const zombie = stream(0);
  await zombie.send(BYTES.subarray(0, HALF));
  await received(volume, HALF);
  const { replica } = cluster.running[0]!;
  replica.signal("SIGSTOP");
  const late = zombie.send(Buffer.alloc(2 * MIB, 0xee), HALF).then(() => zombie.end());
  const next = await stream(1).send(BYTES.subarray(HALF, 4 * MIB), HALF);
  await received(volume, 4 * MIB);
  replica.signal("SIGCONT");
  const { code, info, message } = await late;
  assert.deepEqual([code, info?.reason], ["ABORTED", "LOCK_FENCED"], message);
  await next.send(BYTES.subarray(4 * MIB), 4 * MIB);
  await commits(next.end());
  await isPublished();
});

test("I1: after a start of the host only flushed bytes are believed, and none by a state that is torn", {
  timeout,
}, async (t) => {
  const { cluster, volume, stream, isPublished } = await start(t, 1, { uploadSyncBytes: 2 * MIB });
  const unfinished = await stream(0).send(BYTES.subarray(0, HALF));
  const { state } = await received(volume, HALF);
  // It is flushed beside what is received.
  const flushed = async () => JSON.parse((await readFile(state, "utf8").catch(() => "")) || "{}").syncedBytes ?? 0;
  await until(async () => ((await flushed()) >= 2 * MIB ? true : undefined));
  await cluster.running[0]!.replica.kill();
  await unfinished.answer;
  await cluster.add(0);
  const { bootId, syncedBytes } = JSON.parse(await readFile(state, "utf8"));
  assert.ok(syncedBytes >= 2 * MIB && syncedBytes < HALF);
  assert.equal(await heldBytes(stream(0)), HALF);
  await writeFile(state, JSON.stringify({ bootId: "another", syncedBytes }));
  assert.equal(await heldBytes(stream(0)), syncedBytes);
  for (const torn of ["", JSON.stringify({ bootId, syncedBytes }).slice(0, -2), "\0".repeat(60)]) {
    await writeFile(state, torn);
    assert.equal(await heldBytes(stream(0)), 0);
  }
  await rm(state);
  assert.equal(await heldBytes(stream(0)), 0);
  // Bytes that the disk lost must not come back: the rest of the file is made of others.
  await writeFile(state, JSON.stringify({ bootId: "another", syncedBytes }));
  const [kept] = await keptFiles(volume);
  const lost = await readFile(kept!.file);
  await writeFile(kept!.file, Buffer.concat([lost.subarray(0, syncedBytes), Buffer.alloc(HALF - syncedBytes)]));
  const next = await stream(0).send(BYTES.subarray(syncedBytes), syncedBytes);
  await commits(next.end());
  await isPublished();
});

test("on a network volume another replica believes what was flushed, and an orderly break flushes all", {
  timeout,
}, async (t) => {
  const { cluster, volume, stream, broken, isPublished } = await start(t, 2, {
    volumeKind: "network",
    uploadSyncBytes: 2 * MIB,
    baseSettleMs: 0,
  });
  const unfinished = await stream(0).send(BYTES.subarray(0, HALF));
  await received(volume, HALF);
  assert.ok((await heldBytes(stream(1))) < HALF);
  await unfinished.cut();
  await until(async () => ((await heldBytes(stream(1))) === HALF ? true : undefined));
  await cluster.running[0]!.replica.kill();
  await broken(1);
  const next = await stream(1).send(BYTES.subarray(HALF), HALF);
  await commits(next.end());
  await isPublished();
});
