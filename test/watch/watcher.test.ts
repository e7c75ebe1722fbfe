import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { ChangeHint, ChangesPage, ChangesReader, Position } from "../../services/index/changes.js";
import type { OperationId } from "../../services/model/operation.js";
import type { FilePath } from "../../services/model/path.js";
import type { OperationRecord, PathChange } from "../../services/model/record.js";
import { type Head, MissingRecordError } from "../../services/protocol/heads.js";
import { Chains } from "../../services/watch/chains.js";
import { Feed } from "../../services/watch/feed.js";
import { Inbox } from "../../services/watch/inbox.js";
import { covers, type Scope } from "../../services/watch/scope.js";
import { type WatchEvent, Watcher } from "../../services/watch/watcher.js";

const PATH = "p" as FilePath;
const LOG = { generation: "g", run: "r" };
const operationOf = (revision: number) => `01JZZZZZZZZZZZZZZZZZZZZZZZ.${revision}` as OperationId;

/** A path with `newest` revisions, each made by the operation of the same number; `external` came from outside. */
function history(newest: number, external?: number) {
  const headAt = async (path: FilePath, operation: OperationId): Promise<Head | undefined> => {
    if (operation === "-") return undefined;
    const revision = Number(operation.split(".")[1]);
    if (path !== PATH || revision > newest || revision === external) throw new MissingRecordError(operation);
    const found = revision - 1 === external;
    const base = revision - (found ? 2 : 1);
    const change: Partial<PathChange> = {
      path,
      kind: "WRITE",
      revision,
      baseRevision: base,
      baseOperation: base > 0 ? operationOf(base) : ("-" as OperationId),
      external: found ? { deleted: true } : undefined,
    };
    const record: Partial<OperationRecord> = { operation, timeMs: 0, labels: {}, changes: [change as PathChange] };
    return { record: record as OperationRecord, change: change as PathChange };
  };
  return new Chains({ head: (path) => headAt(path, operationOf(newest)) }, { headAt });
}

const hint = (sequence: number, revision: number, path = PATH): ChangeHint => ({
  sequence,
  path,
  revision,
  operation: operationOf(revision),
});

/** A log that a test writes, read as the one in Redis is. */
class Log {
  hints: ChangeHint[] = [];
  position: Position = { ...LOG, sequence: 0 };

  async end(): Promise<Position> {
    return { ...this.position, sequence: this.hints.at(-1)?.sequence ?? 0 };
  }

  async after(from: Position, count: number): Promise<ChangesPage | undefined> {
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (from.generation !== this.position.generation || from.run !== this.position.run) return undefined;
    const hints = this.hints.filter(({ sequence }) => sequence > from.sequence).slice(0, count);
    const missed = hints.length > 0 && hints[0]?.sequence !== from.sequence + 1;
    return { hints, position: { ...from, sequence: hints.at(-1)?.sequence ?? from.sequence }, missed };
  }

  close(): void {}
}

const LIMITS = { watchBufferMax: 10, watchHeartbeatMs: 5 };

/** Watches from `from`; `add` is called when the watch is live. Returns what was said until all was quiet again. */
async function said(
  t: TestContext,
  chains: Chains,
  log: Log,
  add: (log: Log) => void,
  from?: Position,
): Promise<{ events: WatchEvent[]; texts: string[]; problems: unknown[] }> {
  const problems: unknown[] = [];
  const feed = new Feed({ followChanges: () => log, onMissing: () => undefined }, (error) => problems.push(error));
  const stop = new AbortController();
  t.after(() => stop.abort());
  const watcher = new Watcher(
    feed,
    log as unknown as ChangesReader,
    chains,
    { path: "", recursive: true },
    LIMITS,
    (error) => problems.push(error),
  );
  const events: WatchEvent[] = [];
  let isLive = false;
  for await (const event of watcher.run(from, stop.signal)) {
    if (event.kind === "heartbeat" && !isLive) {
      isLive = true;
      add(log);
      continue;
    }
    if (event.kind === "heartbeat" && event.position.sequence >= (log.hints.at(-1)?.sequence ?? 0)) break;
    if (event.kind !== "heartbeat") events.push(event);
  }
  stop.abort();
  const texts = events.map((event) => (event.kind === "change" ? `r${event.revision.revision}` : event.kind));
  return { events, texts, problems };
}

