import assert from "node:assert/strict";
import { test } from "node:test";
import { Account, Change, type Effect } from "../../bench/soak/account.js";
import { Content, piecesIn, sha256Of } from "../../bench/soak/content.js";
import { Fold } from "../../bench/soak/fold.js";
import { Latencies } from "../../bench/soak/latencies.js";
import type { Told } from "../../bench/soak/told.js";
import { Violation } from "../../bench/soak/violation.js";
import { contentOf } from "../crash/content.js";

const bytesOf = (id: string): Buffer => contentOf(id, 300);
const to =
  (id: string): Effect =>
  () =>
    Content.of(bytesOf(id));
const told = (path: string, revision: number, id: string, sha256 = sha256Of(bytesOf(id))): Told => {
  return { path, revision, id, sha256 };
};

function written(account: Account, id: string): Change {
  const change = new Change(id, new Map([[account, to(id)]]));
  account.enter(told(account.path, account.revision + 1, id), change);
  return change;
}

test("the soak's account follows what was answered, whatever was done to the path", () => {
  const account = new Account("a");
  written(account, "one");
  const both = Buffer.concat([bytesOf("one"), bytesOf("two")]);
  const append = new Change("two", new Map([[account, (before) => before?.with(bytesOf("two"))]]));
  account.enter(told("a", 2, "two", sha256Of(both)), append);
  assert(account.is({ revision: 2, sha256: sha256Of(both) }));
  assert(!account.is({ revision: 1, sha256: sha256Of(both) }));
  account.enter(told("a", 3, "three", ""), new Change("three", new Map([[account, () => undefined]])));
  assert(account.is(undefined));
});

test("the soak's account takes a revision that is skipped, that others made, or with other bytes, for a violation", () => {
  const account = new Account("a");
  const change = new Change("one", new Map([[account, to("one")]]));
  assert.throws(() => account.enter(told("a", 2, "one"), change), Violation);
  assert.throws(() => account.enter(told("a", 1, "other", sha256Of(bytesOf("one"))), change), Violation);
  assert.throws(() => account.enter(told("a", 1, "one", sha256Of(bytesOf("other"))), change), Violation);
  account.enter(told("a", 1, "one"), change);
  assert.throws(() => account.learn([told("a", 2, "stranger")]), Violation);
});

test("I5: what was left open may come before what was asked for later, or never, and not after it was given up", () => {
  const account = new Account("a");
  const open = new Change("open", new Map([[account, to("open")]]));
  account.leaveOpen(open);
  account.learn([told("a", 1, "open")]);
  assert(!account.isInDoubt);
  const late = new Change("late", new Map([[account, to("late")]]));
  account.leaveOpen(late);
  account.giveUp();
  assert(account.isInDoubt);
  account.giveUp(performance.now() + 600_000);
  assert(!account.isInDoubt);
  assert.throws(() => account.learn([told("a", 2, "late")]), Violation);
});

test("I17: what was left open and is on one of its paths, and not on the other, is a violation", () => {
  const [one, other] = [new Account("a"), new Account("b")];
  const open = new Change(
    "open",
    new Map([
      [one, to("open")],
      [other, to("open")],
    ]),
  );
  for (const account of [one, other]) account.leaveOpen(open);
  one.learn([told("a", 1, "open")]);
  assert.throws(() => other.giveUp(performance.now() + 600_000), /I17/);
});

test("I2: pieces of a content are found, and what is torn, mixed or cut short is a violation", () => {
  const [one, two] = [bytesOf("one"), bytesOf("two")];
  assert.deepEqual(piecesIn("a", Buffer.concat([one, two])), ["one", "two"]);
  for (const torn of [
    one.subarray(0, -1),
    Buffer.concat([one, two.subarray(0, 200)]),
    Buffer.concat([one.subarray(0, 150), two.subarray(150)]),
    Buffer.alloc(300),
    Buffer.concat([one, Buffer.from("x")]),
  ])
    assert.throws(() => piecesIn("a", torn), Violation);
});

test("a fold is the same in any order and from any number of parts, and differs when a revision does", () => {
  const revisions = ["x", "y", "z"].map((id, at) => told("a", at + 1, id));
  const fold = (some: readonly Told[]): Fold => {
    const folded = new Fold();
    for (const each of some) folded.add(each);
    return folded;
  };
  const whole = fold(revisions);
  const parts = fold(revisions.slice(2));
  parts.merge(fold(revisions.slice(0, 2)));
  assert(whole.equals(parts));
  assert(!whole.equals(fold(revisions.slice(1))));
  assert(!whole.equals(fold(revisions.map((each) => ({ ...each, id: "x" })))));
});

test("percentiles out of buckets are off by 2 % at most, also after a journey between processes", () => {
  const latencies = new Latencies();
  for (let ms = 1; ms <= 1_000; ms++) latencies.add(ms);
  const merged = new Latencies();
  merged.merge(latencies.packed());
  for (const percent of [1, 50, 99, 100]) {
    const ms = merged.percentileMs(percent);
    assert(ms >= percent * 10 && ms <= percent * 10 * 1.02, `${percent}: ${ms}`);
  }
  assert(Number.isNaN(new Latencies().percentileMs(50)));
});
