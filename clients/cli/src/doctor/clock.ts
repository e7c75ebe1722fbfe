import { setTimeout as sleep } from "node:timers/promises";
import { type Check, fail, ok, warn } from "./check.js";

const WRITES = 40;
const NS_PER_MS = 1_000_000n;
/** A kernel's tick is 1 to 10 ms. Coarser, and quick changes share a time. */
const COARSE_MS = 20;
const SKEW_MS_MAX = 1_000;

/** How finely times are kept, and that a change always shows in the change time. */
export const timestamps: Check = {
  name: "timestamps",
  async run(scratch) {
    const { disk } = scratch;
    await scratch.room(this.name);
    const file = scratch.at(this.name, "file");
    const times = new Set<bigint>();
    for (let at = 0; at < WRITES; at++) {
      await disk.writeFile(file, String(at));
      times.add((await disk.stat(file, { bigint: true })).mtimeNs);
      await sleep(1);
    }
    const sorted = [...times].sort((a, b) => (a < b ? -1 : 1));
    const stepsMs = sorted.slice(1).map((time, at) => Number(time - sorted[at]!) / 1e6);
    // All within one step: it is a second, or two.
    const stepMs = stepsMs.length === 0 ? 1_000 : Math.min(...stepsMs);

    // Whoever hides a change by setting the time back cannot hide it from ctime.
    const before = await disk.stat(file, { bigint: true });
    await sleep(Math.min(2_000, 2 * stepMs + 10));
    await disk.writeFile(file, "other");
    await disk.utimes(file, before.atime, Number(before.mtimeNs) / 1e9);
    const after = await disk.stat(file, { bigint: true });

    const seen = `${times.size} times for ${WRITES} writes, smallest step ${stepMs.toFixed(3)} ms; ctime ${after.ctimeNs > before.ctimeNs ? "moved on" : "stood still"}`;
    if (after.ctimeNs <= before.ctimeNs) {
      return fail(seen, "A change from outside that sets the time back would go unnoticed and be overwritten unkept.");
    }
    return stepMs > COARSE_MS
      ? warn(seen, "Two changes from outside within one step may look like one.")
      : ok(seen, "Changes from outside are noticed by inode, size and times.");
  },
};

/** The volume's clock against this host's. */
export const clockSkew: Check = {
  name: "clock-skew",
  async run(scratch) {
    const { disk } = scratch;
    await scratch.room(this.name);
    const file = scratch.at(this.name, "file");
    const beforeMs = Date.now();
    await disk.writeFile(file, "");
    const afterMs = Date.now();
    const fileMs = Number((await disk.stat(file, { bigint: true })).mtimeNs / NS_PER_MS);
    // Within the write there is no skew to be seen.
    const skewMs = fileMs < beforeMs ? fileMs - beforeMs : Math.max(0, fileMs - afterMs);
    const seen = `the volume's clock is ${Math.abs(skewMs)} ms ${skewMs < 0 ? "behind" : "ahead of"} this host's`;
    return Math.abs(skewMs) > SKEW_MS_MAX
      ? warn(seen, "File times shown to clients are off; keep the clocks of storage and replicas in step with NTP.")
      : ok(seen, "Times shown to clients agree; no promise rests on them.");
  },
};
