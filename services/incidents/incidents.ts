import { ulid } from "ulid";
import type { Incident, IncidentKind, Noticed } from "./incident.js";
import type { Ledger } from "./ledger.js";

export interface IncidentLimits {
  /** Incidents of one kind recorded in a minute; of more, only the number. */
  readonly incidentsPerMinuteMax: number;
}

const MINUTE_MS = 60_000;
/** What waits for a volume that is slow; more is only logged. */
const QUEUE_MAX = 64;

interface Window {
  readonly startMs: number;
  readonly seen: Set<string>;
  left: number;
  more: number;
}

/** What is wrong for a time, and is over at some point. */
interface Condition {
  readonly incident: Incident;
  recorded: boolean;
}

/**
 * Records what went wrong. Nobody waits for it and nothing it does fails: what cannot be recorded, because the volume is
 * full, read-only or silent, is only logged.
 */
export class Incidents {
  /** Who records; known once it has begun. */
  incarnation = "";
  /** Woken when this replica has recorded something; others are noticed by looking at the volume. */
  private readonly listeners = new Set<() => void>();
  private readonly windows = new Map<IncidentKind, Window>();
  private readonly conditions = new Map<string, Condition>();
  private readonly queue: (() => Promise<unknown>)[] = [];
  private working: Promise<void> | undefined;

  constructor(
    readonly ledger: Ledger,
    private readonly limits: IncidentLimits,
    private readonly onError: (incident: string, error: unknown) => void,
  ) {}

  /** Something happened. `key` tells the same thing noticed again within a minute. */
  report(noticed: Noticed, key: string = ulid()): void {
    const window = this.windowOf(noticed.kind);
    if (window.seen.has(key)) return;
    if (window.left === 0) {
      window.more += 1;
      return;
    }
    window.left -= 1;
    window.seen.add(key);
    this.enqueue(this.complete({ resolveTimeMs: Date.now(), ...noticed }));
  }

  /** Something that must not be lost among many of its kind: recorded when this returns, or logged. */
  async record(noticed: Noticed): Promise<void> {
    const incident = this.complete({ resolveTimeMs: Date.now(), ...noticed });
    await this.attempt(incident.message, () => this.ledger.add(incident));
  }

  /** Something is wrong from now on. */
  open(key: string, noticed: Noticed, isRecordable = true): void {
    if (this.conditions.has(key)) return;
    const condition = { incident: this.complete(noticed), recorded: false };
    this.conditions.set(key, condition);
    if (!isRecordable) return;
    this.enqueueWork(condition.incident.message, async () => {
      await this.ledger.add(condition.incident);
      condition.recorded = true;
    });
  }

  /** It is over. */
  close(key: string): void {
    const condition = this.conditions.get(key);
    if (!condition) return;
    this.conditions.delete(key);
    const { incident } = condition;
    const resolveTimeMs = Date.now();
    this.enqueueWork(incident.message, () =>
      condition.recorded
        ? this.ledger.resolve(incident.id, resolveTimeMs)
        : this.ledger.add({ ...incident, resolveTimeMs }),
    );
  }

  /** What this replica had noticed and will not see the end of. */
  closeAll(): void {
    for (const key of this.conditions.keys()) this.close(key);
  }

  /**
   * A dead incarnation is about to be closed. Recorded before that, under its own id: so it is recorded once, however
   * many survivors there are, and not lost when they die as well. Never throws.
   */
  async died(subject: string): Promise<void> {
    const message = `Replica ${subject} died; what it left under way was stopped or finished.`;
    const noticed = { kind: "REPLICA_DEAD" as const, subject, message, resolveTimeMs: Date.now() };
    await this.attempt(message, async () => {
      await this.ledger.add({ ...this.complete(noticed), id: subject });
      for (const { incident } of await this.ledger.all())
        if (incident.incarnation === subject && incident.resolveTimeMs === undefined)
          await this.ledger.resolve(incident.id, Date.now());
    });
  }

  /** Waits until all that was reported is recorded or given up. */
  async settled(): Promise<void> {
    for (const [kind, window] of this.windows) this.endWindow(kind, window);
    await this.working;
  }

  /** Calls `listener` after each record; returns what ends that. */
  listen(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private complete(noticed: Noticed): Incident {
    return {
      createTimeMs: Date.now(),
      subject: "",
      operation: "",
      path: "",
      revision: 0,
      traceId: "",
      ...noticed,
      id: ulid(),
      incarnation: this.incarnation,
    };
  }

  private windowOf(kind: IncidentKind): Window {
    const nowMs = performance.now();
    const before = this.windows.get(kind);
    if (before && nowMs - before.startMs < MINUTE_MS) return before;
    if (before) this.endWindow(kind, before);
    const window = { startMs: nowMs, seen: new Set<string>(), left: this.limits.incidentsPerMinuteMax, more: 0 };
    this.windows.set(kind, window);
    setTimeout(() => this.endWindow(kind, window), MINUTE_MS).unref();
    return window;
  }

  /** Says how many more there were. */
  private endWindow(kind: IncidentKind, window: Window): void {
    if (window.more === 0) return;
    const message = `${window.more} more of this kind within a minute were not recorded one by one.`;
    window.more = 0;
    this.enqueue(this.complete({ kind, message, resolveTimeMs: Date.now() }));
  }

  private enqueue(incident: Incident): void {
    this.enqueueWork(incident.message, () => this.ledger.add(incident));
  }

  private enqueueWork(what: string, work: () => Promise<unknown>): void {
    if (this.queue.length >= QUEUE_MAX) {
      this.onError(what, new Error(`${QUEUE_MAX} incidents wait to be recorded already`));
      return;
    }
    this.queue.push(() => this.attempt(what, work));
    this.working ??= this.work();
  }

  private async work(): Promise<void> {
    for (let next = this.queue.shift(); next; next = this.queue.shift()) await next();
    this.working = undefined;
  }

  private async attempt(what: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
      for (const listener of this.listeners) listener();
    } catch (error) {
      this.onError(what, error);
    }
  }
}
