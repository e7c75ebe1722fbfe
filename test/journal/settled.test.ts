import assert from "node:assert/strict";
import { test } from "node:test";
import { segmentOf } from "../../services/journal/position.js";
import { Settled } from "../../services/journal/settled.js";
import type { JournalEnd } from "../../services/journal/writer.js";
import type { IncarnationId } from "../../services/model/operation.js";

const INCARNATION = "01ARZ3NDEKTSV4RRFFQ69G5FA1" as IncarnationId;
const endAt = (sequence: number): JournalEnd => ({
  sequence,
  segment: 1,
  offset: sequence * 10,
  bytes: sequence * 10 + 1_000,
});
const appendedAt = (sequence: number) => ({
  incarnation: INCARNATION,
  sequence,
  segment: 1,
  offset: (sequence - 1) * 10,
  bytesBefore: (sequence - 1) * 10 + 1_000,
});

test("a journal is settled up to the record before the oldest operation that is open", () => {
  const writer = { end: endAt(2) };
  const settled = new Settled(writer);
  assert.deepEqual(settled.end, endAt(2));
  const [early, late] = [settled.begin(), settled.begin()];
  writer.end = endAt(5);
  // Where their records are is not known yet: not before what was durable when they began.
  assert.deepEqual(settled.end, endAt(2));
  early.journaled(appendedAt(4));
  assert.deepEqual(settled.end, endAt(2));
  late.journaled(appendedAt(5));
  assert.deepEqual(settled.end, endAt(3));
  late.settle();
  assert.deepEqual(settled.end, endAt(3));
  early.settle();
  assert.deepEqual(settled.end, endAt(5));
});

test("the oldest counts, whichever began first", () => {
  const writer = { end: endAt(0) };
  const settled = new Settled(writer);
  const [first, second] = [settled.begin(), settled.begin()];
  writer.end = endAt(9);
  first.journaled(appendedAt(8));
  second.journaled(appendedAt(3));
  assert.deepEqual(settled.end, endAt(2));
  second.settle();
  assert.deepEqual(settled.end, endAt(7));
});

test("files are segments by their whole names", () => {
  assert.deepEqual(["00000001.log", "00000120.log", "1234567890.log"].map(segmentOf), [1, 120, 1_234_567_890]);
  for (const name of ["1.log", "0000001.log", "12345678901.log", "00000001.log~", "x00000001.log", "0000000x.log", ""])
    assert.equal(segmentOf(name), undefined, name);
});
