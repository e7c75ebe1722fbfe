import { createHistogram, type Histogram } from "node:perf_hooks";
import type { Contender, Workload } from "./contender.js";

/** What `concurrency` callers do, each one operation after the other. */
export interface Load {
  readonly workload: Workload;
  readonly concurrency: number;
  /** How many files there are; "new" makes one for each operation. */
  readonly paths: number | "new";
  readonly sizeBytes: number;
  /** How long it goes on; ignored when `count` is given. */
  readonly ms: number;
  /** How many operations there are. */
  readonly count?: number;
}

export interface Findings {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const FILES_A_DIRECTORY = 1_000;
const PREPARING = 64;

const pathOf = (set: string, at: number): string => `${set}/${Math.floor(at / FILES_A_DIRECTORY)}/${at}`;

/** One contender at work, in a process of its own. */
export class Worker {
  /** How many files of a set are there. */
  private readonly prepared = new Map<string, number>();
  private made = 0;

  constructor(private readonly contender: Contender) {}

  async run(load: Load): Promise<Findings> {
    const operation = this.contender[load.workload];
    if (!operation) throw new Error(`it cannot ${load.workload}`);
    await this.prepare(load);
    const latencies = createHistogram({ highest: 10 ** 12, figures: 3 });
    const startMs = performance.now();
    let begun = 0;
    const isOver = (): boolean =>
      load.count === undefined ? performance.now() - startMs >= load.ms : begun >= load.count;
    const call = async (caller: number): Promise<void> => {
      for (let n = 0; !isOver(); n++) {
        begun += 1;
        const askedMs = performance.now();
        await operation(this.pathAt(load, caller + n * load.concurrency), load.sizeBytes);
        latencies.record(Math.max(1, Math.round((performance.now() - askedMs) * 1e6)));
      }
    };
    await Promise.all(Array.from({ length: load.concurrency }, (_, caller) => call(caller)));
    const seconds = (performance.now() - startMs) / 1000;
    return { perSecond: begun / seconds, ...percentiles(latencies) };
  }

  private pathAt({ paths, sizeBytes, workload }: Load, at: number): string {
    if (paths !== "new") return pathOf(setOf(workload, sizeBytes), at % paths);
    this.made += 1;
    return pathOf("new", this.made);
  }

  /** Makes the files that are to be there, by the contender's own writes. */
  private async prepare({ workload, paths, sizeBytes }: Load): Promise<void> {
    const set = setOf(workload, sizeBytes);
    const there = this.prepared.get(set) ?? 0;
    if (paths === "new" || there >= paths) return;
    this.prepared.set(set, paths);
    const missing = Array.from({ length: paths - there }, (_, at) => pathOf(set, there + at));
    if (this.contender.prepare) return this.contender.prepare(missing, sizeBytes);
    const { write, upload } = this.contender;
    const make =
      workload === "ten" ? this.contender.ten : workload === "upload" || workload === "download" ? upload : write;
    if (!make) return;
    const next = missing.values();
    const caller = async (): Promise<void> => {
      for (const path of next) await make(path, sizeBytes);
    };
    await Promise.all(Array.from({ length: Math.min(PREPARING, missing.length) }, caller));
  }
}

/** Files that several workloads share are prepared once. */
const setOf = (workload: Workload, sizeBytes: number): string => `${workload === "ten" ? "ten" : "file"}-${sizeBytes}`;

const percentiles = (latencies: Histogram): Pick<Findings, "p50Ms" | "p99Ms"> => ({
  p50Ms: latencies.percentile(50) / 1e6,
  p99Ms: latencies.percentile(99) / 1e6,
});

export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
};
