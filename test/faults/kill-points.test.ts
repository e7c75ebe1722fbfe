import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Cleanup } from "../cluster/cleanup.js";
import { isWanted, killsAt } from "./fault.js";
import { chosen } from "./operations.js";
import { runPoint } from "./point.js";
import { Site, type Victim } from "./site.js";

const COUNTED = { at: Number.POSITIVE_INFINITY, do: "count" } as const;
/** Starting a replica is most of a point's time, and a machine has two processors. */
const LANES = 2;
const MISSED_MAX = 5;
/** Unless points are asked for, one of so many is run, beginning elsewhere for each operation. */
const SAMPLE = 9;
const isSample = process.env.SAFEFILE_TEST_POINTS === undefined;

describe("killed at every call", { concurrency: LANES, timeout: 3_600_000 }, () => {
  for (const [at, operation] of chosen().entries()) {
    test(`I1/I2/I4/I5/I7: ${operation.name}, killed before and after ${isSample ? "a sample of its calls" : "every call"} to the file system`, {
      timeout: 600_000,
    }, async (t) => {
      const cleanup = Cleanup.of(t);
      const site = await Site.start(cleanup);
      const start = (): Promise<Victim> => {
        const victim = site.victim();
        victim.catch(() => undefined); // whoever waits for it is told
        cleanup.defer(() => victim.then((each) => each.end()).catch(() => undefined));
        return victim;
      };
      let next = start();
      const undisturbed = await next;
      const { calls } = await runPoint(site, undisturbed, "p0", operation, COUNTED, []);
      assert(calls.length > 10, `only ${calls.length} calls were seen`);
      const wanted = killsAt(calls).filter((fault) => isWanted(fault, calls));
      const faults = isSample ? wanted.filter((_fault, index) => index % SAMPLE === at % SAMPLE) : wanted;
      assert(faults.length > 0, "there is no such point");
      next = start();
      await undisturbed.end();
      let missed = 0;
      const told = { COMMITTED: 0, NOT_COMMITTED: 0, UNKNOWN: 0 };
      for (const [index, fault] of faults.entries()) {
        const victim = await next;
        // The next one starts while this one is looked at, and may end what is left of it.
        if (index + 1 < faults.length) next = start();
        const result = await runPoint(site, victim, `p${index + 1}`, operation, fault, calls);
        if (result.hit) told[result.told] += 1;
        else missed += 1;
        await victim.end();
      }
      // Directories of batons that are there already make a run a few calls shorter than the first.
      assert(missed <= MISSED_MAX, `${missed} of ${faults.length} kills did not happen`);
      t.diagnostic(`${calls.length} calls, ${faults.length - missed} kills, callers were told ${JSON.stringify(told)}`);
    });
  }
});
