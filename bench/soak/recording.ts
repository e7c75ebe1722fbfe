import { Latencies } from "./latencies.js";
import { increment, KINDS, type Kind, type Reading } from "./meter.js";

/** So often counts are read. */
export const READING_MS = 10_000;
/** A 99th percentile of fewer calls is the longest of them, and no percentile. */
export const WINDOW_CALLS_MIN = 50;

/** What was in use at a moment, in MiB. */
export interface Usage {
  readonly atMs: number;
  /** By replica; undefined while it was not there. */
  readonly residentMb: readonly (number | undefined)[];
  readonly descriptors: readonly (number | undefined)[];
  readonly redisMb: number;
}

export interface Kill {
  readonly atMs: number;
  readonly member: string;
  /** Until it was ready again. */
  readonly downMs: number;
}

type ByKind = Record<Kind, Latencies>;

/** Everything measured during a run; how much that is depends on its length alone. Times count from its start. */
export class Recording {
  readonly usages: Usage[] = [];
  readonly kills: Kill[] = [];
  readonly outcomes = new Map<string, number>();
  readonly errors = new Map<string, number>();
  readonly all = byKind();
  /** One for each reading, of all processes together. */
  readonly windows: ByKind[] = [];

  hear({ latencies, outcomes, errors }: Reading, at: number): void {
    for (let missing = this.windows.length; missing <= at; missing++) this.windows.push(byKind());
    for (const [kind, packed] of latencies) {
      this.windows[at]?.[kind].merge(packed);
      this.all[kind].merge(packed);
    }
    for (const [outcome, count] of outcomes) increment(this.outcomes, outcome, count);
    for (const [reason, count] of errors) increment(this.errors, reason, count);
  }

  get calls(): number {
    return KINDS.reduce((sum, kind) => sum + this.all[kind].count, 0);
  }
}

const byKind = (): ByKind => ({
  write: new Latencies(),
  read: new Latencies(),
  upload: new Latencies(),
  lock: new Latencies(),
});
