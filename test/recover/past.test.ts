import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_OPERATION, type OperationId } from "../../services/model/operation.js";
import { type FilePath, pathHash } from "../../services/model/path.js";
import { MissingRecordError } from "../../services/protocol/heads.js";
import { HistoryError, historyOf } from "../../services/recover/history.js";
import { History, INCARNATIONS, PATHS } from "./world.js";

const P = pathHash(PATHS[0] as FilePath);

test("I9: a record that was lost where no checkpoint vouches for it is noticed", async () => {
  const history = new History();
  for (let n = 0; n < 3; n++) history.operate(0, [0], "commits", 0);
  history.lives[0]?.journal.shift();
  await assert.rejects(
    history
      .cut(() => 0)
      .read("all")
      .then((past) => past.history()),
    HistoryError,
  );
});

test("I9: a record that a checkpoint vouches for, and that is needed, must be there", async () => {
  const history = new History();
  history.operate(0, [0], "commits", 0);
  history.operate(1, [0], "stopped", 0);
  history.operate(0, [0], "commits", 0);
  history.checkpoint(0);
  history.lives[0]?.journal.splice(0);
  await assert.rejects(history.cut(() => 0).read("unsettled"), MissingRecordError);
});

test("I7: an abort that another replayer writes while we read counts", async () => {
  const history = new History();
  const stopped = history.operate(1, [0], "stopped", 0) as OperationId;
  history.operate(0, [1], "commits", 0);
  const remains = history.cut(() => 0);
  const other = history.lives.find(({ id }) => id === INCARNATIONS[0]);
  const batons = new Map(remains.batons);
  const late = Object.assign(Object.create(remains.batons) as typeof remains.batons, {
    get: (hash: never) => {
      if (hash === P) other?.journal.push({ type: "abort", operation: stopped });
      return batons.get(hash);
    },
  });
  Object.assign(remains, { batons: late });
  const found = (await remains.read("unsettled")).history();
  assert.deepEqual(found.leftOut, [], "it has its abort already");
  assert.deepEqual(found.paths.get(PATHS[0] as FilePath)?.chain, []);
});

test("I9: what a checkpoint calls committed can be neither aborted nor left out", () => {
  const [operation, later] = [`${INCARNATIONS[0]}.1`, `${INCARNATIONS[1]}.1`] as OperationId[];
  const change = { path: PATHS[0] as FilePath, epoch: 1, baseOperation: NO_OPERATION };
  const settled = { operation: operation as OperationId, changes: [change], isSettled: true };
  const rival = { operation: later as OperationId, changes: [{ ...change, epoch: 2 }] };
  assert.throws(() => historyOf([settled], new Set([settled.operation])), HistoryError);
  assert.throws(() => historyOf([settled, rival], new Set()), HistoryError);
  assert.deepEqual(historyOf([settled], new Set()).leftOut, []);
});
