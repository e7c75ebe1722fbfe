import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Cleanup } from "../cluster/cleanup.js";
import { errorsAt, type Fault, isEverything, isWanted } from "./fault.js";
import { chosen } from "./operations.js";
import { runPoint } from "./point.js";
import { Site, type Victim } from "./site.js";

const COUNTED = { at: Number.POSITIVE_INFINITY, do: "count" } as const;
/** Of all points, how many are run; a prime, so that the sample meets every call and every error of the table. */
const SAMPLE = 29;
const LANES = 2;

describe("an error at every call", { concurrency: LANES, timeout: 3_600_000 }, () => {
  for (const [at, operation] of chosen().entries()) {
    test(`I5/I6/I10/I11: ${operation.name}, ${isEverything ? "each" : "a sample"} of its calls answered by each error`, {
      timeout: 900_000,
    }, async (t) => {
      const cleanup = Cleanup.of(t);
      const site = await Site.start(cleanup);
      let victim: Victim | undefined;
      cleanup.defer(() => victim?.end());
      let points = 0;
      const run = async (fault: Fault, calls: Parameters<typeof runPoint>[5]) => {
        victim ??= await site.victim();
        points += 1;
        const result = await runPoint(site, victim, `p${points}`, operation, fault, calls);
        if (!result.lives) {
          await victim.end();
          victim = undefined;
        }
        return result;
      };
      // The first change makes directories that are there from then on, and calls that no other one makes.
      await run(COUNTED, []);
      const { calls } = await run(COUNTED, []);
      const faults = errorsAt(calls).filter((fault, index) =>
        isEverything ? isWanted(fault, calls) : index % SAMPLE === at % SAMPLE,
      );
      assert(faults.length > 0, "there is no such point");
      const told = { COMMITTED: 0, NOT_COMMITTED: 0, UNKNOWN: 0 };
      let [missed, left] = [0, 0];
      for (const fault of faults) {
        const result = await run(fault, calls);
        if (!result.hit) missed += 1;
        else {
          told[result.told] += 1;
          if (!result.lives) left += 1;
        }
      }
      // Some calls are made by some changes only: an object's directory, the journal's next zeroes.
      assert(missed * 4 <= faults.length, `${missed} of ${faults.length} errors did not happen`);
      const counts = `${faults.length - missed} errors, callers were told ${JSON.stringify(told)}`;
      t.diagnostic(`${calls.length} calls, ${counts}, ${left} times the replica left`);
    });
  }
});
