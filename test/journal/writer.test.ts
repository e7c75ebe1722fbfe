import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { ulid } from "ulid";
import { FrameType } from "../../services/journal/frame.js";
import { JournalReader } from "../../services/journal/reader.js";
import { JournalWriter } from "../../services/journal/writer.js";
import type { IncarnationId } from "../../services/model/operation.js";
import { openFormat } from "../../services/protocol/format.js";
import { PosixVolume } from "../../services/volume/posix.js";
import { DurabilityError, type Handle } from "../../services/volume/volume.js";
import { Cleanup } from "../cluster/cleanup.js";
import { tempVolume } from "../cluster/volume.js";
import { ioError, type Tamper, tampered } from "../regress/core.js";

const LIMITS = { segmentBytesMax: 64 * 1024, growBytes: 16 * 1024, reserveBytes: 1024, recordBytesMax: 32 * 1024 };

/** A journal on a volume that may be tampered with, and what it would have left for. */
async function open(t: TestContext, tamper: Tamper = {}) {
  const cleanup = Cleanup.of(t);
  const real = await PosixVolume.open(await tempVolume(cleanup), "local", assert.fail);
  cleanup.defer(() => real.close());
  await openFormat(real);
  const incarnation = ulid() as IncarnationId;
  const left: unknown[] = [];
  const writer = await JournalWriter.open(tampered(real, tamper), incarnation, LIMITS, (error) => left.push(error));
  cleanup.defer(() => writer.close());
  const texts = async (): Promise<string[]> => {
    const found: string[] = [];
    for await (const frames of new JournalReader(real, incarnation, LIMITS.recordBytesMax, "strict").readOn())
      for (const { type, payload } of frames) if (type !== FrameType.end) found.push(Buffer.from(payload).toString());
    return found;
  };
  const append = (text: string, space?: "reserve") =>
    writer.append(space ? FrameType.abort : FrameType.operation, Buffer.from(text), space);
  return { writer, left, texts, append };
}

test("a record that no reader would trust is refused, and the journal goes on", async (t) => {
  const { append, texts, left } = await open(t);
  await append("x".repeat(LIMITS.recordBytesMax)); // the largest
  await assert.rejects(append("x".repeat(LIMITS.recordBytesMax + 1)), RangeError);
  assert.equal((await append("after")).sequence, 2);
  assert.equal((await texts()).length, 2);
  assert.deepEqual(left, []);
});

test("the end of what is durable is where the next record goes, over all segments", async (t) => {
  const { append, writer } = await open(t);
  assert.deepEqual(writer.end, { sequence: 0, segment: 1, offset: 0, bytes: 0 });
  const sizes = [10, 30_000, 30_000, 20_000];
  let bytes = 0;
  let before = writer.end;
  for (const [at, size] of sizes.entries()) {
    const { sequence, segment, offset, bytesBefore } = await append("x".repeat(size));
    assert.deepEqual([sequence, bytesBefore], [at + 1, bytes]);
    assert.equal(offset, segment === before.segment ? before.offset : 0);
    bytes += 41 + size;
    before = writer.end;
    assert.deepEqual(before, { sequence, segment, offset: offset + 41 + size, bytes });
  }
  assert.equal(before.segment, 2);
});

test("a segment is filled to its last byte, and no further", async (t) => {
  const { append } = await open(t);
  const record = LIMITS.segmentBytesMax / 4 - 41;
  const segments: number[] = [];
  for (let n = 0; n < 5; n++) segments.push((await append("x".repeat(record))).segment);
  assert.deepEqual(segments, [1, 1, 1, 1, 2]);
});

test("records that wait together go into one segment, in their order", async (t) => {
  const { append, texts, writer } = await open(t);
  const places = await Promise.all(["one", "two", "three"].map((text) => append(text)));
  assert.deepEqual(
    places.map(({ offset, bytesBefore }) => [offset, bytesBefore]),
    [
      [0, 0],
      [44, 44],
      [88, 88],
    ],
  );
  assert.equal(writer.end.bytes, 88 + 46);
  assert.deepEqual(await texts(), ["one", "two", "three"]);
});

test("I10: a closed journal acknowledges nothing, and closing it twice is closing it", async (t) => {
  const { append, writer, texts, left } = await open(t);
  await append("one");
  await writer.close();
  await assert.rejects(append("two"), DurabilityError);
  await writer.close();
  assert.deepEqual(await texts(), ["one"]);
  assert.deepEqual(left, []);
});

test("I10: those that wait while a flush fails are refused too, an abort as well", async (t) => {
  const flushing = Promise.withResolvers<void>();
  const fail = Promise.withResolvers<void>();
  let writes = 0;
  const { append, left } = await open(t, {
    create: async (real, ...call): Promise<Handle> => {
      const handle = await real.create(...call);
      const writeAll = handle.writeAll.bind(handle);
      handle.writeAll = async (...bytes) => {
        writes += 1;
        flushing.resolve();
        await fail.promise;
        if (writes === 1) throw ioError("EIO");
        await writeAll(...bytes);
      };
      return handle;
    },
  });
  const first = append("one");
  await flushing.promise;
  const waiting = [append("two"), append("three", "reserve")];
  fail.resolve();
  for (const each of [first, ...waiting]) await assert.rejects(each, DurabilityError);
  await assert.rejects(append("four"), DurabilityError);
  assert.equal(writes, 1, "something was written after the failure");
  assert.equal(left.length, 1);
  assert.equal(((left[0] as Error).cause as NodeJS.ErrnoException).code, "EIO");
});

test("I10: a segment whose name is not durable takes no record", async (t) => {
  let isFailing = false;
  const { append, left, texts } = await open(t, {
    syncDirectory: async (real, name) => {
      if (isFailing) throw new DurabilityError(ioError("EIO"));
      await real.syncDirectory(name);
    },
  });
  const text = "x".repeat(30_000);
  for (let n = 0; n < 2; n++) await append(text);
  isFailing = true;
  await assert.rejects(append(text), DurabilityError);
  isFailing = false;
  await assert.rejects(append("after"), DurabilityError);
  assert.equal((await texts()).length, 2);
  assert.equal(left.length, 1);
});
