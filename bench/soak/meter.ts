import { Latencies, type PackedLatencies } from "./latencies.js";

export const KINDS = ["write", "read", "upload", "lock"] as const;
/** What latencies are counted apart: an upload of megabytes and a wait for a lock say nothing about a small write. */
export type Kind = (typeof KINDS)[number];

/** What one process did in a while. */
export interface Reading {
  readonly latencies: ReadonlyMap<Kind, PackedLatencies>;
  /** Of each operation, what became of it: "append, COMMITTED". */
  readonly outcomes: ReadonlyMap<string, number>;
  /** Errors that callers were given, by reason. */
  readonly errors: ReadonlyMap<string, number>;
}

/** Counts what workers do. */
export class Meter {
  private latencies = new Map<Kind, Latencies>();
  private outcomes = new Map<string, number>();
  private errors = new Map<string, number>();

  took(kind: Kind, ms: number): void {
    const seen = this.latencies.get(kind) ?? new Latencies();
    this.latencies.set(kind, seen);
    seen.add(ms);
  }

  ended(operation: string, outcome: string): void {
    increment(this.outcomes, `${operation}, ${outcome}`);
  }

  failed(reason: string): void {
    increment(this.errors, reason);
  }

  /** What was counted since the last time. */
  take(): Reading {
    const { outcomes, errors } = this;
    const latencies = new Map([...this.latencies].map(([kind, seen]) => [kind, seen.packed()]));
    this.latencies = new Map();
    this.outcomes = new Map();
    this.errors = new Map();
    return { latencies, outcomes, errors };
  }
}

export function increment(counts: Map<string, number>, key: string, by = 1): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}
