/**
 * Whether the file system still answers: how many calls are under way, and how long none has come back. A volume that
 * hangs (its server is gone, it is frozen) takes up the threads that file calls run on and says nothing; this is looked
 * at from outside, without a timer for each call (I14). One for the process: the threads are shared, too.
 */
export class Pulse {
  private underWay = 0;
  /** When a call last came back, or the first of those under way began. By the monotonic clock. */
  private signMs = 0;
  private probingSinceMs: number | undefined;

  /** Calls, and messages of calls, that have not come back. */
  get pending(): number {
    return this.underWay;
  }

  /** A call, or a message of several, is under way. */
  begin(): void {
    if (this.underWay === 0) this.signMs = performance.now();
    this.underWay += 1;
  }

  /** It has come back, with whatever answer. */
  end(): void {
    this.underWay -= 1;
    this.signMs = performance.now();
  }

  /** Counts a call while it is under way. */
  watch<T>(call: Promise<T>): Promise<T> {
    this.begin();
    const done = (): void => this.end();
    call.then(done, done);
    return call;
  }

  /**
   * Runs a cheap call that writes. On a frozen file system reads come back and writes do not, and nobody may be writing:
   * so this one counts by itself. One at a time.
   */
  async probe<T>(call: () => Promise<T>): Promise<T> {
    this.probingSinceMs ??= performance.now();
    try {
      return await call();
    } finally {
      this.probingSinceMs = undefined;
    }
  }

  /** For how long the volume has owed an answer; zero while it owes none. */
  get silentMs(): number {
    const nowMs = performance.now();
    const callsMs = this.underWay === 0 ? 0 : nowMs - this.signMs;
    const probeMs = this.probingSinceMs === undefined ? 0 : nowMs - this.probingSinceMs;
    return Math.max(callsMs, probeMs);
  }
}

export const pulse = new Pulse();
