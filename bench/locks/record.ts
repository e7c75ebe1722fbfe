/** One acquire and release, by the clock that all processes of a machine share, in milliseconds. */
export interface Pair {
  readonly askedMs: number;
  readonly grantedMs: number;
  /** When giving it back began. */
  readonly releasedMs: number;
  readonly priority: number;
}

const FIELDS = 4;

/** Pairs as numbers in a row, so that hundreds of thousands go from process to process at once. */
export class Record {
  private readonly numbers: number[] = [];

  add(askedMs: number, grantedMs: number, releasedMs: number, priority: number): void {
    this.numbers.push(askedMs, grantedMs, releasedMs, priority);
  }

  packed(): Float64Array {
    return Float64Array.from(this.numbers);
  }
}

function unpacked(packed: Float64Array): Pair[] {
  const pairs: Pair[] = [];
  for (let at = 0; at < packed.length; at += FIELDS) {
    const [askedMs = 0, grantedMs = 0, releasedMs = 0, priority = 0] = packed.subarray(at, at + FIELDS);
    pairs.push({ askedMs, grantedMs, releasedMs, priority });
  }
  return pairs;
}

export interface Findings {
  readonly pairsPerSecond: number;
  /** Of the processor for a pair, by the processes that lock; the servers' is not in it. */
  readonly processorUs: number;
  readonly acquireP50Ms: number;
  readonly acquireP99Ms: number;
  /** From one holder's giving back to the next one's grant, whichever processes they are in. */
  readonly handOffP50Ms: number;
  readonly handOffP99Ms: number;
  /** The longest time without a grant, the time before the end of the run included. */
  readonly stallMs: number;
  /** Grants that went before somebody of the same priority who had asked earlier, and by how much at most. */
  readonly overtakings: number;
  readonly overtakenMs: number;
  /** Grants while somebody else held it: none, or the lock is none. */
  readonly overlaps: number;
}

/** What came of a run from `fromMs` to `untilMs`, from the records of all its processes. */
export function findings(
  packed: readonly Float64Array[],
  fromMs: number,
  untilMs: number,
): Omit<Findings, "processorUs"> {
  const pairs = packed
    .flatMap(unpacked)
    .filter(({ grantedMs }) => grantedMs >= fromMs && grantedMs <= untilMs)
    .sort((left, right) => left.grantedMs - right.grantedMs);
  const handOffs: number[] = [];
  let [stallMs, overlaps, lastMs] = [0, 0, fromMs];
  for (const [at, { grantedMs }] of pairs.entries()) {
    const before = pairs[at - 1];
    if (before) handOffs.push(Math.max(0, grantedMs - before.releasedMs));
    if (before && grantedMs < before.releasedMs) overlaps += 1;
    stallMs = Math.max(stallMs, grantedMs - lastMs);
    lastMs = grantedMs;
  }
  const acquires = pairs.map(({ askedMs, grantedMs }) => grantedMs - askedMs);
  return {
    pairsPerSecond: (pairs.length * 1000) / (untilMs - fromMs),
    acquireP50Ms: percentile(acquires, 50),
    acquireP99Ms: percentile(acquires, 99),
    handOffP50Ms: percentile(handOffs, 50),
    handOffP99Ms: percentile(handOffs, 99),
    stallMs: Math.max(stallMs, untilMs - lastMs),
    ...overtakings(pairs),
    overlaps,
  };
}

function overtakings(pairs: readonly Pair[]): { overtakings: number; overtakenMs: number } {
  const earliestLaterMs = new Map<number, number>();
  let [count, mostMs] = [0, 0];
  for (const { askedMs, priority } of pairs.toReversed()) {
    const byMs = askedMs - (earliestLaterMs.get(priority) ?? Number.POSITIVE_INFINITY);
    if (byMs > 0) {
      count += 1;
      mostMs = Math.max(mostMs, byMs);
    } else earliestLaterMs.set(priority, askedMs);
  }
  return { overtakings: count, overtakenMs: mostMs };
}

export function percentile(values: readonly number[], percent: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? Number.NaN;
}
