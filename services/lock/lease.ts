import type { Known } from "../index/index.js";
import type { LeaseWait } from "../model/lease-wait.js";
import type { Standing } from "../model/operation-request.js";
import type { Attempt } from "../protocol/attempt.js";
import type { Plan } from "../validate/plan.js";
import type { LeaseHold } from "./leases.js";

/** What a lease is held by, as the operation sees it. */
export type Hold = Standing & Omit<LeaseHold, "id" | "entry" | "leave">;

/** Ticket of `lock`: the lease is held, the staged name exists and the batons of all paths are ours. */
export class Lease implements AsyncDisposable {
  /** What later stages hold open for the rest of the operation. */
  readonly held = new AsyncDisposableStack();
  /**
   * Set by `commit`: tells the index's announcer what the operation came to, once that is certain. `DECIDED` when it is
   * committed, but something keeps it from being seen yet.
   */
  settled: ((outcome: "COMMITTED" | "DECIDED" | "NOT_COMMITTED") => void) | undefined;

  /** Set by whoever watches: told how long the lease was held when it is given back. */
  onReleased: ((heldMs: number) => void) | undefined;
  private readonly sinceMs = performance.now();

  constructor(
    readonly plan: Plan,
    private readonly hold: Hold,
    readonly attempt: Attempt,
    /** What the index knew when the lease was won. */
    readonly known: Promise<Known>,
  ) {}

  /** Throws LOCK_LOST, or the caller's reason, when there is no point in going on. */
  assertHeld(): void {
    this.hold.assertHeld();
    this.throwIfAborted();
  }

  /** The lease is lost or the caller is gone: a reason to stop before the journal, never after. */
  throwIfAborted(): void {
    this.hold.lost.throwIfAborted();
    this.plan.operation.signal.throwIfAborted();
  }

  /** The operation is the head of its path. */
  committed(): void {
    const { id, intents, checks } = this.plan.operation;
    if (intents.length + checks.length === 1) this.hold.lastOperation = id;
  }

  /** How it was come by, for whoever watches. */
  get wait(): LeaseWait {
    const { waitedMs, hasWaited, isKept, waitedFor } = this.hold;
    return { waitedMs, hasWaited, isKept, holder: waitedFor };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.hold.release();
    this.onReleased?.(performance.now() - this.sinceMs);
    // Nobody waits for descriptors: what was written is durable, and a close that fails says so by itself.
    void Promise.all([this.held.disposeAsync(), this.attempt[Symbol.asyncDispose]()]);
  }
}
