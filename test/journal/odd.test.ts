/** What a journal may meet besides its own records: foreign files, forged frames, gaps, no journal at all. */
import assert from "node:assert/strict";
import { open, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { ulid } from "ulid";
import { decodeFrame, encodeHeader, FrameType } from "../../services/journal/frame.js";
import { Journals } from "../../services/journal/journals.js";
import { JournalCorruptError, JournalReader } from "../../services/journal/reader.js";
import { type Appended, JournalWriter } from "../../services/journal/writer.js";
import { type IncarnationId, incarnationBytes, operationId } from "../../services/model/operation.js";
import type { OperationRecord } from "../../services/model/record.js";
import { openFormat } from "../../services/protocol/format.js";
import { PosixVolume } from "../../services/volume/posix.js";
import type { Volume } from "../../services/volume/volume.js";
import { Cleanup } from "../cluster/cleanup.js";
import { tempVolume } from "../cluster/volume.js";
import { ioError, type Tamper, tampered } from "../regress/core.js";

const LIMITS = {
  segmentBytesMax: 256 * 1024,
  growBytes: 64 * 1024,
  reserveBytes: 1024,
  recordBytesMax: 200 * 1024,
};

const recordOf = (incarnation: IncarnationId, sequence: number, sizeBytes = 10_000): OperationRecord => ({
  operation: operationId(incarnation, sequence),
  requestId: `r${sequence}`,
  requestSha256: new Uint8Array(sizeBytes),
  timeMs: sequence,
  changes: [],
  labels: {},
  traceId: "",
});

async function start(t: TestContext, tamper: Tamper = {}) {
  const cleanup = Cleanup.of(t);
  const root = await tempVolume(cleanup);
  const real = await PosixVolume.open(root, "local", assert.fail);
  cleanup.defer(() => real.close());
  await openFormat(real);
  const journalOf = async (volume: Volume) => {
    const incarnation = ulid() as IncarnationId;
    const writer = await JournalWriter.open(volume, incarnation, LIMITS, (error) => assert.fail(String(error)));
    cleanup.defer(() => writer.close());
    return { writer, journals: new Journals(volume, incarnation, writer, { ...LIMITS, recordsCachedBytesMax: 1 }) };
  };
  const theirs = await journalOf(real);
  const { journals: ours } = await journalOf(tampered(real, tamper));
  const directory = path.join(root, ".safefile/journal", theirs.journals.incarnation);
  const find = async (sequence: number) =>
    (await ours.find(operationId(theirs.journals.incarnation, sequence)))?.requestId;
  return { root, real, ours, theirs: theirs.journals, writer: theirs.writer, directory, find };
}

async function damage(directory: string, { segment, offset }: Appended): Promise<void> {
  const file = await open(path.join(directory, `${String(segment).padStart(8, "0")}.log`), "r+");
  await file.write(Buffer.alloc(100, 7), 0, 100, offset + 500);
  await file.close();
}

test("our own record is read back when it is not remembered any more", async (t) => {
  const { ours } = await start(t);
  for (const sequence of [1, 2, 3]) await ours.append(recordOf(ours.incarnation, sequence));
  for (const sequence of [3, 1, 2])
    assert.equal((await ours.find(operationId(ours.incarnation, sequence)))?.requestId, `r${sequence}`);
  assert.equal(await ours.find(operationId(ours.incarnation, 4)), undefined);
});

test("I9: the record of another operation is never taken for the one that is looked for", async (t) => {
  const { ours, theirs, find } = await start(t);
  await theirs.append(recordOf(ours.incarnation, 5));
  await assert.rejects(find(5), JournalCorruptError);
});

test("an incarnation without a journal has no records; foreign files beside segments are none", async (t) => {
  const { ours, theirs, directory, find } = await start(t);
  assert.equal(await ours.find(operationId(ulid() as IncarnationId, 1)), undefined);
  await theirs.append(recordOf(theirs.incarnation, 1));
  for (const name of ["00000009.log~", "9.log", "notes", "00000009.log.swp"])
    await writeFile(path.join(directory, name), "");
  assert.equal(await find(1), "r1");
});

test("I9: a volume whose journals are gone does not pass for one without history", async (t) => {
  const { ours, root } = await start(t);
  await rm(path.join(root, ".safefile/journal"), { recursive: true });
  await assert.rejects(ours.incarnations(), /the directory of the journals is gone/);
});

test("I9: a record of a type that only a newer version knows is refused", async (t) => {
  const { ours, theirs, writer } = await start(t);
  await theirs.append(recordOf(theirs.incarnation, 1));
  await writer.append(9 as FrameType, Buffer.from("what the future brings"));
  const found: string[] = [];
  await assert.rejects(async () => {
    for await (const scanned of ours.scan(theirs.incarnation)) found.push(scanned.type);
  }, /JournalCorruptError.*type 9/);
  assert.deepEqual(found, ["operation"]);
});

test("I9: a damaged record in the newest segment does not hide those after it, nor those still to come (was: none was found after the next segment began)", async (t) => {
  const { theirs, directory, find } = await start(t);
  const places: Appended[] = [];
  for (let at = 1; at <= 10; at++) places[at] = await theirs.append(recordOf(theirs.incarnation, at));
  assert.equal(await find(1), "r1");
  for (let at = 11; at <= 15; at++) places[at] = await theirs.append(recordOf(theirs.incarnation, at));
  await damage(directory, places[12] as Appended);
  const expected = (at: number) => (at === 12 ? undefined : `r${at}`);
  for (let at = 15; at >= 1; at--) assert.equal(await find(at), expected(at), `record ${at}`);
  for (let at = 16; at <= 60; at++) {
    await theirs.append(recordOf(theirs.incarnation, at));
    assert.equal(await find(at), `r${at}`);
  }
});

test("I9: damage to the last record of a segment, met when the next one begins, hides that record only (was: it hid all that came later)", async (t) => {
  const { theirs, directory, find } = await start(t);
  let last: Appended | undefined;
  let at = 0;
  for (; ; at++) {
    const place = await theirs.append(recordOf(theirs.incarnation, at + 1));
    if (place.segment === 2) break;
    if (at === 5) assert.equal(await find(1), "r1"); // follows the first segment from here on
    last = place;
  }
  await damage(directory, last as Appended);
  for (let sequence = at + 1; sequence >= 1; sequence--)
    assert.equal(await find(sequence), sequence === at ? undefined : `r${sequence}`, `record ${sequence}`);
  await theirs.append(recordOf(theirs.incarnation, at + 2));
  assert.equal(await find(at + 2), `r${at + 2}`);
});

test("an error of the volume while a journal is followed is said, and the next look finds the record", async (t) => {
  let isFailing = false;
  const { theirs, find } = await start(t, {
    openRead: async (real, name) => {
      if (isFailing) throw ioError("EIO");
      return await real.openRead(name);
    },
  });
  await theirs.append(recordOf(theirs.incarnation, 1));
  isFailing = true;
  await assert.rejects(find(1), { code: "EIO" });
  isFailing = false;
  assert.equal(await find(1), "r1");
});

test("I9: a damaged record that begins a segment does not take the segment with it", async (t) => {
  const { theirs, directory, find } = await start(t);
  const places: Appended[] = [];
  for (let at = 1; at <= 80; at++) places[at] = await theirs.append(recordOf(theirs.incarnation, at));
  const first = places.findIndex((place) => place?.segment === 2);
  assert(first > 0);
  await damage(directory, places[first] as Appended);
  for (let at = 80; at >= 1; at--) assert.equal(await find(at), at === first ? undefined : `r${at}`, `record ${at}`);
});

test("I9: a record that calls more durable than came before it is corruption", async (t) => {
  const { real, theirs, directory } = await start(t);
  const { incarnation } = theirs;
  const frames = [0, 2].map((durableSequence, at) => {
    const frame = { type: FrameType.abort, sequence: at + 1, durableSequence, payload: Buffer.from("x") };
    return Buffer.concat([encodeHeader(frame, incarnationBytes(incarnation)), frame.payload]);
  });
  await writeFile(path.join(directory, "00000001.log"), Buffer.concat(frames));
  const reader = new JournalReader(real, incarnation, LIMITS.recordBytesMax, "following");
  await assert.rejects(async () => {
    for await (const _ of reader.readOn());
  }, /sequence 2 was durable, but 1 is all there is/);
});

/** Frames as nobody writes them, in the first segment of a journal. */
async function forged(directory: string, incarnation: IncarnationId, frames: readonly Forged[]): Promise<void> {
  const bytes = frames.map(([sequence, durableSequence, text = "x"]) => {
    const frame = { type: FrameType.abort, sequence, durableSequence, payload: Buffer.from(text) };
    return Buffer.concat([encodeHeader(frame, incarnationBytes(incarnation)), frame.payload]);
  });
  await writeFile(path.join(directory, "00000001.log"), Buffer.concat(bytes));
}
type Forged = readonly [sequence: number, durableSequence: number, text?: string];

async function sequencesOf(reader: JournalReader): Promise<number[]> {
  const found: number[] = [];
  for await (const frames of reader.readOn()) found.push(...frames.map(({ sequence }) => sequence));
  return found;
}

test("I9: a sequence that is left out or comes again is corruption, at the place where it was due", async (t) => {
  const { real, theirs, directory } = await start(t);
  const { incarnation } = theirs;
  for (const wrong of [3, 1]) {
    await forged(directory, incarnation, [
      [1, 0],
      [wrong, 0],
    ]);
    const reader = new JournalReader(real, incarnation, LIMITS.recordBytesMax, "following");
    await assert.rejects(sequencesOf(reader), (error: JournalCorruptError) => {
      assert.deepEqual(error.at, { incarnation, segment: 1, offset: 42 });
      assert.match(error.message, new RegExp(`offset 42: sequence ${wrong} where 2 was due`));
      return true;
    });
  }
});

test("I9: a bad record is told from a torn one by what a later frame vouches for, whatever was read before", async (t) => {
  const { real, theirs, directory } = await start(t);
  const { incarnation } = theirs;
  const read = () => sequencesOf(new JournalReader(real, incarnation, LIMITS.recordBytesMax, "strict"));
  const flip = async (at: number): Promise<void> => {
    const file = await open(path.join(directory, "00000001.log"), "r+");
    await file.write(Buffer.from("y"), 0, 1, at);
    await file.close();
  };
  // The third frame vouches for one record only, so the second may be of the group that was never flushed.
  await forged(directory, incarnation, [
    [1, 0],
    [2, 1],
    [3, 1],
  ]);
  await flip(42 + 41);
  assert.deepEqual(await read(), [1]);
  await forged(directory, incarnation, [
    [1, 0],
    [2, 1],
    [3, 2],
  ]);
  await flip(42 + 41);
  await assert.rejects(read(), (error: JournalCorruptError) => {
    assert.deepEqual(error.at, { incarnation, segment: 1, offset: 42 });
    return true;
  });
  // The very first record, of which nothing is known but that somebody acknowledged it.
  await forged(directory, incarnation, [
    [1, 0],
    [2, 1],
  ]);
  await flip(41);
  await assert.rejects(read(), JournalCorruptError);
  // A frame as the payload of another one proves nothing of what comes behind it.
  await forged(directory, incarnation, [
    [1, 0],
    [2, 1],
  ]);
  assert.deepEqual(await read(), [1, 2]);
});

test("I9: a reader that follows says whether later records vouch for what it stopped at", async (t) => {
  const { real, theirs, directory } = await start(t);
  const { incarnation } = theirs;
  const reader = () => new JournalReader(real, incarnation, LIMITS.recordBytesMax, "following");
  await forged(directory, incarnation, [
    [1, 0],
    [2, 1],
    [3, 2],
  ]);
  const whole = reader();
  assert.deepEqual([await sequencesOf(whole), whole.isBlocked], [[1, 2, 3], false]);
  const file = await open(path.join(directory, "00000001.log"), "r+");
  await file.write(Buffer.from("y"), 0, 1, 42 + 41);
  const blocked = reader();
  assert.deepEqual([await sequencesOf(blocked), blocked.isBlocked], [[1], true]);
  // It comes after all: what was not to be seen yet on a network volume.
  await file.write(Buffer.from("x"), 0, 1, 42 + 41);
  await file.close();
  assert.deepEqual([await sequencesOf(blocked), blocked.isBlocked], [[2, 3], false]);
});

test("I9: a later record that vouches for nothing shows nobody what lies behind damage", async (t) => {
  const { real, theirs, directory } = await start(t);
  const { incarnation } = theirs;
  // The third is of the same group as the second, which may never have been flushed.
  await forged(directory, incarnation, [
    [1, 0],
    [2, 1],
    [3, 1],
  ]);
  const file = await open(path.join(directory, "00000001.log"), "r+");
  await file.write(Buffer.from("y"), 0, 1, 42 + 41);
  await file.close();
  for (const reading of ["following", "salvaging"] as const) {
    const reader = new JournalReader(real, incarnation, LIMITS.recordBytesMax, reading);
    assert.deepEqual([await sequencesOf(reader), reader.isBlocked], [[1], false], reading);
  }
});

test("a frame without a payload that ends where the bytes end is whole", () => {
  const id = incarnationBytes(ulid() as IncarnationId);
  const frame = { type: FrameType.end, sequence: 2, durableSequence: 1, payload: new Uint8Array() };
  const bytes = encodeHeader(frame, id);
  assert.partialDeepStrictEqual(decodeFrame(bytes, 0, id, 100), {
    type: FrameType.end,
    sequence: 2,
    durableSequence: 1,
  });
  assert.equal(decodeFrame(bytes.subarray(0, -1), 0, id, 100), "short");
  const large = { ...frame, payload: Buffer.alloc(101) };
  assert.equal(decodeFrame(Buffer.concat([encodeHeader(large, id), large.payload]), 0, id, 100), undefined);
});

test("a record larger than what is read at once is read all the same", async (t) => {
  const { real, theirs } = await start(t);
  const sizes = [100, 5_000, 100, 150_000, 100, 1_000];
  for (const [at, size] of sizes.entries()) await theirs.append(recordOf(theirs.incarnation, at + 1, size));
  for (const windowBytes of [128, 1024, 4096]) {
    const found: number[] = [];
    const reader = new JournalReader(real, theirs.incarnation, LIMITS.recordBytesMax, "following", { windowBytes });
    for await (const frames of reader.readOn()) found.push(...frames.map(({ sequence }) => sequence));
    assert.deepEqual(found, [1, 2, 3, 4, 5, 6], `${windowBytes} bytes at once`);
  }
});

test("I9: what ends a segment and the next one that begins, both between two looks, are read in order", async (t) => {
  const { real, theirs } = await start(t);
  let next = 1;
  const append = () => theirs.append(recordOf(theirs.incarnation, next++));
  await append();
  let isBusy = true;
  const busy = tampered(real, {
    stat: async (volume, name) => {
      // Just after the reader found the end of the first segment, and before it looks for a second one.
      if (isBusy && name.at.endsWith("00000002.log")) {
        isBusy = false;
        while ((await append()).segment === 1);
      }
      return await volume.stat(name);
    },
  });
  for (const reading of ["strict", "following"] as const) {
    isBusy = reading === "strict";
    const found: number[] = [];
    const reader = new JournalReader(busy, theirs.incarnation, LIMITS.recordBytesMax, reading);
    for await (const frames of reader.readOn()) found.push(...frames.map(({ sequence }) => sequence));
    assert.deepEqual(
      found,
      Array.from({ length: next - 1 }, (_, at) => at + 1),
      reading,
    );
  }
  assert(next > 20, "the first segment was not left");
});
