/** A process that locks as it is told to, over its IPC channel: `Terms` first, then one `Run` after the other. */
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import { type Locker, lockerOf, type Terms } from "./locker.js";
import { Record } from "./record.js";

export interface Run {
  readonly key: string;
  readonly waiters: number;
  /** When the run begins and when it is over, by the machine's monotonic clock. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** How many pairs each waiter makes at most. */
  readonly pairsMax: number;
  /** Every n-th waiter has priority 10; 0 for none. */
  readonly urgentEvery: number;
  /** Whether pairs are only counted and nothing is done between: for rates at which that would be what is measured. */
  readonly isCounted: boolean;
}

export interface Done {
  readonly pairs: number;
  readonly record: Float64Array;
  /** Of the processor, by this process. */
  readonly processorUs: number;
  /** When the last of them was done. */
  readonly endMs: number;
}

/** How long after the end those who still wait are waited for. */
const LATE_MS_MAX = 250;

/** CLOCK_MONOTONIC, which all processes of the machine share. */
export const clockMs = (): number => Number(process.hrtime.bigint()) / 1e6;

async function work(locker: Locker, run: Run): Promise<Done> {
  const record = new Record();
  let pairs = 0;
  const wait = async (waiter: number): Promise<void> => {
    const priority = run.urgentEvery > 0 && waiter % run.urgentEvery === 0 ? 10 : 0;
    for (let n = 0; n < run.pairsMax; n++) {
      const askedMs = clockMs();
      if (askedMs >= run.untilMs) return;
      const release = await locker.acquire(run.key, waiter, priority);
      const grantedMs = clockMs();
      pairs += grantedMs <= run.untilMs ? 1 : 0;
      if (run.isCounted) {
        await release();
        continue;
      }
      // Whoever holds a lock does something with it, so the process hears of others meanwhile.
      await setImmediate();
      const releasedMs = clockMs();
      record.add(askedMs, grantedMs, releasedMs, priority);
      await release();
    }
  };
  await sleep(Math.max(0, run.fromMs - clockMs()));
  const before = process.cpuUsage();
  const all = Promise.all(Array.from({ length: run.waiters }, (_, waiter) => wait(waiter)));
  // Those who wait for a lock that nobody gives back get it when its term is over, and give it back at once.
  all.catch((error: Error) => console.error(error));
  await Promise.race([all, sleep(Math.max(0, run.untilMs - clockMs()) + LATE_MS_MAX)]);
  const { user, system } = process.cpuUsage(before);
  return { pairs, processorUs: user + system, record: record.packed(), endMs: clockMs() };
}

if (process.argv[2] === "work") {
  let locker: Locker;
  process.on("message", async (message: { terms?: Terms; run?: Run }) => {
    if (message.terms) {
      locker = await lockerOf(message.terms);
      process.send?.("ready");
    }
    if (message.run) process.send?.(await work(locker, message.run));
  });
  process.once("disconnect", () => process.exit());
}
