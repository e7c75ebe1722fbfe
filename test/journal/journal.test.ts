import assert from "node:assert/strict";
import { open, readdir, readFile, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { crc32c } from "@node-rs/crc32";
import { ulid } from "ulid";
import { FRAME_HEADER_BYTES, FrameType } from "../../services/journal/frame.js";
import { JournalCorruptError, JournalReader, readFrameAt } from "../../services/journal/reader.js";
import { type Appended, JournalWriter } from "../../services/journal/writer.js";
import type { IncarnationId } from "../../services/model/operation.js";
import { openFormat } from "../../services/protocol/format.js";
import { PosixVolume } from "../../services/volume/posix.js";
import { DurabilityError, type Handle, type Volume } from "../../services/volume/volume.js";
import { Cleanup } from "../cluster/cleanup.js";
import { tempVolume } from "../cluster/volume.js";

const LIMITS = {
  segmentBytesMax: 1024 * 1024,
  growBytes: 64 * 1024,
  reserveBytes: 16 * 1024,
  recordBytesMax: 512 * 1024,
};
/** For what must not happen here. */
const never = (error: unknown): never => assert.fail(String(error));

async function volumeFor(cleanup: Cleanup): Promise<{ volume: PosixVolume; root: string }> {
  const root = await tempVolume(cleanup);
  const volume = await PosixVolume.open(root, "local", never);
  cleanup.defer(() => volume.close());
  await openFormat(volume);
  return { volume, root };
}

const newIncarnation = (): IncarnationId => ulid() as IncarnationId;
const payload = (text: string): Buffer => Buffer.from(text);

async function readAll(volume: Volume, incarnation: IncarnationId): Promise<string[]> {
  const found: string[] = [];
  for await (const frames of new JournalReader(volume, incarnation, LIMITS.recordBytesMax, "strict").readOn())
    for (const { type, payload: bytes } of frames)
      if (type !== FrameType.end) found.push(Buffer.from(bytes).toString());
  return found;
}

const segmentFile = (root: string, { incarnation, segment }: Appended): string =>
  path.join(root, ".safefile/journal", incarnation, `${String(segment).padStart(8, "0")}.log`);

async function written(cleanup: Cleanup, texts: readonly string[]) {
  const { volume, root } = await volumeFor(cleanup);
  const incarnation = newIncarnation();
  const writer = await JournalWriter.open(volume, incarnation, LIMITS, never);
  const at: Appended[] = [];
  for (const text of texts) at.push(await writer.append(FrameType.operation, payload(text)));
  await writer.close();
  return { volume, root, incarnation, at };
}

test("what is appended is read back in order, each where it was said to be", async (t) => {
  const texts = Array.from({ length: 50 }, (_, at) => `record ${at} ${"x".repeat(at * 37)}`);
  const { volume, incarnation, at } = await written(Cleanup.of(t), texts);
  assert.deepEqual(await readAll(volume, incarnation), texts);
  for (const [n, position] of at.entries())
    assert.equal(
      Buffer.from((await readFrameAt(volume, position, LIMITS.recordBytesMax)).payload).toString(),
      texts[n],
    );
});

test("appends that wait together share a flush, and segments follow each other without a gap", async (t) => {
  const { volume } = await volumeFor(Cleanup.of(t));
  const incarnation = newIncarnation();
  let flushes = 0;
  const counting = withHandles(volume, (handle) => {
    const sync = handle.sync.bind(handle);
    handle.sync = () => {
      flushes += 1;
      return sync();
    };
  });
  const writer = await JournalWriter.open(counting, incarnation, LIMITS, never);
  const texts = Array.from({ length: 400 }, (_, at) => `${at} ${"y".repeat(10_000)}`);
  await Promise.all(texts.map((text) => writer.append(FrameType.operation, payload(text))));
  await writer.close();
  assert(flushes <= 3, `400 appends at once took ${flushes} flushes`);
  assert.deepEqual(await readAll(volume, incarnation), texts);
  const writerTwo = await JournalWriter.open(volume, newIncarnation(), LIMITS, never);
  const positions: Appended[] = [];
  for (let at = 0; at < 150; at++)
    positions.push(await writerTwo.append(FrameType.operation, payload(texts[at] as string)));
  await writerTwo.close();
  assert(positions.at(-1)?.segment === 2, "150 records of 10 kB need a second segment of 1 MiB");
  assert.deepEqual(await readAll(volume, (positions[0] as Appended).incarnation), texts.slice(0, 150));
});

test("a reader follows a journal that is being written", async (t) => {
  const { volume } = await volumeFor(Cleanup.of(t));
  const incarnation = newIncarnation();
  const writer = await JournalWriter.open(volume, incarnation, LIMITS, never);
  const reader = new JournalReader(volume, incarnation, LIMITS.recordBytesMax, "following");
  const found: string[] = [];
  const expected: string[] = [];
  for (let round = 0; round < 60; round++) {
    const text = `${round} ${"z".repeat(30_000)}`;
    expected.push(text);
    await writer.append(FrameType.operation, payload(text));
    for await (const frames of reader.readOn())
      found.push(...frames.map((frame) => Buffer.from(frame.payload).toString()));
    assert.deepEqual(found, expected);
  }
  await writer.close();
});

test("I9: a torn tail is dropped, wherever it is torn", async (t) => {
  const { volume, root, incarnation, at } = await written(Cleanup.of(t), ["one", "two", "three"]);
  const file = segmentFile(root, at[0] as Appended);
  const last = at[2] as Appended;
  for (let cut = last.offset + FRAME_HEADER_BYTES + 4; cut >= last.offset; cut -= 1) {
    await truncate(file, cut);
    assert.deepEqual(await readAll(volume, incarnation), ["one", "two"], `cut at ${cut}`);
  }
});

test("I9: a flipped bit or a zeroed sector before a valid record is corruption, never a shorter journal", async (t) => {
  const { volume, root, incarnation, at } = await written(Cleanup.of(t), ["one", "two", "three"]);
  const file = segmentFile(root, at[0] as Appended);
  const whole = await readFile(file);
  const [first, second, third] = at as [Appended, Appended, Appended];
  for (let byte = 0; byte < third.offset; byte++) {
    const damaged = Buffer.from(whole);
    damaged[byte] = (damaged[byte] as number) ^ 0x10;
    await writeFile(file, damaged);
    await assert.rejects(readAll(volume, incarnation), JournalCorruptError, `bit of byte ${byte}`);
  }
  const zeroed = Buffer.from(whole).fill(0, second.offset, third.offset);
  await writeFile(file, zeroed);
  await assert.rejects(readAll(volume, incarnation), JournalCorruptError);
  await assert.rejects(readFrameAt(volume, second, LIMITS.recordBytesMax), JournalCorruptError);
  assert.equal(Buffer.from((await readFrameAt(volume, first, LIMITS.recordBytesMax)).payload).toString(), "one");
});

test("I9: a segment cut on a record's boundary is noticed by what comes after it", async (t) => {
  const cleanup = Cleanup.of(t);
  const texts = Array.from({ length: 150 }, (_, at) => `${at} ${"y".repeat(10_000)}`);
  const { volume, root, incarnation, at } = await written(cleanup, texts);
  const lastOfFirst = at.findLast((position) => position.segment === 1) as Appended;
  await truncate(segmentFile(root, lastOfFirst), lastOfFirst.offset);
  await assert.rejects(readAll(volume, incarnation), JournalCorruptError);
});

test("frames of another incarnation never validate, though their checksum is right", async (t) => {
  const { volume, root, incarnation, at } = await written(Cleanup.of(t), ["one", "two"]);
  const other = await written(Cleanup.of(t), ["one", "two"]);
  const bytes = await readFile(segmentFile(other.root, other.at[0] as Appended));
  assert.equal(crc32c(bytes.subarray(4, (other.at[1] as Appended).offset)), bytes.readUInt32LE(0));
  await writeFile(segmentFile(root, at[0] as Appended), bytes);
  assert.deepEqual(await readAll(volume, incarnation), []);
});

test("I10: after a failed flush nothing more is acknowledged, though a later flush would succeed", async (t) => {
  const { volume } = await volumeFor(Cleanup.of(t));
  const failures: unknown[] = [];
  let failing = false;
  const flaky = withHandles(volume, (handle) => {
    const sync = handle.sync.bind(handle);
    handle.sync = () => (failing ? Promise.reject(new DurabilityError(new Error("EIO"))) : sync());
  });
  const writer = await JournalWriter.open(flaky, newIncarnation(), LIMITS, (error) => failures.push(error));
  await writer.append(FrameType.operation, payload("fine"));
  failing = true;
  await assert.rejects(writer.append(FrameType.operation, payload("lost")), DurabilityError);
  failing = false;
  await assert.rejects(writer.append(FrameType.operation, payload("after")), DurabilityError);
  assert.equal(failures.length, 1);
});

test("I11: a full volume refuses a group before a byte of it is written, and goes on when there is room again", async (t) => {
  const { volume } = await volumeFor(Cleanup.of(t));
  const incarnation = newIncarnation();
  let full = false;
  const filling = withHandles(volume, (handle) => {
    const write = handle.write.bind(handle);
    handle.write = (bytes, position) =>
      full ? Promise.reject(Object.assign(new Error("no space"), { code: "ENOSPC" })) : write(bytes, position);
  });
  const writer = await JournalWriter.open(filling, incarnation, LIMITS, never);
  await writer.append(FrameType.operation, payload("before"));
  full = true;
  await assert.rejects(writer.append(FrameType.operation, Buffer.alloc(100_000)), { code: "ENOSPC" });
  await assert.rejects(writer.append(FrameType.operation, Buffer.alloc(60_000)), { code: "ENOSPC" });
  await writer.append(FrameType.abort, payload("an abort, into the reserve"), "reserve");
  full = false;
  await writer.append(FrameType.operation, payload("after"));
  await writer.close();
  assert.deepEqual(await readAll(volume, incarnation), ["before", "an abort, into the reserve", "after"]);
});

test("a journal is never written again: the same incarnation cannot begin twice", async (t) => {
  const { volume, root, incarnation } = await written(Cleanup.of(t), ["one"]);
  await assert.rejects(JournalWriter.open(volume, incarnation, LIMITS, never), { code: "EEXIST" });
  assert.equal((await readdir(path.join(root, ".safefile/journal", incarnation))).length, 1);
  await using file = await open(path.join(root, ".safefile/journal", incarnation, "00000001.log"));
  assert((await file.stat()).size >= LIMITS.growBytes, "space is zeroed ahead");
});

/** The volume, with each created handle passed through `change` first. */
function withHandles(volume: Volume, change: (handle: Handle) => void): Volume {
  return new Proxy(volume, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== "function") return value;
      if (key !== "create") return value.bind(target);
      return async (...call: Parameters<Volume["create"]>) => {
        const handle = await target.create(...call);
        change(handle);
        return handle;
      };
    },
  });
}
