import { ulid } from "ulid";
import { LockEndedError, LockSupersededError, OverloadedError, RequestIdReusedError } from "../../errors/index.js";
import type { LeaseId } from "../../model/operation.js";
import type { LeaseHold, Leases } from "../leases.js";
import { type Line, textOf, tuplesOf } from "../server.js";
import type { Target } from "../target.js";
import type { Fence } from "./fence.js";
import type { LockRecord } from "./record.js";
import type { LockRecords } from "./records.js";
import { askAll, look } from "./seen.js";

/** What a client wants to lock. */
export interface Wanted {
  /** None of them overlaps another one. */
  readonly targets: readonly Target[];
  readonly ttlMs: number;
  readonly waitMs: number;
  readonly priority: number;
  /** Empty when the caller gave none: then a repeated call is a new lock. */
  readonly requestId: string;
  /** Over all that is asked for, in hex. */
  readonly requestSha256: string;
  readonly name: string;
  /** Who holds and waits as one; empty for this lock alone. */
  readonly party: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly traceId: string;
  readonly signal: AbortSignal;
}

/** A lock that is held. */
export interface HeldLock {
  readonly record: LockRecord;
  readonly remainingMs: number;
}

/**
 * Locks of clients: entries of the lock servers' books that no replica renews, each with a file on the volume. The file
 * outlives Redis, and says that nobody has taken the lock's place; the tokens are epochs of batons.
 */
export class ClientLocks {
  constructor(
    private readonly leases: Leases,
    readonly records: LockRecords,
    private readonly fence: Fence,
    private readonly limits: {
      readonly locksMax: number;
      /** How long it is kept what became of a lock that was broken, for a call that is repeated. */
      readonly requestIdKeepMs: number;
    },
  ) {}

  private get quorum() {
    return this.leases.quorum;
  }

  /** Waits for all targets. Throws LOCK_TIMEOUT, LOCK_UNAVAILABLE and whatever else ends a wait. */
  async acquire(wanted: Wanted): Promise<{ lock: HeldLock; waitedMs: number }> {
    const earlier = await this.earlier(wanted);
    if (earlier) return { lock: earlier, waitedMs: 0 };
    await this.makeRoom();
    const hold = await this.leases.acquire({
      targets: wanted.targets,
      path: pathOf(wanted.targets),
      waitMs: wanted.waitMs,
      signal: wanted.signal,
      owner: {
        party: wanted.party || ulid(),
        name: wanted.name,
        operation: "",
        traceId: wanted.traceId,
        spanId: "",
        isClientLock: true,
        priority: wanted.priority,
      },
    });
    try {
      return { lock: await this.establish(wanted, hold), waitedMs: hold.waitedMs };
    } catch (error) {
      await this.records.remove([hold.id]).catch(() => undefined);
      hold.release();
      throw error;
    }
  }

  /**
   * Makes a lock of what was granted. First everybody whose place it takes is kept from publishing: those under locks
   * that have ended by their files, all others by the epochs (I3). Then it is kept on the volume, then given its term.
   */
  private async establish(wanted: Wanted, hold: LeaseHold): Promise<HeldLock> {
    const { entry } = hold;
    const { ttlMs, requestId, requestSha256, labels } = wanted;
    await this.records.remove(await this.records.conflicting(entry.targets, entry.id));
    const exclusive = entry.targets.filter(({ mode }) => mode === "exclusive").map(({ path }) => path);
    const { tokens } = await this.fence.raise(exclusive);
    const rising = tokens[Symbol.iterator]();
    const record = {
      entry,
      tokens: entry.targets.map(({ mode }) => (mode === "exclusive" ? (rising.next().value ?? 0) : 0)),
      ttlMs,
      requestId,
      requestSha256,
      labels,
      acquireTimeMs: Date.now(),
    };
    await this.records.add(record);
    await hold.leave();
    wanted.signal.throwIfAborted();
    if (!(await this.prolong(record, ttlMs)))
      throw new LockEndedError({ lockId: entry.id, path: pathOf(entry.targets) });
    return { record, remainingMs: ttlMs };
  }

  /** Whether a majority of the servers has it and lets it last for `ttlMs` from now on. */
  private async prolong({ entry }: LockRecord, ttlMs: number): Promise<boolean> {
    const replies = await askAll(this.quorum, pathOf(entry.targets), "renew", entry.id, ttlMs);
    return replies.filter(([result]) => result === 1).length >= this.quorum.majority;
  }

