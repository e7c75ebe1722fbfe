import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { NO_OPERATION, type OperationId } from "../../services/model/operation.js";
import type { FilePath } from "../../services/model/path.js";
import { HistoryError, historyOf, type Recorded } from "../../services/recover/history.js";

const PATHS = ["p", "q"] as FilePath[];

/** The rule as the protocol's model states it, word for word and slow. */
function byTheRule(records: readonly Recorded[], aborted: ReadonlySet<OperationId>): Map<FilePath, OperationId[]> {
  const changeAt = (record: Recorded, path: FilePath) => record.changes.find((change) => change.path === path);
  const ancestors = (operation: OperationId, path: FilePath): Set<OperationId> => {
    const seen = new Set<OperationId>();
    for (let at = operation; !seen.has(at); ) {
      seen.add(at);
      const record = records.find((each) => each.operation === at);
      const base = record && changeAt(record, path)?.baseOperation;
      if (base !== undefined) at = base;
    }
    return seen;
  };
  const isIn = (record: Recorded): boolean =>
    !aborted.has(record.operation) &&
    record.changes.every(({ path, epoch }) =>
      records.every((later) => {
        const change = changeAt(later, path);
        return !change || change.epoch <= epoch || ancestors(change.baseOperation, path).has(record.operation);
      }),
    );
  const kept = records.filter(isIn);
  const epochAt = (record: Recorded, path: FilePath): number => changeAt(record, path)?.epoch ?? 0;
  return new Map(
    PATHS.map((path) => [
      path,
      kept
        .filter((record) => changeAt(record, path))
        .sort((left, right) => epochAt(left, path) - epochAt(right, path))
        .map(({ operation }) => operation),
    ]),
  );
}

/** A run of the protocol: each step takes the batons of some paths, and commits, aborts, or dies before deciding. */
interface Step {
  readonly paths: readonly number[];
  readonly fate: "commits" | "aborts" | "stopped" | "unrecorded";
}

const steps = fc.array(
  fc.record({
    paths: fc.uniqueArray(fc.integer({ min: 0, max: 1 }), { minLength: 1, maxLength: 2 }),
    fate: fc.constantFrom("commits", "commits", "aborts", "stopped", "unrecorded"),
  }),
  { maxLength: 14 },
);

function play(run: readonly Step[]) {
  const records: Recorded[] = [];
  const aborted = new Set<OperationId>();
  const epochs = [0, 0];
  const chains: OperationId[][] = [[], []];
  for (const [at, { paths, fate }] of run.entries()) {
    const operation = `01ARZ3NDEKTSV4RRFFQ69G5FAV.${at + 1}` as OperationId;
    const changes = paths.map((path) => {
      epochs[path] = (epochs[path] ?? 0) + 1;
      const baseOperation = chains[path]?.at(-1) ?? NO_OPERATION;
      return { path: PATHS[path] as FilePath, epoch: epochs[path] as number, baseOperation };
    });
    if (fate === "unrecorded") continue;
    records.push({ operation, changes });
    if (fate === "aborts") aborted.add(operation);
    if (fate === "commits") for (const path of paths) chains[path]?.push(operation);
  }
  return { records, aborted, chains };
}

test("I1: replay keeps just what the protocol's rule keeps, for random runs in any order of reading", () => {
  fc.assert(
    fc.property(steps, fc.infiniteStream(fc.nat()), (run, order) => {
      const { records, aborted } = play(run);
      const shuffled = records.map((record) => ({ record, at: order.next().value as number }));
      const read = shuffled.sort((left, right) => left.at - right.at).map(({ record }) => record);
      const expected = byTheRule(records, aborted);
      const { paths } = historyOf(read, aborted);
      for (const path of PATHS) assert.deepEqual(paths.get(path)?.chain ?? [], expected.get(path));
    }),
    { numRuns: 3000 },
  );
});

test("I1/I5: every committed operation is kept, an aborted one never", () => {
  fc.assert(
    fc.property(steps, (run) => {
      const { records, aborted, chains } = play(run);
      const { paths, leftOut } = historyOf(records, aborted);
      for (const [at, path] of PATHS.entries()) {
        const kept = paths.get(path)?.chain ?? [];
        for (const operation of chains[at] ?? [])
          assert(kept.includes(operation), `${operation} was committed and is lost`);
        for (const operation of aborted) assert(!kept.includes(operation), `${operation} was aborted and is back`);
      }
      for (const operation of leftOut) assert(!chains.flat().includes(operation));
    }),
    { numRuns: 3000 },
  );
});

test("a history with a lost record in the middle is refused", () => {
  const { records } = play([
    { paths: [0], fate: "commits" },
    { paths: [0], fate: "commits" },
    { paths: [0], fate: "commits" },
  ]);
  assert.throws(() => historyOf([records[0] as Recorded, records[2] as Recorded], new Set()), HistoryError);
});
