import assert from "node:assert/strict";
import { open, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { ulid } from "ulid";
import { FRAME_HEADER_BYTES, FrameType } from "../../services/journal/frame.js";
import { Journals, type Scanned } from "../../services/journal/journals.js";
import { JournalCorruptError } from "../../services/journal/reader.js";
import { type Appended, JournalWriter } from "../../services/journal/writer.js";
import { type IncarnationId, operationId } from "../../services/model/operation.js";
import type { OperationRecord } from "../../services/model/record.js";
import { openFormat } from "../../services/protocol/format.js";
import { PosixVolume } from "../../services/volume/posix.js";
import { Cleanup } from "../cluster/cleanup.js";
import { tempVolume } from "../cluster/volume.js";
import { ioError, tampered } from "../regress/core.js";
import { sampleRecord } from "./sample.js";

const LIMITS = {
  segmentBytesMax: 64 * 1024,
  growBytes: 16 * 1024,
  reserveBytes: 4 * 1024,
  recordBytesMax: 32 * 1024,
};
const CACHED_BYTES_MAX = 20_000;

const recordOf = (incarnation: IncarnationId, sequence: number, sizeBytes = 10): OperationRecord =>
  sampleRecord(operationId(incarnation, sequence), `r${sequence}`, sizeBytes);

/** Two incarnations of one volume; `reads` counts the files that the second one opens. */
async function start(t: TestContext) {
  const cleanup = Cleanup.of(t);
  const root = await tempVolume(cleanup);
  const real = await PosixVolume.open(root, "local", assert.fail);
  cleanup.defer(() => real.close());
  await openFormat(real);
  const reads = { count: 0, failure: undefined as Error | undefined };
  const counting = tampered(real, {
    openRead: (volume, name) => {
      reads.count += 1;
      if (reads.failure) throw reads.failure;
      return volume.openRead(name);
    },
    readPiece: (volume, ...piece) => {
      reads.count += 1;
      if (reads.failure) throw reads.failure;
      return volume.readPiece(...piece);
    },
  });
  const journalsOf = async (volume: typeof counting) => {
    const incarnation = ulid() as IncarnationId;
    const writer = await JournalWriter.open(volume, incarnation, LIMITS, (error) => assert.fail(String(error)));
    cleanup.defer(() => writer.close());
    const journals = new Journals(volume, incarnation, writer, { ...LIMITS, recordsCachedBytesMax: CACHED_BYTES_MAX });
    return { incarnation, writer, journals };
  };
  const [theirs, ours] = [await journalsOf(real), await journalsOf(counting)];
  const fileOf = (segment: number): string =>
    path.join(root, ".safefile/journal", theirs.incarnation, `${String(segment).padStart(8, "0")}.log`);
  return { root, reads, theirs, ours, fileOf };
}

async function all(scan: AsyncGenerator<Scanned>): Promise<Scanned[]> {
  const found: Scanned[] = [];
  for await (const each of scan) found.push(each);
  return found;
}

const textOf = (scanned: readonly Scanned[]): string =>
  scanned.map((each) => (each.type === "operation" ? each.record.requestId : `abort ${each.operation}`)).join(" ");

const markAfter = ({ sequence, segment, offset }: Appended, payloadBytes: number) => ({
  sequence,
  segment,
  offset: offset + FRAME_HEADER_BYTES + payloadBytes,
});

test("what was appended is found; what was not, is not", async (t) => {
  const { ours, theirs } = await start(t);
  const record = recordOf(ours.incarnation, 5);
  await ours.journals.append(record);
  assert.deepEqual(await ours.journals.find(record.operation), record);
  assert.equal(await ours.journals.find(operationId(ours.incarnation, 4)), undefined);
  assert.equal(await theirs.journals.find(operationId(ours.incarnation, 4)), undefined);
  assert.deepEqual((await theirs.journals.find(record.operation))?.requestId, "r5");
  assert.equal(await ours.journals.find(operationId(ulid() as IncarnationId, 1)), undefined);
});

test("I14: records are kept decoded up to so many bytes, those longest not asked for go first", async (t) => {
  const { ours, reads } = await start(t);
  const records = [1, 2, 3].map((sequence) => recordOf(ours.incarnation, sequence, 7_000));
  const findReads = async (at: number): Promise<number> => {
    const before = reads.count;
    assert.equal((await ours.journals.find((records[at] as OperationRecord).operation))?.requestId, `r${at + 1}`);
    return reads.count - before;
  };
  await ours.journals.append(records[0] as OperationRecord);
  await ours.journals.append(records[1] as OperationRecord);
  assert.deepEqual([await findReads(1), await findReads(0)], [0, 0]);
  await ours.journals.append(records[2] as OperationRecord);
  assert.deepEqual([await findReads(2), await findReads(0), await findReads(1), await findReads(1)], [0, 0, 1, 0]);
  // What has no bytes of its own is not free either.
  for (let sequence = 10; sequence < 60; sequence++)
    await ours.journals.append(recordOf(ours.incarnation, sequence, 0));
  assert.equal(await findReads(1), 1);
});

test("I9: a record that names another operation than it was looked for is corrupt", async (t) => {
  const { ours, theirs } = await start(t);
  await ours.journals.append(recordOf(theirs.incarnation, 7));
  await assert.rejects(ours.journals.find(operationId(ours.incarnation, 7)), JournalCorruptError);
});

test("aborts of others' operations are named until they are over, ours are not", async (t) => {
  const { ours, theirs } = await start(t);
  const [one, two] = [operationId(theirs.incarnation, 1), operationId(theirs.incarnation, 2)];
  const own = operationId(ours.incarnation, 1);
  for (const operation of [one, own, two]) await ours.journals.abort(operation, "a test");
  assert.deepEqual(ours.journals.foreignAborts, [one, two]);
  assert.equal(textOf(await all(theirs.journals.scan(ours.incarnation))), `abort ${one} abort ${own} abort ${two}`);
  ours.journals.forgetAborts((operation) => operation === one);
  assert.deepEqual(ours.journals.foreignAborts, [two]);
});

test("an abort is named before it is durable: a checkpoint may leave its record behind", async (t) => {
  const { ours, theirs } = await start(t);
  const operation = operationId(theirs.incarnation, 1);
  const durable = ours.journals.abort(operation, "a test");
  assert.deepEqual(ours.journals.foreignAborts, [operation]);
  await durable;
});

test("a scan says what each record is and where reading goes on; from a checkpoint, only what came after", async (t) => {
  const { ours, theirs } = await start(t);
  const places: Appended[] = [];
  for (let sequence = 1; sequence <= 3; sequence++)
    places.push(await theirs.journals.append(recordOf(theirs.incarnation, sequence)));
  const stopped = operationId(theirs.incarnation, 9);
  await theirs.journals.abort(stopped, "a test");
  await theirs.writer.close();
  const scanned = await all(ours.journals.scan(theirs.incarnation));
  assert.equal(textOf(scanned), `r1 r2 r3 abort ${stopped}`);
  assert.deepEqual(
    scanned.map(({ sequence }) => sequence),
    [1, 2, 3, 4],
  );
  const [first, second] = places as [Appended, Appended];
  assert.deepEqual(scanned[0]?.next, markAfter(first, second.offset - FRAME_HEADER_BYTES));
  for (const { next } of scanned.slice(0, 2)) {
    const after = { at: next, isFinal: false, foreignAborts: [] };
    const rest = await all(ours.journals.scan(theirs.incarnation, after));
    assert.equal(rest[0]?.sequence, next.sequence + 1);
    assert.equal(rest.length, 4 - next.sequence);
  }
});

test("I9: behind a final checkpoint damage is nothing; behind another one it is", async (t) => {
  const { ours, theirs, fileOf } = await start(t);
  for (let sequence = 1; sequence <= 3; sequence++)
    await theirs.journals.append(recordOf(theirs.incarnation, sequence));
  const [first, second] = await all(ours.journals.scan(theirs.incarnation));
  await theirs.writer.close();
  const bytes = await readFile(fileOf(1));
  bytes[(first?.next.offset ?? 0) + 60]! ^= 1;
  await writeFile(fileOf(1), bytes);
  const scan = (isFinal: boolean, from = first) =>
    all(ours.journals.scan(theirs.incarnation, { at: from?.next as Scanned["next"], isFinal, foreignAborts: [] }));
  await assert.rejects(scan(false), JournalCorruptError);
  assert.equal(textOf(await scan(true)), "");
  assert.equal(textOf(await scan(true, second)), "r3");
});

test("a scan since a record reads from its segment on, or from the one before when the start is damaged", async (t) => {
  const { ours, theirs, fileOf, reads } = await start(t);
  const places: Appended[] = [];
  await writeFile(path.join(path.dirname(fileOf(1)), "notes"), "no segment");
  for (let sequence = 1; sequence <= 24; sequence++)
    places.push(await theirs.journals.append(recordOf(theirs.incarnation, sequence, 10_000)));
  const firstOf = (segment: number): number => places.findIndex((place) => place.segment === segment) + 1;
  assert(firstOf(4) > 0, "four segments");
  const since = async (sequence: number): Promise<[number | undefined, number | undefined]> => {
    const scanned = await all(ours.journals.scanSince(theirs.incarnation, sequence));
    return [scanned[0]?.sequence, scanned.at(-1)?.sequence];
  };
  assert.deepEqual(await since(0), [1, 24]);
  assert.deepEqual(await since(1), [1, 24]);
  assert.deepEqual(await since(firstOf(2)), [firstOf(2), 24]);
  assert.deepEqual(await since(firstOf(3) - 1), [firstOf(2), 24]);
  assert.deepEqual(await since(firstOf(3)), [firstOf(3), 24]);
  assert.deepEqual(await since(1_000), [firstOf(4), 24]);
  assert.deepEqual(await all(ours.journals.scanSince(ulid() as IncarnationId, 1)), []);
  reads.failure = ioError("EIO");
  await assert.rejects(since(firstOf(3)), { code: "EIO" });
  reads.failure = undefined;
  const file = await open(fileOf(3), "r+");
  await file.write(Buffer.alloc(10), 0, 10, 5);
  await file.close();
  await assert.rejects(since(firstOf(3)), JournalCorruptError);
  assert.deepEqual(await since(firstOf(4)), [firstOf(4), 24]);
});

test("what a scan has met is found without reading the journal again", async (t) => {
  const { ours, theirs, reads } = await start(t);
  for (let sequence = 1; sequence <= 20; sequence++)
    await theirs.journals.append(recordOf(theirs.incarnation, sequence, 7_000));
  await all(ours.journals.scan(theirs.incarnation));
  const before = reads.count;
  assert.equal((await ours.journals.find(operationId(theirs.incarnation, 2)))?.requestId, "r2");
  assert.equal(reads.count - before, 1, "the record itself");
});

test("I9: a record of a type that this version does not know is no end of the journal", async (t) => {
  const { ours, theirs } = await start(t);
  await theirs.journals.append(recordOf(theirs.incarnation, 1));
  await theirs.writer.append(FrameType.checkpoint, Buffer.from("x"));
  await assert.rejects(all(ours.journals.scan(theirs.incarnation)), JournalCorruptError);
});

test("I9: the journals are listed oldest first; a volume whose journals are gone is none that never had any", async (t) => {
  const { ours, theirs, root } = await start(t);
  assert.deepEqual(await ours.journals.incarnations(), [theirs.incarnation, ours.incarnation].sort());
  await rename(path.join(root, ".safefile/journal"), path.join(root, ".safefile/gone"));
  await assert.rejects(ours.journals.incarnations(), /journals is gone/);
  await rename(path.join(root, ".safefile/gone"), path.join(root, ".safefile/journal"));
});
