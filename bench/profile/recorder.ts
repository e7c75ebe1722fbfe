/**
 * Loaded into a replica before its program: records where its event loop spends its time, from SIGUSR2 on, and writes
 * that to the file that RECORD_PROFILE names when the replica ends.
 */
import { writeFileSync } from "node:fs";
import { type Profiler, Session } from "node:inspector";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { isMainThread } from "node:worker_threads";

/** What is written, as JSON. */
export interface Recorded {
  /** As V8 writes it, and as the developer tools of browsers open it. */
  readonly profile: Profiler.Profile;
  /** How late the event loop was, in milliseconds. */
  readonly delayMs: { readonly p50: number; readonly p99: number; readonly max: number };
  /** Of the processor, by all threads of the process, in microseconds. */
  readonly cpu: NodeJS.CpuUsage;
}

const SAMPLE_US = 200;
/** Resolution of the event loop's delay; it is added to each figure. */
const DELAY_MS = 1;

if (isMainThread && process.env.RECORD_PROFILE) {
  const file = process.env.RECORD_PROFILE;
  process.once("SIGUSR2", () => {
    const session = new Session();
    session.connect();
    session.post("Profiler.enable");
    session.post("Profiler.setSamplingInterval", { interval: SAMPLE_US });
    session.post("Profiler.start");
    const delay = monitorEventLoopDelay({ resolution: DELAY_MS });
    delay.enable();
    const before = process.cpuUsage();
    process.once("SIGUSR2", () => {
      const cpu = process.cpuUsage(before);
      delay.disable();
      const late = (ns: number): number => Math.max(0, ns / 1e6 - DELAY_MS);
      const delayMs = { p50: late(delay.percentile(50)), p99: late(delay.percentile(99)), max: late(delay.max) };
      session.post("Profiler.stop", (error, found) => {
        if (error) throw error;
        writeFileSync(file, JSON.stringify({ profile: found.profile, delayMs, cpu } satisfies Recorded));
      });
    });
  });
}
