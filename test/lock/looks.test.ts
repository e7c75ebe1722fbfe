import assert from "node:assert/strict";
import test from "node:test";
import { LockDeadlockError } from "../../services/errors/index.js";
import { Deadlocks } from "../../services/lock/deadlocks.js";
import type { Entry, State } from "../../services/lock/entry.js";
import type { Waiting } from "../../services/lock/leases.js";
import { Quorum } from "../../services/lock/quorum.js";
import { type Line, type LockServer, textOf } from "../../services/lock/server.js";
import { agreed } from "../../services/lock/view.js";
import type { LeaseId } from "../../services/model/operation.js";
import { wish } from "./wish.js";

type Given = readonly [id: string, state: State, path: string, party: string, sinceMs: number];

function line([id, state, name, party, sinceMs]: Given, remainingMs = 1000): Line {
  const { owner, targets } = wish(name, { party });
  const rank = state === "waiting" ? sinceMs : 1;
  const full = { ...owner, name: party.toLowerCase(), incarnation: "", sinceMs };
  return { entry: { id: id as LeaseId, targets, rank, under: "", owner: full }, state, remainingMs };
}

const CIRCLE: readonly Given[] = [
  ["1", "holding", "docs/x", "A", 1],
  ["2", "holding", "docs/y", "B", 2],
  ["3", "waiting", "docs/y", "A", 3],
  ["4", "waiting", "docs/x", "B", 4],
];

/** Lock servers that say one thing after the other; who waits here; and whose waits were ended. */
function scene(looks: readonly (readonly Given[])[], here: string, more: Partial<Waiting> = {}) {
  let asked = 0;
  const server = {
    isConnected: true,
    ask: async () => {
      const lines = (looks[Math.min(asked, looks.length - 1)] ?? []).map((each) => line(each));
      asked += 1;
      const found = lines.map(({ entry, state }) => [entry.id, `${state.slice(0, 1)}${textOf(entry)}`, 1000]);
      return [found.length, 0, "", found];
    },
  } as unknown as LockServer;
  const failed: Error[] = [];
  const ended: string[] = [];
  const told: string[] = [];
  const waiting = here.split(" ").map(
    (id): Waiting => ({
      entry: { id, under: "" } as Entry,
      waitedMs: 400,
      mayBeInCircle: true,
      fail: (error) => {
        failed.push(error);
        ended.push(id);
      },
      ...more,
    }),
  );
  const leases = { quorum: new Quorum([server], 1000), waiting: () => waiting.values() as Generator<Waiting> };
  const deadlocks = new Deadlocks(leases, { deadlockAfterMs: 300, deadlockConfirmMs: 1 }, ({ victim }) =>
    told.push(victim),
  );
  const look = (signal = new AbortController().signal) => deadlocks.look(signal);
  return { look, failed, ended, told, asked: () => asked };
}

test("LOCK_DEADLOCK says who waits for whom and for what, and what to do; metadata names the circle", async () => {
  const { look, failed } = scene([CIRCLE], "4");
  assert.equal(await look(), 1);
  const [error] = failed as [LockDeadlockError];
  assert(error instanceof LockDeadlockError);
  assert.deepEqual([error.reason, error.status, error.outcome], ["LOCK_DEADLOCK", "ABORTED", "NOT_COMMITTED"]);
  assert.equal(
    error.message,
    "Waiting for docs/x would never have ended: this call waits for docs/x, where a (A) is in the way; a (A) waits for docs/y, where this call is in the way. Nothing was changed; release what you hold, then try again, taking paths in sorted order.",
  );
  assert.deepEqual(error.metadata, {
    path: "docs/x",
    circle: JSON.stringify([
      { party: "B", name: "b", operation: "", path: "docs/x" },
      { party: "A", name: "a", operation: "", path: "docs/y" },
    ]),
    circle_size: "2",
  });
  assert.equal(error.facts.retryAfterMs, 100);
});

test("a large circle makes no large error", () => {
  const circle = Array.from({ length: 1000 }, (_, at) => ({
    party: `P${at}`,
    name: "",
    operation: "",
    path: `p${at}`,
  }));
  const error = new LockDeadlockError({ circle });
  assert(error.message.length < 1000 && (error.metadata.circle ?? "").length < 1000);
  assert.match(error.message, /; and 992 more\. /);
  assert.equal(error.metadata.circle_size, "1000");
});

test("only the victim's replica ends a wait, and only its own", async () => {
  const { look, failed, told } = scene([CIRCLE], "3");
  assert.deepEqual([await look(), failed, told], [0, [], []]);
  const both = scene([CIRCLE], "3 4");
  assert.deepEqual([await both.look(), both.ended, both.told], [1, ["4"], ["B"]]);
});

test("who has waited a moment, or cannot be in a circle, asks no server", async () => {
  for (const more of [{ waitedMs: 300 }, { mayBeInCircle: false }]) {
    const { look, asked } = scene([CIRCLE], "4", more);
    assert.deepEqual([await look(), asked()], [0, 0]);
  }
  const under = { id: "4", under: "lock" } as Entry;
  assert.equal(await scene([CIRCLE], "4", { mayBeInCircle: false, entry: under }).look(), 1, "it acts for a lock");
});

test("both looks have to show the same requests in the same state", async () => {
  const changed = (at: number, given: Given): readonly Given[] => CIRCLE.toSpliced(at, 1, given);
  for (const then of [
    changed(0, ["5", "holding", "docs/x", "A", 1]),
    changed(1, ["5", "holding", "docs/y", "B", 2]),
    changed(2, ["5", "waiting", "docs/y", "A", 3]),
    CIRCLE.slice(1),
    CIRCLE.slice(0, 2),
  ]) {
    const { look, failed, asked } = scene([CIRCLE, then], "4");
    assert.deepEqual([await look(), failed.length, asked()], [0, 0, 2]);
  }
  const stopped = scene([CIRCLE], "4");
  assert.deepEqual([await stopped.look(AbortSignal.abort()), stopped.failed.length], [0, 0]);
});

test("agreed is what a majority has in the same state, for as long as a majority has it", () => {
  const x = (state: State, remainingMs: number) => line(["1", state, "x", "", 1], remainingMs);
  const times = (...lists: Line[][]) => agreed(lists, 2).map(({ state, remainingMs }) => [state, remainingMs]);
  assert.deepEqual(times([x("holding", 5)], [x("holding", 9)], [x("holding", 7)]), [["holding", 7]]);
  assert.deepEqual(times([x("holding", 5)], [x("holding", 9)], []), [["holding", 5]]);
  assert.deepEqual(times([x("holding", 5)], [x("waiting", 9)], [x("waiting", 8)]), [["waiting", 8]]);
  assert.deepEqual(times([x("holding", 5)], [x("waiting", 9)], []), []);
  assert.deepEqual(times([x("holding", 5)]), []);
});
