/** Neighbouring buckets are so far apart: figures are off by 2 % at most. */
const RATIO = 1.02;
const LEAST_MS = 0.01;

/** How often each duration was seen, in buckets: as small for a million of them as for a hundred. */
export class Latencies {
  private readonly counts = new Map<number, number>();
  count = 0;
  longestMs = 0;

  add(ms: number): void {
    const bucket = Math.max(0, Math.ceil(Math.log(ms / LEAST_MS) / Math.log(RATIO)));
    this.counts.set(bucket, (this.counts.get(bucket) ?? 0) + 1);
    this.count += 1;
    this.longestMs = Math.max(this.longestMs, ms);
  }

  merge({ counts, count, longestMs }: PackedLatencies): void {
    for (const [bucket, seen] of counts) this.counts.set(bucket, (this.counts.get(bucket) ?? 0) + seen);
    this.count += count;
    this.longestMs = Math.max(this.longestMs, longestMs);
  }

  /** As it travels between processes. */
  packed(): PackedLatencies {
    return { counts: [...this.counts], count: this.count, longestMs: this.longestMs };
  }

  /** NaN when nothing was seen. */
  percentileMs(percent: number): number {
    let left = Math.ceil((this.count * percent) / 100);
    for (const [bucket, seen] of [...this.counts].sort(([one], [other]) => one - other)) {
      left -= seen;
      if (left <= 0) return Math.min(this.longestMs, LEAST_MS * RATIO ** bucket);
    }
    return Number.NaN;
  }
}

export interface PackedLatencies {
  readonly counts: readonly (readonly [bucket: number, seen: number])[];
  readonly count: number;
  readonly longestMs: number;
}
