import type { Lock } from "redlock";
import { LockLostError } from "../errors/index.js";
import type { OperationId } from "../model/operation.js";
import type { Entry, Owner } from "./entry.js";
import type { Quorum } from "./quorum.js";

/**
 * A lease that this replica holds, from the grant until it is given back: kept alive at a third of its term, given up
 * when it ran out by the monotonic clock. One operation after the other may use it.
 */
export class Held {
  private readonly losing = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private renewing: Promise<void> | undefined;
  private isOver = false;
  /** The last change of its path that was committed under it; the index knows it, or is being told by this replica. */
  lastOperation: OperationId | undefined;
  private hasFailed = false;
  /** The lowest rank of those who wait for it elsewhere, as far as is known. */
  wantedRank = Number.POSITIVE_INFINITY;
  /** Who uses it, or did last. */
  user: Owner | undefined;

  constructor(
    private readonly quorum: Quorum,
    readonly entry: Entry,
    private lock: Lock,
    private endsMs: number,
    private readonly termMs: number,
    private readonly path: string,
  ) {
    this.watch();
  }

  get lost(): AbortSignal {
    return this.losing.signal;
  }

  /** How long it may still be relied on. A timer may be late after a pause, so this looks at the clock. */
  get remainingMs(): number {
    if (this.endsMs <= performance.now()) this.lose();
    return this.losing.signal.aborted ? 0 : this.endsMs - performance.now();
  }

  private lose(): void {
    if (!this.losing.signal.aborted) this.losing.abort(new LockLostError({ path: this.path }));
  }

  private watch(): void {
    clearTimeout(this.timer);
    const nowMs = performance.now();
    if (this.isOver || this.lost.aborted) return;
    if (nowMs >= this.endsMs) {
      this.lose();
      return;
    }
    const dueMs = Math.max(1, Math.min(this.termMs / (this.hasFailed ? 12 : 3), this.endsMs - nowMs));
    this.timer = setTimeout(() => {
      this.renewing ??= this.renew();
      this.watch();
    }, dueMs);
    this.timer.unref();
  }

  private async renew(): Promise<void> {
    try {
      const { lock, endsMs, wanted, missing } = await this.quorum.renew(this.entry, this.lock);
      this.lock = lock;
      this.endsMs = endsMs;
      this.hasFailed = false;
      this.want(wanted);
      void missing.then((servers) => {
        if (!this.isOver && !this.lost.aborted) void this.quorum.mend(this.entry, servers);
      });
    } catch {
      this.hasFailed = true; // the next tick tries again, until the term is over
    } finally {
      this.renewing = undefined;
    }
    this.watch();
  }

  /** Somebody of this rank waits for it elsewhere. */
  want(rank: number | undefined): void {
    if (rank !== undefined) this.wantedRank = Math.min(this.wantedRank, rank);
  }

  /** From now on it is somebody else who keeps it alive. Resolves when nothing of ours is under way. */
  async leave(): Promise<void> {
    this.isOver = true;
    clearTimeout(this.timer);
    await this.renewing;
  }

  /** Gives it back. Not waited for by callers: the next holder is safe without it, and the term ends it at the latest. */
  release(): Promise<boolean> {
    this.isOver = true;
    clearTimeout(this.timer);
    return this.quorum.release(this.entry.id, this.entry.targets, "releases");
  }
}