test("hints that come late or twice change neither the order nor what is said", async (t) => {
  const { texts } = await said(t, history(6), new Log(), (log) => {
    log.hints = [hint(1, 1), hint(2, 3), hint(3, 2), hint(4, 3), hint(5, 4), hint(6, 1), hint(7, 6), hint(8, 5)];
  });
  assert.deepEqual(texts, ["r1", "r2", "r3", "r4", "r5", "r6"]);
});

test("an outside change is said before the change that found it, and a token in between repeats both", async (t) => {
  const { texts, events } = await said(t, history(3, 2), new Log(), (log) => {
    log.hints = [hint(1, 1), hint(2, 3)];
  });
  assert.deepEqual(texts, ["r1", "r2", "r3"]);
  assert.deepEqual(
    events.map(({ position }) => position.sequence),
    [1, 1, 2],
  );
});

test("I8: a hint that the volume does not confirm is not said", async (t) => {
  const { texts, problems } = await said(t, history(3), new Log(), (log) => {
    const forged = { ...hint(2, 2), operation: operationOf(3) };
    log.hints = [hint(1, 9), forged, hint(3, 2), hint(4, 1, "other" as FilePath)];
  });
  assert.deepEqual(texts, ["r2"]);
  assert.equal(problems.length, 3);
});

test("a token goes on after it; one of another log, or from before what is kept, gets a gap", async (t) => {
  const log = (): Log => Object.assign(new Log(), { hints: [hint(7, 1), hint(8, 2), hint(9, 3)] });
  const nothing = (): void => undefined;
  const from = (sequence: number, other = {}): Position => ({ ...LOG, sequence, ...other });
  assert.deepEqual((await said(t, history(3), log(), nothing, from(7))).texts, ["r2", "r3"]);
  assert.deepEqual((await said(t, history(3), log(), nothing, from(9))).texts, []);
  assert.deepEqual((await said(t, history(3), log(), nothing, from(6))).texts, ["r1", "r2", "r3"]);
  assert.deepEqual((await said(t, history(3), log(), nothing, from(5))).texts, ["gap", "r1", "r2", "r3"]);
  assert.deepEqual((await said(t, history(3), log(), nothing, from(10))).texts, ["gap"]);
  assert.deepEqual((await said(t, history(3), log(), nothing, from(7, { run: "s" }))).texts, ["gap"]);
  assert.deepEqual((await said(t, history(3), log(), nothing, from(7, { generation: "h" }))).texts, ["gap"]);
});

test("when the log becomes another one while it is watched there is one gap", async (t) => {
  const log = new Log();
  const { texts } = await said(t, history(9), log, () => {
    log.hints = [hint(1, 8)];
    log.position = { ...LOG, run: "s", sequence: 0 };
  });
  assert.deepEqual(texts, ["gap"]);
});

test("what waits for a slow watcher is bounded, and one gap stands for what did not fit", () => {
  const inbox = new Inbox({ path: "", recursive: true }, 10);
  const hints = Array.from({ length: 1_000 }, (_, at) => hint(at + 1, at + 1));
  inbox.hear(hints.slice(0, 10), { ...LOG, sequence: 10 });
  for (let at = 10; at < 1_000; at++) inbox.hear([hints[at]!], { ...LOG, sequence: at + 1 });
  const taken = [];
  for (let next = inbox.take(); next; next = inbox.take()) taken.push(next);
  assert(taken.length <= 10);
  assert("gap" in taken[0]!);
  assert.equal(taken.filter((each) => "gap" in each).length, 1);
  // Nothing lies between the gap and what comes after it.
  const [gap, ...rest] = taken;
  const first = "gap" in gap! ? gap.gap.sequence : 0;
  assert.deepEqual(
    rest.map((each) => ("hint" in each ? each.hint.sequence : 0)),
    Array.from({ length: 1_000 - first }, (_, at) => first + at + 1),
  );
});

test("a watch covers its path and the direct entries, or all below", () => {
  const scope = (path: string, recursive: boolean): Scope => ({ path: path as FilePath, recursive });
  const covered = (where: Scope, ...paths: string[]) => paths.map((path) => covers(where, path as FilePath));
  assert.deepEqual(covered(scope("", false), "a", "a/b"), [true, false]);
  assert.deepEqual(covered(scope("", true), "a", "a/b/c"), [true, true]);
  assert.deepEqual(covered(scope("a", false), "a", "a/b", "a/b/c", "ab", "b"), [true, true, false, false, false]);
  assert.deepEqual(covered(scope("a", true), "a", "a/b", "a/b/c", "ab/c", "b"), [true, true, true, false, false]);
});
