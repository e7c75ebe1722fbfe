import type { Entry, Owner } from "./entry.js";
import type { Held } from "./held.js";
import type { LockServer } from "./server.js";

/** How long after the first server said that it may be our turn the others are waited for. */
const OTHERS_MS = 3;

/** Somebody who waits for leases: what wakes it, and what it was given meanwhile. */
export class Waiter {
  private wake: (() => void) | undefined;
  private isWoken = false;
  private said = new Set<LockServer>();
  private others: NodeJS.Timeout | undefined;
  /** A lease that a local holder passed on. */
  handed: Held | undefined;
  /** The lowest rank of those who wait for what it was granted, told before it knew of the grant. */
  wantedRank = Number.POSITIVE_INFINITY;
  /** Whether lock servers have it in their queues. */
  hasAsked = false;
  /** Somebody else's decision that it waits no longer. */
  failure: Error | undefined;
  /** Why the servers could not even say so, when they were asked last. */
  unavailable: unknown;
  /** Who was in the way, as far as it was seen. */
  waitedFor: Owner | undefined;
  /** Whether somebody holds leases while waiting for others, so that circles are possible. */
  mayBeInCircle = false;
  /** Whether it had to sleep. */
  hasSlept = false;
  readonly sinceMs = performance.now();

  constructor(
    readonly entry: Entry,
    private readonly majority: number,
  ) {}

  /** It may be its turn within this replica. */
  rouse(): void {
    this.isWoken = true;
    this.wake?.();
  }

  /** A lock server says that it may be its turn there; asking before a majority says so would be in vain. */
  go(server: LockServer): void {
    this.said.add(server);
    if (this.said.size >= this.majority) this.rouse();
    else this.others ??= setTimeout(() => this.rouse(), OTHERS_MS).unref();
  }

  fail(error: Error): void {
    this.failure = error;
    this.rouse();
  }

  /** To be called before it looks again: what comes from then on is not missed. */
  arm(): void {
    this.isWoken = false;
    this.said = new Set();
    clearTimeout(this.others);
    this.others = undefined;
  }

  /** Until it is woken, `msMax` have passed, or `signal`. */
  async sleep(msMax: number, signal: AbortSignal): Promise<void> {
    if (this.isWoken || signal.aborted) return;
    this.hasSlept = true;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        this.wake = undefined;
        resolve();
      };
      const timer = setTimeout(end, msMax);
      this.wake = end;
      signal.addEventListener("abort", end, { once: true });
    });
  }
}
