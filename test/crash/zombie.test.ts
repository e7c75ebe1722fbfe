import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Cleanup } from "../cluster/cleanup.js";
import { Cluster } from "./cluster.js";
import { Caller, Ledger } from "./ledger.js";

const ROUNDS = Number(process.env.SAFEFILE_TEST_ZOMBIES ?? 10);
const LEASE_MS = 500;
const TARGETS = ["counter-0.dat", "counter-1.dat", "counter-2.dat"];
/** Large enough that a writer is mostly between its baton and its publish, where a pause is most dangerous. */
const HELD_UP_BYTES = 400_000;

test(`I3: in ${ROUNDS} rounds a holder stopped past its lease never overwrites what another replica wrote meanwhile`, {
  timeout: 60_000 + ROUNDS * 40_000,
}, async (t) => {
  const cleanup = Cleanup.of(t);
  // Nobody counts as dead here: a zombie that was ended would learn of it in another way.
  const cluster = await Cluster.start(cleanup, 2, { leaseMs: LEASE_MS, incarnationDeadMs: 600_000 });
  const [zombie, rival] = cluster.running;
  assert(zombie && rival);
  const ledger = new Ledger();
  let fencedRounds = 0;

  const first = new Caller(() => [rival.client], 0);
  for (let at = 0; at < 3; at++)
    await ledger.write(first, { path: `counter-${at}.dat`, name: `first-${at}`, sizeBytes: 300 });

  // On a busy machine more rounds pass until enough of them have met a writer where it matters.
  let round = 0;
  for (; round < ROUNDS || (fencedRounds < ROUNDS / 4 && round < ROUNDS * 4); round++) {
    const stop = new AbortController();
    const fenced = ledger.reasons.get("LOCK_FENCED") ?? 0;
    const heldUp = TARGETS.map(async (target) => {
      const caller = new Caller(() => [zombie.client], 0);
      for (let n = 0; !stop.signal.aborted; n++) {
        const { etag } = await zombie.client.stat(target);
        if (stop.signal.aborted) return; // read after the pause, it would be a fair basis for one more write
        await ledger.write(caller, { path: target, name: `z${round}-${target}-${n}`, sizeBytes: HELD_UP_BYTES, etag });
      }
    });
    await sleep(100 + Math.random() * 200);
    zombie.replica.signal("SIGSTOP");
    stop.abort();
    // The rival reads what is there and builds on it: what it is told then must never be overwritten unseen.
    const told = await Promise.all(
      TARGETS.map(async (target) => {
        const { etag } = await rival.client.stat(target);
        const caller = new Caller(() => [rival.client], 0);
        const entry = await ledger.write(caller, { path: target, name: `r${round}-${target}`, sizeBytes: 300, etag });
        assert.equal(entry.outcome, "COMMITTED", `the rival was refused: ${JSON.stringify([...ledger.reasons])}`);
        return entry.revision;
      }),
    );
    zombie.replica.signal("SIGCONT");
    await Promise.all(heldUp);
    // Held up writers carry the etag from before: none of theirs may come after the rival's.
    for (const [at, target] of TARGETS.entries()) {
      const head: number = Number((await rival.client.stat(target)).revision);
      assert.equal(head, told[at], "a zombie published over a revision it was not based on");
    }
    if ((ledger.reasons.get("LOCK_FENCED") ?? 0) > fenced) fencedRounds += 1;
  }
  const { revisions } = await ledger.check(rival.client);
  const reasons = JSON.stringify(Object.fromEntries(ledger.reasons));
  t.diagnostic(`${round} rounds, ${fencedRounds} with a writer fenced, ${revisions} revisions, answers: ${reasons}`);
  assert(fencedRounds >= ROUNDS / 4, `only ${fencedRounds} rounds met a writer between baton and publish: ${reasons}`);
});
