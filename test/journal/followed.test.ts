import assert from "node:assert/strict";
import { open } from "node:fs/promises";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { ulid } from "ulid";
import { Journals } from "../../services/journal/journals.js";
import { Table } from "../../services/journal/table.js";
import { type Appended, JournalWriter } from "../../services/journal/writer.js";
import { type IncarnationId, operationId } from "../../services/model/operation.js";
import type { OperationRecord } from "../../services/model/record.js";
import { openFormat } from "../../services/protocol/format.js";
import { PosixVolume } from "../../services/volume/posix.js";
import { Cleanup } from "../cluster/cleanup.js";
import { tempVolume } from "../cluster/volume.js";

const LIMITS = {
  segmentBytesMax: 1024 * 1024,
  growBytes: 64 * 1024,
  reserveBytes: 16 * 1024,
  recordBytesMax: 512 * 1024,
};
/** Of 10 kB each, so that there are four segments. */
const [FIRST, LAST] = [2, 351];
const never = (error: unknown): never => assert.fail(String(error));

const recordOf = (incarnation: IncarnationId, sequence: number): OperationRecord => ({
  operation: operationId(incarnation, sequence),
  requestId: `r${sequence}`,
  requestSha256: new Uint8Array(10_000),
  timeMs: sequence,
  changes: [],
  labels: {},
  traceId: "",
});

async function written(t: TestContext) {
  const cleanup = Cleanup.of(t);
  const root = await tempVolume(cleanup);
  const volume = await PosixVolume.open(root, "local", never);
  cleanup.defer(() => volume.close());
  await openFormat(volume);
  const journalsOf = async () => {
    const incarnation = ulid() as IncarnationId;
    const writer = await JournalWriter.open(volume, incarnation, LIMITS, never);
    cleanup.defer(() => writer.close());
    return new Journals(volume, incarnation, writer, { ...LIMITS, recordsCachedBytesMax: 1 });
  };
  const [theirs, ours] = [await journalsOf(), await journalsOf()];
  const places: Appended[] = [];
  // Operations are journaled in another order than they began.
  for (let at = FIRST; at <= LAST; at++) places[at ^ 1] = await theirs.append(recordOf(theirs.incarnation, at ^ 1));
  return { root, theirs, ours, places };
}

test("any record of another's journal is found, newest and oldest, also those that come while it is followed", async (t) => {
  const { theirs, ours } = await written(t);
  const find = async (sequence: number) => (await ours.find(operationId(theirs.incarnation, sequence)))?.requestId;
  for (const sequence of [LAST, 3, 175, 350, FIRST]) assert.equal(await find(sequence), `r${sequence}`);
  assert.equal(await find(LAST + 50), undefined);
  for (let at = LAST + 50; at < LAST + 200; at++) {
    await theirs.append(recordOf(theirs.incarnation, at));
    assert.equal(await find(at), `r${at}`);
  }
  const sequences = Array.from({ length: LAST - FIRST + 1 }, (_, at) => FIRST + at);
  assert.deepEqual(
    await Promise.all(sequences.map(find)),
    sequences.map((at) => `r${at}`),
  );
});

test("I9: a damaged record in a segment that is full does not take the others with it", async (t) => {
  const { root, theirs, ours, places } = await written(t);
  const damaged = 150;
  const { segment, offset } = places[damaged] as Appended;
  assert.equal(segment, 2);
  const file = await open(path.join(root, ".safefile/journal", theirs.incarnation, "00000002.log"), "r+");
  await file.write(Buffer.alloc(100, 7), 0, 100, offset + 500);
  await file.close();
  for (let at = FIRST; at <= LAST; at++) {
    const found = await ours.find(operationId(theirs.incarnation, at));
    assert.equal(found?.requestId, at === damaged ? undefined : `r${at}`);
  }
});

test("the table of places keeps gaps, and what is far apart, apart", () => {
  const table = new Table();
  for (const sequence of [1, 4095, 4096, 9_999_999_999]) table.set(sequence, { segment: 3, offset: sequence % 1000 });
  table.set(7, { segment: 1, offset: 0 });
  for (const sequence of [1, 4095, 4096, 9_999_999_999])
    assert.deepEqual(table.get(sequence), { segment: 3, offset: sequence % 1000 });
  assert.deepEqual(table.get(7), { segment: 1, offset: 0 });
  for (const sequence of [0, 2, 4094, 4097, 8192, 10_000_000_000]) assert.equal(table.get(sequence), undefined);
});
