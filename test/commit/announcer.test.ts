import assert from "node:assert/strict";
import { test } from "node:test";
import { ulid } from "ulid";
import { type Announcement, Announcer } from "../../services/commit/announcer.js";
import type { Index, Watermark } from "../../services/index/index.js";
import { Settled } from "../../services/journal/settled.js";
import type { JournalEnd } from "../../services/journal/writer.js";
import type { IncarnationId, OperationId } from "../../services/model/operation.js";
import type { OperationRecord } from "../../services/model/record.js";
import { sampleRecord } from "../journal/sample.js";

const INCARNATION = ulid() as IncarnationId;
const BACKLOG_MAX = 3;
const BATCH_MAX = 256;

interface Told {
  readonly records: readonly OperationRecord[];
  readonly watermark: Watermark | undefined;
}

/** The watermark as the script in Redis keeps it; the real one is in the tests of the index and in the simulation. */
class ToldIndex {
  readonly told: Told[] = [];
  batch = 0;
  sequence = 0;
  fail: Error | undefined;
  hold: Promise<void> | undefined;

  async apply(records: readonly OperationRecord[], watermark?: Watermark): Promise<number | undefined> {
    this.told.push({ records, watermark });
    await this.hold;
    if (this.fail) throw this.fail;
    if (!watermark) return undefined;
    if (this.batch < watermark.expected) return this.sequence;
    this.batch = Math.max(this.batch, watermark.batch);
    this.sequence = Math.max(this.sequence, watermark.sequence);
    return undefined;
  }
}

/** A journal of records of 10 bytes. */
class Lines {
  end: JournalEnd = { sequence: 0, segment: 1, offset: 0, bytes: 0 };

  append() {
    const { segment, bytes: offset } = this.end;
    const sequence = this.end.sequence + 1;
    this.end = { sequence, segment, offset: offset + 10, bytes: offset + 10 };
    return { incarnation: INCARNATION, sequence, segment, offset, bytesBefore: offset };
  }
}

const record = (name = "f"): OperationRecord => sampleRecord(ulid() as OperationId, name, 7);

function start() {
  const index = new ToldIndex();
  const lines = new Lines();
  const errors: unknown[] = [];
  const announcer = new Announcer(
    index as unknown as Index,
    new Settled(lines),
    INCARNATION,
    BACKLOG_MAX,
    (error) => void errors.push(error),
  );
  const commit = (name?: string): Announcement => {
    const announcement = announcer.begin();
    announcement.journaled(lines.append());
    announcement.committed([record(name)]);
    return announcement;
  };
  const settled = () => announcer.settled(new AbortController().signal);
  return { index, lines, errors, announcer, commit, settled };
}

const mark = (expected: number, sequence: number, batch = expected + 1): Watermark => ({
  incarnation: INCARNATION,
  expected,
  batch,
  sequence,
});

test("what is committed while Redis hears of something waits, and is told together, without its bytes", async () => {
  const { index, announcer, commit, settled } = start();
  const hold = Promise.withResolvers<void>();
  index.hold = hold.promise;
  const first = commit("a");
  assert.deepEqual([announcer.backlog, announcer.isFull], [1, false]);
  first.settle();
  commit("b").settle();
  assert.equal(announcer.isFull, false);
  commit("c").settle();
  assert.deepEqual([announcer.backlog, announcer.isFull], [3, true]);
  hold.resolve();
  await settled();
  assert.equal(announcer.backlog, 0);
  const names = index.told.map(({ records }) => records.map(({ requestId }) => requestId).join());
  assert.deepEqual(names, ["a", "b,c"]);
  // The first was told before its batons were passed on: our journal was accounted for up to there only.
  assert.deepEqual(
    index.told.map(({ watermark }) => watermark),
    [mark(0, 0), mark(1, 3)],
  );
  const [told] = index.told[0]?.records[0]?.changes ?? [];
  assert.deepEqual(told?.content?.body, { object: "" });
});

