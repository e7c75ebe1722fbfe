import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type Cleanup, endWithParent } from "../../test/cluster/cleanup.js";
import type { Terms } from "./locker.js";
import { type Findings, findings } from "./record.js";
import { clockMs, type Done, type Run } from "./worker.js";

/** How much later than now a run begins, so that all its processes have been told. */
const AHEAD_MS = 20;

/** A way to lock, with the processes that use it. */
export class Contender {
  private constructor(
    readonly title: string,
    private readonly processes: ChildProcess[],
    private readonly prepare: () => Promise<unknown>,
  ) {}

  /** The same with fewer of its processes. */
  of(processes: number): Contender {
    return new Contender(this.title, this.processes.slice(0, processes), this.prepare);
  }

  static async start(
    cleanup: Cleanup,
    title: string,
    processes: number,
    terms: Omit<Terms, "volume">,
    prepare: () => Promise<unknown> = async () => undefined,
  ): Promise<Contender> {
    const contender = new Contender(title, [], prepare);
    for (let n = 0; n < processes; n++) {
      const child = fork(fileURLToPath(new URL("worker.js", import.meta.url)), ["work"], {
        serialization: "advanced",
        // A profile of one of them: SAFEFILE_BENCH_PROFILE=directory.
        execArgv: process.env.SAFEFILE_BENCH_PROFILE
          ? ["--cpu-prof", `--cpu-prof-dir=${process.env.SAFEFILE_BENCH_PROFILE}`]
          : [],
      });
      endWithParent(child);
      cleanup.defer(async () => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        child.disconnect();
        const late = setTimeout(() => child.kill("SIGKILL"), 2_000);
        await once(child, "exit");
        clearTimeout(late);
      });
      contender.processes.push(child);
      child.send({ terms: { ...terms, volume: title } });
      await once(child, "message");
    }
    return contender;
  }

  /** `waiters` on one key, evenly from its processes, for `ms`. */
  async run(
    key: string,
    waiters: number,
    ms: number,
    options: { pairsMax?: number; urgentEvery?: number; isCounted?: boolean } = {},
  ): Promise<Findings> {
    const { pairsMax = Number.POSITIVE_INFINITY, urgentEvery = 0, isCounted = false } = options;
    await this.prepare();
    const fromMs = clockMs() + AHEAD_MS;
    const each = waiters / this.processes.length;
    const run: Run = { key, waiters: each, fromMs, untilMs: fromMs + ms, pairsMax, urgentEvery, isCounted };
    const answers = this.processes.map((child) => once(child, "message"));
    for (const child of this.processes) child.send({ run });
    const done = (await Promise.all(answers)).map(([answer]) => answer as Done);
    const isBounded = pairsMax !== Number.POSITIVE_INFINITY;
    const endMs = isBounded ? Math.min(run.untilMs, Math.max(...done.map((one) => one.endMs))) : run.untilMs;
    const found = findings(
      done.map(({ record }) => record),
      fromMs,
      endMs,
    );
    const pairs = done.reduce((sum, one) => sum + one.pairs, 0);
    const processorUs = done.reduce((sum, one) => sum + one.processorUs, 0) / pairs;
    return { ...found, processorUs, pairsPerSecond: isCounted ? (pairs * 1000) / ms : found.pairsPerSecond };
  }
}