  /** The lock that this request got already, if it still lasts. */
  private async earlier({ requestId, requestSha256 }: Wanted): Promise<HeldLock | undefined> {
    if (requestId === "") return undefined;
    for (const record of await this.records.all()) {
      if (record.requestId !== requestId) continue;
      const lock = await this.find(record.entry.id);
      if (!lock) continue;
      if (record.requestSha256 === requestSha256) return lock;
      throw new RequestIdReusedError({ requestId, operationId: record.entry.id, field: "request_id" });
    }
    return undefined;
  }

  /** A lock that lasts. */
  async find(id: LeaseId): Promise<HeldLock | undefined> {
    const record = await this.records.recordOf(id);
    if (!record) return undefined;
    const line = await look(this.quorum, id, pathOf(record.entry.targets));
    // Files of locks that others ended may still be remembered here.
    if (!line || !(await this.records.isThere(id))) return undefined;
    return { record, remainingMs: line.remainingMs };
  }

  /** Lets it last for `ttlMs` from now on. Throws LOCK_LOST when it has ended. */
  async renew(id: LeaseId, ttlMs: number): Promise<HeldLock> {
    const kept = await this.records.kept(id);
    if (!kept || !(await this.records.touch(kept.record, ttlMs))) throw new LockEndedError({ lockId: id });
    const { record } = kept;
    if (await this.prolong(record, ttlMs)) return { record, remainingMs: ttlMs };
    const path = pathOf(record.entry.targets);
    const nowMs = (await this.records.kept(id))?.touchedMs ?? Number.POSITIVE_INFINITY;
    if (nowMs - kept.touchedMs < kept.ttlMs) {
      // It cannot have expired, and nobody has ended it: servers have forgotten it, and do not vote yet.
      await askAll(this.quorum, path, "install", id, textOf(record.entry), ttlMs);
      if (await this.records.isThere(id)) return { record, remainingMs: ttlMs };
    }
    await this.end(record, "ends");
    throw new LockEndedError({ lockId: id, path });
  }

  /** Ends it. False when it had ended before. */
  async release(id: LeaseId): Promise<boolean> {
    const record = await this.records.recordOf(id);
    return record !== undefined && (await this.end(record, "releases")) !== undefined;
  }

  /** What ends a lock: first its file, then what the servers know. Returns how it was; undefined when it had ended. */
  async end({ entry }: LockRecord, why: string): Promise<Line | undefined> {
    const path = pathOf(entry.targets);
    const line = await look(this.quorum, entry.id, path);
    const removed = await this.records.remove([entry.id]);
    await askAll(this.quorum, path, "release", entry.id, why, JSON.stringify(tuplesOf(entry.targets)));
    return removed.length > 0 ? line : undefined;
  }

  /** Throws LOCK_LOST when it does not last now. */
  async assertLasts(id: LeaseId, path: string): Promise<void> {
    if (!(await this.find(id))) throw new LockEndedError({ lockId: id, path });
  }

  /** The lock under which something is to be done. Throws LOCK_LOST when it is known to have ended. */
  async using(id: LeaseId, path: string): Promise<LockRecord> {
    const record = await this.records.recordOf(id);
    if (!record) throw new LockEndedError({ lockId: id, path });
    return record;
  }

  /**
   * Throws LOCK_FENCED when somebody has ended the lock or taken its place. To be called with the batons held: whoever
   * takes its place removes its file and then stops those who hold batons, so nobody slips through in between (I3).
   */
  async assertInForce(id: LeaseId, path: string): Promise<void> {
    if (!(await this.records.isThere(id))) throw new LockSupersededError({ lockId: id, path });
  }

  private async makeRoom(): Promise<void> {
    const { locksMax } = this.limits;
    if ((await this.records.all()).length < locksMax) return;
    await this.clean();
    if ((await this.records.all()).length >= locksMax) throw new OverloadedError({ what: "locks", limit: locksMax });
  }

  /**
   * Removes the files of locks that are over. That they are is known for certain once all that they cover can be had: a
   * server that has forgotten a lock does not vote.
   */
  async clean(): Promise<number> {
    let removed = 0;
    for (const { entry } of await this.records.all()) {
      const path = pathOf(entry.targets);
      if (await look(this.quorum, entry.id, path)) continue;
      const targets = entry.targets.map((target) => ({ ...target, mode: "exclusive" as const }));
      const owner = { ...entry.owner, party: entry.owner.party || ulid(), operation: "", isClientLock: false };
      const request = { targets, path, waitMs: 0, signal: new AbortController().signal, owner };
      const hold = await this.leases.acquire(request).catch(() => undefined);
      if (!hold) continue; // somebody has it: whoever locks it removes the file
      removed += (await this.records.remove([entry.id])).length;
      hold.release();
    }
    await this.records.removeRest(this.limits.requestIdKeepMs);
    return removed;
  }
}

/** What errors name. */
export const pathOf = (targets: readonly Target[]): string => targets[0]?.path || "/";