test("our journal is accounted for up to the oldest operation that is open", async () => {
  const { index, commit, settled, announcer, lines } = start();
  commit("a").settle();
  await settled();
  const open = announcer.begin();
  open.journaled(lines.append());
  commit("c").settle();
  await settled();
  commit("d").settle();
  await settled();
  open.committed([record("b")]);
  open.settle();
  await settled();
  assert.deepEqual(
    index.told.map(({ watermark }) => watermark?.sequence),
    [0, 1, 1, 1],
  );
  await announcer.forgotten();
  commit("e").settle();
  await settled();
  assert.equal(index.sequence, 4);
});

test("an operation that others overtook on the way to the journal is open from its own record on", async () => {
  const { index, commit, settled, announcer, lines } = start();
  const late = announcer.begin();
  commit("a").settle();
  await settled();
  late.journaled(lines.append());
  commit("c").settle();
  await settled();
  assert.equal(index.sequence, 1);
});

test("a backlog is told in bounded batches, and only the last says how far the journal is accounted for", async () => {
  const { index, lines, settled, announcer } = start();
  const announcement = announcer.begin();
  announcement.journaled(lines.append());
  announcement.settle();
  announcement.committed(Array.from({ length: 2 * BATCH_MAX + 1 }, () => record()));
  await settled();
  assert.deepEqual(
    index.told.map(({ records }) => records.length),
    [BATCH_MAX, BATCH_MAX, 1],
  );
  assert.deepEqual(
    index.told.map(({ watermark }) => watermark),
    [mark(0, 0), mark(1, 0), mark(2, 1)],
  );
});

test("what Redis did not take is told again a while later", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { index, errors, announcer, commit, settled } = start();
  const error = new Error("gone");
  index.fail = error;
  commit("a").settle();
  const done = settled();
  await new Promise(setImmediate);
  assert.deepEqual([index.told.length, announcer.backlog, errors], [1, 1, [error]]);
  t.mock.timers.tick(199);
  await new Promise(setImmediate);
  assert.equal(index.told.length, 1);
  t.mock.timers.tick(1);
  await new Promise(setImmediate);
  assert.deepEqual([index.told.length, announcer.backlog], [2, 1]);
  index.fail = undefined;
  t.mock.timers.tick(200);
  await done;
  assert.deepEqual([index.told.length, announcer.backlog, index.batch], [3, 0, 1]);
  // What Redis may have taken without our hearing of it is not told as another batch.
  assert.deepEqual(
    index.told.map(({ watermark }) => watermark?.expected),
    [0, 0, 0],
  );
});

test("nobody waits for Redis longer than they want to", async () => {
  const { index, commit, announcer } = start();
  const hold = Promise.withResolvers<void>();
  index.hold = hold.promise;
  commit();
  const stop = new AbortController();
  let isOver = false;
  const waited = announcer.settled(stop.signal).then(() => {
    isOver = true;
  });
  await new Promise(setImmediate);
  assert.equal(isOver, false);
  stop.abort();
  await waited;
  hold.resolve();
});

test("a Redis that went back is told no watermark until all of it is indexed again", async () => {
  const { index, announcer, commit, settled } = start();
  for (const name of ["a", "b"]) {
    commit(name).settle();
    await settled();
  }
  commit("c").settle();
  await settled();
  assert.equal(await announcer.forgotten(), undefined, "nothing is forgotten");
  assert.deepEqual(index.told.at(-1), { records: [], watermark: mark(3, 0) });

  index.batch = 1;
  index.sequence = 1;
  assert.equal(await announcer.forgotten(), 1);
  // Asked only once: it is known now.
  const asked = index.told.length;
  assert.equal(await announcer.forgotten(), 1);
  assert.equal(index.told.length, asked);

  commit("d").settle();
  await settled();
  const last = index.told.at(-1);
  assert.deepEqual([last?.records.length, last?.watermark], [1, undefined]);

  // It went back once more while it was indexed again.
  await announcer.remembered(async () => false);
  assert.equal(await announcer.forgotten(), 1);
  await announcer.remembered(async () => true);
  assert.deepEqual(index.told.at(-1), { records: [], watermark: { ...mark(0, 2), batch: 4 } });
  assert.equal(await announcer.forgotten(), undefined);

  commit("e").settle();
  await settled();
  assert.deepEqual(index.told.at(-1)?.watermark, mark(5, 4));
});
