import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { NO_OPERATION, type OperationId } from "../../services/model/operation.js";
import { type FilePath, pathHash } from "../../services/model/path.js";
import { isFinished } from "../../services/protocol/baton.js";
import { historyOf } from "../../services/recover/history.js";
import { type Fate, History, INCARNATIONS, PATHS, type Remains } from "./world.js";

const RUNS = Number(process.env.SAFEFILE_TEST_HISTORIES ?? 4000);

type Step =
  | {
      readonly does: "operate";
      readonly by: number;
      readonly paths: number[];
      readonly fate: Fate;
      readonly other: number;
    }
  | { readonly does: "checkpoint"; readonly by: number; readonly isCutOff: boolean }
  | { readonly does: "end"; readonly by: number; readonly other: number };

const who = fc.integer({ min: 0, max: INCARNATIONS.length - 1 });
const paths = fc.uniqueArray(fc.integer({ min: 0, max: PATHS.length - 1 }), { minLength: 1, maxLength: 2 });
const fates: Fate[] = ["commits", "commits", "commits", "slow", "aborts", "stopped", "rescued", "unrecorded"];
const operate = fc.record({
  does: fc.constant("operate" as const),
  by: who,
  paths,
  fate: fc.constantFrom(...fates),
  other: who,
});
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 12, arbitrary: operate },
    { weight: 4, arbitrary: fc.record({ does: fc.constant("checkpoint" as const), by: who, isCutOff: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ does: fc.constant("end" as const), by: who, other: who }) },
  ),
  { minLength: 6, maxLength: 40, size: "max" },
);

function play(run: readonly Step[]): History {
  const history = new History();
  for (const step of run) {
    if (step.does === "operate") history.operate(step.by, step.paths, step.fate, step.other);
    else if (step.does === "checkpoint") history.checkpoint(step.by, step.isCutOff);
    else history.end(step.by, step.other);
  }
  return history;
}

/** Holds the replay from the checkpoints against the one that reads everything, and both against what happened. */
async function compare(history: History, remains: Remains): Promise<{ context: number }> {
  const bounded = (await remains.read("unsettled")).history();
  const context = remains.found;
  const whole = (await remains.read("all")).history();
  const byRecords = historyOf(history.records, history.aborted);
  assert.deepEqual(new Set(bounded.leftOut), new Set(whole.leftOut), "what is left out");
  for (const operation of byRecords.leftOut) assert(whole.leftOut.includes(operation), `${operation} is back`);
  for (const [path, { chain, head, epoch }] of bounded.paths) {
    const all = whole.paths.get(path);
    assert.deepEqual(chain, all?.chain.slice(all.chain.length - chain.length), `the chain of ${path}`);
    assert.equal(head, all?.head, `the head of ${path}`);
    const seen = remains.batons.get(pathHash(path))?.epoch ?? 0;
    assert.equal(Math.max(seen, epoch), Math.max(seen, all?.epoch ?? 0), `the epoch of ${path}`);
  }
  for (const path of PATHS) {
    const all = whole.paths.get(path);
    for (const operation of all?.chain ?? [])
      assert(!history.aborted.has(operation), `${operation} was aborted and is back`);
    const due = committedOn(history, path);
    assert.deepEqual(
      all?.chain.filter((each) => history.committed.has(each)) ?? [],
      due,
      `what was committed on ${path}`,
    );
    if (bounded.paths.has(path)) continue;
    // Nobody repairs this path, so its baton must be right as it is.
    const baton = remains.batons.get(pathHash(path));
    assert(baton);
    assert.equal(baton.last, all?.head ?? NO_OPERATION, `the baton of ${path}, which is not repaired`);
    if (!isFinished(baton)) assert(!history.records.some(({ operation }) => operation === baton.owner));
  }
  return { context };
}

const committedOn = (history: History, path: FilePath): OperationId[] =>
  history.records
    .flatMap(({ operation, changes }) =>
      changes.filter((change) => change.path === path).map(({ epoch }) => ({ operation, epoch })),
    )
    .filter(({ operation }) => history.committed.has(operation))
    .sort((left, right) => left.epoch - right.epoch)
    .map(({ operation }) => operation);

test(`I1/I5: a replay from checkpoints decides as one that reads everything, for ${RUNS} random runs`, async (t) => {
  let spared = 0;
  let context = 0;
  await fc.assert(
    fc.asyncProperty(steps, fc.infiniteStream(fc.nat()), async (run, choices) => {
      const history = play(run);
      const remains = history.cut(() => choices.next().value as number);
      if ((await compare(history, remains)).context > 0) context += 1;
      if (history.lives.some(({ checkpoint }) => checkpoint)) spared += 1;
    }),
    { numRuns: RUNS },
  );
  t.diagnostic(`${spared} runs had checkpoints, in ${context} a record before one was needed`);
  assert(spared > RUNS / 4 && context > RUNS / 400, "too few runs are of what this is about");
});

test(`I7: a replay that was cut off and done again decides the same, for ${RUNS} random runs`, async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.infiniteStream(fc.nat()), async (run, choices) => {
      const choose = () => choices.next().value as number;
      const remains = play(run).cut(choose);
      const first = (await remains.read("unsettled")).history();
      const again = (await remains.repairPartly(first, choose).read("unsettled")).history();
      assert.deepEqual([...again.paths.keys()], [...first.paths.keys()]);
      assert.deepEqual(again.leftOut, [], "all that is left out was aborted by the first");
      for (const [path, { head, chain }] of first.paths) {
        assert.equal(again.paths.get(path)?.head, head, `the head of ${path}`);
        assert.deepEqual(again.paths.get(path)?.chain, chain);
      }
    }),
    { numRuns: RUNS },
  );
});

test("I5: a settled operation of a later epoch leaves out one that nobody vouches for", async () => {
  for (const fate of ["commits", "aborts"] as const) {
    const history = new History();
    history.operate(0, [0], "commits", 0);
    const stopped = history.operate(1, [0], "stopped", 0) as OperationId;
    history.operate(0, [0], fate, 0);
    history.checkpoint(0);
    const remains = history.cut(() => 0);
    await compare(history, remains);
    assert.deepEqual((await remains.read("unsettled")).history().leftOut, [stopped]);
  }
});

test("I5: an abort before the checkpoint of who wrote it still ends the operation of another", async () => {
  const history = new History();
  const stopped = history.operate(1, [0], "rescued", 0) as OperationId;
  history.operate(0, [1], "commits", 0);
  history.checkpoint(0);
  const remains = history.cut(() => 0);
  // Even when the baton has gone too, so that only the abort tells.
  remains.batons.clear();
  const { leftOut, paths: found } = (await remains.read("unsettled")).history();
  assert.deepEqual(leftOut, []);
  assert.deepEqual(found.get(PATHS[0] as FilePath)?.chain, [], `${stopped} is back`);
});

test("I17: records on several paths are found by one of them and judged on all", async () => {
  const history = new History();
  history.operate(0, [0, 1], "commits", 0);
  const stopped = history.operate(1, [0, 1], "stopped", 0) as OperationId;
  history.operate(0, [1, 2], "commits", 0);
  history.operate(0, [2], "commits", 0);
  history.operate(0, [0], "commits", 0);
  history.checkpoint(0);
  const remains = history.cut(() => 0);
  await compare(history, remains);
  const bounded = (await remains.read("unsettled")).history();
  assert.deepEqual(bounded.leftOut, [stopped]);
  assert.deepEqual([...bounded.paths.keys()].sort(), ["p", "q"], "a path that nothing open touches needs no repair");
});
