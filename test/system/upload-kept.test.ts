import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readFile, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { crc32c } from "@node-rs/crc32";
import { MutationOptionsSchema, PreconditionSchema } from "../../services/gen/safefile/v1/common_pb.js";
import { Cleanup } from "../cluster/cleanup.js";
import { Cluster } from "../crash/cluster.js";
import { type Header, keptFiles, received, UploadStream, until, uploadNames } from "./upload-stream.js";

const MIB = 1024 * 1024;
const BYTES = randomBytes(2 * MIB);
const SHA256 = createHash("sha256").update(BYTES).digest();
const SIZE = BigInt(BYTES.length);
const timeout = 120_000;

const options = (requestId: string, ifRevision?: number) => {
  const precondition =
    ifRevision === undefined ? undefined : create(PreconditionSchema, { ifRevision: BigInt(ifRevision) });
  return create(MutationOptionsSchema, { requestId, ...(precondition ? { precondition } : {}) });
};

/** What the files of one upload have in common. */
const keyOf = (file: string): string => path.basename(file).split(".")[0]!;

async function start(t: TestContext, config: Readonly<Record<string, unknown>> = {}) {
  const cleanup = Cleanup.of(t);
  const cluster = await Cluster.start(cleanup, 1, { incarnationDeadMs: 600_000, uploadSyncBytes: MIB, ...config });
  const { replica, client } = cluster.running[0]!;
  const { volume } = cluster;
  const stream = (header: Header = {}) =>
    new UploadStream(cleanup, replica.address, { path: "a.bin", uploadId: "mine", ...header });
  const isEmpty = () => until(async () => ((await uploadNames(volume)).length === 0 ? true : undefined));
  const broken = async (header: Header = {}) => {
    const before = new Set((await keptFiles(volume)).map(({ file }) => file));
    const cut = await stream({ sizeBytes: SIZE, ...header }).send(BYTES.subarray(0, MIB));
    // What is resumed is copied to a file of its own, and then the earlier one goes.
    await until(async () => {
      const kept = await keptFiles(volume);
      const made = kept.find(({ file, sizeBytes }) => sizeBytes >= MIB && !before.has(file));
      return made && kept.filter(({ file }) => keyOf(file) === keyOf(made.file)).length === 1 ? made : undefined;
    });
    await cut.cut();
  };
  return { cleanup, cluster, replica, client, volume, stream, isEmpty, broken };
}

test("I5: a repeat of an upload that was committed returns its outcome, though the bytes are gone", {
  timeout,
}, async (t) => {
  const { client, stream, isEmpty } = await start(t);
  const header = { options: options("once", 0), sizeBytes: SIZE };
  const first = await (await stream(header).send(BYTES)).end();
  assert.equal(first.code, "OK", first.message);
  await isEmpty();
  const operation = first.messages[0]?.result?.operationId;
  await client.write("b.txt", Buffer.from("so that Redis has heard of it or not"));
  for (const [what, offset] of [
    ["all of it", 0],
    ["the end of it", MIB],
    ["nothing of it", BYTES.length],
  ] as const) {
    const repeat = stream(header);
    if (offset < BYTES.length) await repeat.send(BYTES.subarray(offset), offset);
    const { code, message, messages } = await repeat.end();
    assert.equal(code, "OK", `${what}: ${message}`);
    assert.deepEqual([messages[0]?.result?.replayed, messages[0]?.result?.operationId], [true, operation], what);
    await isEmpty();
  }
  for (const [what, other] of [
    ["mode", { mode: 0o600 }],
    ["size", { sizeBytes: SIZE + 1n }],
    ["sha256", { sha256: Buffer.alloc(32, 1) }],
    ["precondition", { options: options("once", 1) }],
  ] as const) {
    const { code, info } = await stream({ ...header, ...other }).end();
    assert.deepEqual([code, info?.reason], ["INVALID_ARGUMENT", "REQUEST_ID_REUSED"], what);
  }
  assert.equal((await client.stat("a.bin")).revision, 1n);
});

test("a refused precondition and validate_only keep the bytes for the next try", { timeout }, async (t) => {
  const { client, volume, stream, isEmpty } = await start(t);
  const refused = await (await stream({ options: options("first", 5) }).send(BYTES)).end();
  assert.deepEqual([refused.code, refused.info?.reason], ["ABORTED", "PRECONDITION_FAILED"]);
  const only = create(MutationOptionsSchema, { validateOnly: true });
  const validated = await stream({ sizeBytes: SIZE, options: only }).end();
  assert.equal(validated.messages[0]?.result?.validatedOnly, true, validated.message);
  await assert.rejects(client.stat("a.bin"));
  const done = await stream({ sizeBytes: SIZE, sha256: SHA256, options: options("second", 0) }).end();
  assert.equal(done.code, "OK", done.message);
  assert.ok((await readFile(path.join(volume, "a.bin"))).equals(BYTES));
  await isEmpty();
  const exists = await (await stream({ options: options("third", 0) }).send(BYTES)).end();
  assert.deepEqual([exists.code, exists.info?.reason], ["ALREADY_EXISTS", "ALREADY_EXISTS"]);
  assert.equal((await keptFiles(volume)).length, 1);
});

