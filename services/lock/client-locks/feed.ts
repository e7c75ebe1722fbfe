import { randomBytes } from "node:crypto";
import { OverloadedError } from "../../errors/index.js";
import type { Leases } from "../leases.js";
import type { Line } from "../server.js";
import type { LockRecord } from "./record.js";
import type { LockRecords } from "./records.js";
import { Tracker } from "./tracker.js";

export type LockEventKind =
  | "HELD"
  | "ACQUIRED"
  | "RELEASED"
  | "EXPIRED"
  | "BROKEN"
  | "WAIT_STARTED"
  | "WAIT_ENDED"
  | "DEADLOCK"
  | "GAP"
  | "HEARTBEAT";

/** What happened to a lock or lease, or to somebody who waits. */
export interface LockEvent {
  readonly kind: LockEventKind;
  readonly line?: Line;
  readonly reason?: string;
  /** Who was in the circle; the first gave way. */
  readonly parties?: readonly string[];
}

export interface LockFeedLimits {
  readonly lockWatchesMax: number;
  readonly lockEventsMax: number;
  readonly watchPollMs: number;
  readonly watchHeartbeatMs: number;
}

export interface ToldEvent extends LockEvent {
  readonly token: string;
  /** What the volume has of a client's lock. */
  readonly record: LockRecord | undefined;
}

const TOKEN = /^v1\.[A-Za-z0-9_-]{12}\.[0-9]{1,15}$/;
export const isLockToken = (text: string): boolean => TOKEN.test(text);

/** A file comes to be shortly after its lock was granted. */
const RECORD_STEP_MS = 10;
const RECORD_STEPS_MAX = 50;

/** Locks and leases as they come and go, for any number of watchers, each with a bounded queue. */
export class LockFeed {
  private readonly nonce = randomBytes(9).toString("base64url");
  private told = 0;
  private readonly watchers = new Set<Queue>();
  private readonly tracker: Tracker;

  constructor(
    leases: Leases,
    private readonly records: LockRecords,
    private readonly limits: LockFeedLimits,
  ) {
    const tell = (event: LockEvent): void => {
      for (const watcher of this.watchers) watcher.push(event);
    };
    this.tracker = new Tracker(leases.quorum, records, limits.watchPollMs, tell);
  }

  /**
   * What is held now, then what happens, until `signal`. Nothing is kept for those who are away: one who comes back
   * gets a gap first.
   */
  async *watch(isResumed: boolean, signal: AbortSignal, isWanted: (line: Line) => boolean): AsyncGenerator<ToldEvent> {
    const { lockWatchesMax, lockEventsMax, watchHeartbeatMs } = this.limits;
    if (this.watchers.size >= lockWatchesMax)
      throw new OverloadedError({ what: "watches of locks", limit: lockWatchesMax });
    const queue = new Queue(lockEventsMax, () => this.tracker.held());
    this.watchers.add(queue);
    try {
      await this.tracker.begin();
      queue.start(isResumed);
      for (;;) {
        const event = await queue.next(watchHeartbeatMs, signal);
        if (event === undefined) return;
        if (event.line && !isWanted(event.line)) continue;
        this.told += 1;
        yield { ...event, record: await this.recordOf(event), token: `v1.${this.nonce}.${this.told}` };
      }
    } finally {
      this.watchers.delete(queue);
      if (this.watchers.size === 0) await this.tracker.end();
    }
  }

  private async recordOf({ line, kind }: LockEvent): Promise<LockRecord | undefined> {
    if (!line?.entry.owner.isClientLock) return undefined;
    for (let step = 0; ; step++) {
      const record = await this.records.recordOf(line.entry.id);
      if (record || kind !== "ACQUIRED" || step === RECORD_STEPS_MAX) return record;
      await new Promise((resolve) => setTimeout(resolve, RECORD_STEP_MS));
    }
  }
}

/** What one watcher has not taken yet. */
class Queue {
  private events: LockEvent[] = [];
  private wake: (() => void) | undefined;
  private isStarted = false;

  constructor(
    private readonly sizeMax: number,
    private readonly held: () => Iterable<Line>,
  ) {}

  start(isResumed: boolean): void {
    this.isStarted = true;
    this.events = [...(isResumed ? [{ kind: "GAP" as const }] : []), ...this.snapshot()];
  }

  private snapshot(): LockEvent[] {
    return [...this.held()].map((line) => ({ kind: "HELD", line }));
  }

  push(event: LockEvent): void {
    if (!this.isStarted) return;
    this.events.push(event);
    if (event.kind === "GAP") this.events.push(...this.snapshot());
    // Who is too far behind begins anew; what is held now is never more than what is in memory anyway.
    else if (this.events.length > this.sizeMax + [...this.held()].length)
      this.events = [{ kind: "GAP" }, ...this.snapshot()];
    this.wake?.();
  }

  /** The next event, or a heartbeat after `quietMs`; undefined once `signal` is aborted. */
  async next(quietMs: number, signal: AbortSignal): Promise<LockEvent | undefined> {
    if (this.events.length === 0 && !signal.aborted)
      await new Promise<void>((resolve) => {
        const end = (): void => {
          clearTimeout(timer);
          signal.removeEventListener("abort", end);
          this.wake = undefined;
          resolve();
        };
        const timer = setTimeout(end, quietMs);
        this.wake = end;
        signal.addEventListener("abort", end, { once: true });
      });
    return signal.aborted ? undefined : (this.events.shift() ?? { kind: "HEARTBEAT" });
  }
}