test("a bad chunk leaves what came before it, a wrong digest or size of the whole leaves nothing", {
  timeout,
}, async (t) => {
  const { client, volume, stream, isEmpty, broken } = await start(t);
  await broken();
  const damaged = Buffer.from(BYTES.subarray(MIB));
  damaged[7]! ^= 1;
  const bad = stream();
  bad.sendChunk({
    data: damaged.subarray(0, 1_000),
    offset: BigInt(MIB),
    crc32c: crc32c(BYTES.subarray(MIB, MIB + 1_000)),
  });
  const { info, fields } = await bad.answer;
  assert.deepEqual([info?.reason, fields], ["CHECKSUM_MISMATCH", ["chunk.crc32c"]]);
  assert.equal((await received(volume, MIB)).sizeBytes, MIB);

  for (const [field, header] of [
    ["header.sha256", { sha256: SHA256 }],
    ["header.size_bytes", { sizeBytes: SIZE - 1n }],
  ] as const) {
    await broken();
    const wrong = await (await stream(header).send(damaged, MIB)).end();
    assert.deepEqual([wrong.code, wrong.fields], ["INVALID_ARGUMENT", [field]]);
    await isEmpty();
  }
  await assert.rejects(client.stat("a.bin"));
});

test("I14: unfinished uploads are counted, and go when nobody came back for them; a younger one never does", {
  timeout,
}, async (t) => {
  const { volume, stream, broken, isEmpty } = await start(t, {
    uploadsKeptMax: 2,
    uploadCleanMs: 50,
    uploadKeepMs: 60_000,
  });
  const uploads = path.join(volume, ".safefile/uploads");
  await broken({ uploadId: "one" });
  const [one] = await keptFiles(volume);
  const two = await stream({ uploadId: "two" }).send(BYTES.subarray(0, MIB));
  await until(async () => ((await keptFiles(volume)).length === 2 ? true : undefined));
  const third = await stream({ uploadId: "three" }).send(BYTES);
  const { code, info } = await third.end();
  assert.deepEqual([code, info?.reason], ["RESOURCE_EXHAUSTED", "LIMIT_EXCEEDED"]);
  await broken({ uploadId: "one" }); // resuming makes none more

  // What crashes leave: a state without its bytes, and the draft of one.
  const orphan = path.join(uploads, "r-0000000000000000000000000000000000000000.1.01JZZZZZZZZZZZZZZZZZZZZZZZ.1.state");
  for (const name of [orphan, `${orphan}.new`]) await writeFile(name, "{}");
  const [kept] = (await keptFiles(volume)).filter(({ file }) => keyOf(file) === keyOf(one!.file));
  const age = async (name: string) => utimes(name, Date.now() / 1000 - 61, Date.now() / 1000 - 61);
  for (const name of [orphan, `${orphan}.new`, kept!.file, kept!.state]) await age(name);
  await until(async () => ((await uploadNames(volume)).length === 2 ? true : undefined));
  const young = (await keptFiles(volume))[0]!;
  // The state of a slow upload may be old; its bytes are not.
  await age(young.state);
  const again = await stream({ uploadId: "three" }).send(BYTES);
  assert.equal((await again.end()).code, "OK");
  await two.send(BYTES.subarray(MIB), MIB);
  assert.equal((await two.end()).code, "OK");
  await isEmpty();
});

test("I14: 600 MiB pass through bounded memory, and again when they are resumed", { timeout }, async (t) => {
  const { replica, volume, stream, isEmpty } = await start(t);
  const total = 600 * MIB;
  const part = randomBytes(4 * MIB);
  const rssBytes = async () => {
    const [, kib] = /^VmHWM:\s+(\d+) kB/m.exec(await readFile(`/proc/${replica.pid}/status`, "utf8"))!;
    return Number(kib) * 1024;
  };
  const send = async (each: UploadStream, from: number, to: number) => {
    for (let at = from; at < to; at += part.length) await each.send(part, at);
  };
  // What a first upload loads and compiles is no part of it.
  await (await stream({ path: "first.bin" }).send(BYTES)).end();
  const before = await rssBytes();
  const first = stream({ sizeBytes: BigInt(total) });
  await send(first, 0, total - 20 * MIB);
  await received(volume, total - 20 * MIB);
  await first.cut();
  const next = stream({ sizeBytes: BigInt(total) });
  await send(next, total - 20 * MIB, total);
  const { code, message } = await next.end();
  assert.equal(code, "OK", message);
  const grownBytes = (await rssBytes()) - before;
  t.diagnostic(`peak of resident memory grew by ${Math.round(grownBytes / MIB)} MiB`);
  // Garbage among the buffers is collected when they have made the heap twice as large.
  assert.ok(grownBytes < 192 * MIB, `grew by ${grownBytes} bytes`);
  await isEmpty();
});
