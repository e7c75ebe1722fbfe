import { randomBytes } from "node:crypto";
import { Redis, type RedisOptions } from "ioredis";
import {
  ArgumentInvalidError,
  LockDeadlockError,
  LockLostError,
  LockTimeoutError,
  LockUnavailableError,
} from "../errors/index.js";
import type { LeaseId, OperationId } from "../model/operation.js";
import type { FilePath } from "../model/path.js";
import { type Entry, type Owner, soloPath } from "./entry.js";
import { Held } from "./held.js";
import { Lines } from "./lines.js";
import { type EndOf, type Granted, Quorum } from "./quorum.js";
import { LockServer, type Safety, type ServerLimits } from "./server.js";
import { normalised, type Target } from "./target.js";
import { Waiter } from "./waiter.js";

export interface LeaseLimits extends ServerLimits {
  /** A waiter looks again after this, should a wake-up be lost. */
  readonly wakeUpMsMax: number;
  /** How long a lease that nobody uses is kept for the next operation on its path; 0 gives it back at once. */
  readonly leaseKeepMs: number;
  readonly leasesKeptMax: number;
  /** How much earlier, of those who wait, one point of priority counts as having come. */
  readonly agingMs: number;
}

export interface LeaseRequest {
  readonly targets: readonly Target[];
  /** What errors name. */
  readonly path: string;
  readonly waitMs: number;
  readonly signal: AbortSignal;
  readonly owner: Omit<Owner, "sinceMs" | "incarnation">;
  /** Holds what is in the way of this one, and covers it. */
  readonly under?: LeaseId | "";
  /** Called when the lock servers are asked for the first time: what is asked elsewhere at the same time costs no wait. */
  readonly onAsking?: () => void;
}

/** Leases of an operation, or of whoever goes through several. They give order and deadlines; safety never depends on them. */
export interface LeaseHold {
  readonly id: LeaseId;
  readonly entry: Entry;
  /** Aborted with LOCK_LOST when the term ran out, by the monotonic clock, before it could be renewed. */
  readonly lost: AbortSignal;
  /** Throws LOCK_LOST when the lease may be over, even if nobody has had time to say so. */
  assertHeld(): void;
  readonly waitedMs: number;
  /** Whether somebody was in the way. */
  readonly hasWaited: boolean;
  /** Who was in the way, as far as it was seen. */
  readonly waitedFor: Owner | undefined;
  /** Whether no lock server had to be asked. */
  readonly isKept: boolean;
  /** The last operation that was committed under this lease, for one path alone; set by whoever commits the next. */
  lastOperation: OperationId | undefined;
  /** Gives it back, without waiting for the lock servers. */
  release(): void;
  /** Is renewed no longer, and stays for its term: a client's lock is renewed by its client. */
  leave(): Promise<void>;
}

/** Waiting, as others see it. */
export interface Waiting {
  readonly entry: Entry;
  readonly waitedMs: number;
  /** Whether somebody holds leases while waiting for others, so that circles are possible. */
  readonly mayBeInCircle: boolean;
  /** Ends the wait with `error`. */
  fail(error: Error): void;
}

const SETTLE_STEP_MS = 5;
const CLOCK_STEP_US = 1_000_000;
/** More than these who ask look again less often, so that looking costs the servers the same. */
const ASKERS_MAX = 20;

/**
 * How long servers keep somebody in the queue who does not ask again. So long, at most, whoever died at the head of the
 * queue keeps others from their turn; with more than 20 who wait at one replica for other things than one path, longer,
 * up to a term.
 */
export const queueMs = ({ wakeUpMsMax, commandTimeoutMs }: LeaseLimits): number =>
  Math.ceil(3 * wakeUpMsMax + commandTimeoutMs);

/**
 * How long nobody may get what many want: who died holding it, or after a minority of the servers had granted it, is out
 * for a term; who asks while a server freezes waits for it once; and who was not told looks again. Without dead replicas
 * it is less by the term.
 */
export const stallMsMax = (limits: LeaseLimits, died = true): number =>
  (died ? limits.leaseMs : 0) + queueMs(limits) + limits.commandTimeoutMs + limits.wakeUpMsMax;

/**
 * Leases over N independent lock servers: who asks first gets them first, within a priority, over all replicas. Within
 * the replica they are passed from one operation to the next as long as nobody elsewhere has waited longer.
 */
export class Leases {
  readonly quorum: Quorum;
  private readonly waiters = new Map<LeaseId, Waiter>();
  private readonly held = new Map<LeaseId, Held>();
  private readonly lines: Lines;
  /** Names requests, before there is an incarnation too. In hex: people type the ids of locks, and a dash first is an option. */
  private readonly nonce = randomBytes(9).toString("hex");
  private requests = 0;
  private arrivedUs = 0;
  /** Those who are in the servers' queues. */
  private askers = 0;
  /** Through whom it holds and waits, for people. */
  incarnation = "";

  constructor(
    urls: readonly string[],
    volumeId: string,
    private readonly limits: LeaseLimits,
    safety: Safety,
    onError: (error: Error) => void,
    /** A simulation hands in a Redis of its own. */
    connect = (to: string, options: RedisOptions): Redis => new Redis(to, options),
  ) {
    const listener = {
      go: (server: LockServer, id: LeaseId) => this.waiters.get(id)?.go(server),
      want: (id: LeaseId, rank: number) => this.want(id, rank),
    };
    const own: Safety = {
      isNothingGranted: async () =>
        this.held.size === 0 && !this.quorum.isGranting && (await safety.isNothingGranted()),
      restore: (server) => safety.restore(server),
    };
    const servers = urls.map((url) => new LockServer(url, volumeId, limits, own, listener, onError, connect));
    this.quorum = new Quorum(servers, limits.leaseMs);
    this.lines = new Lines(limits.leaseKeepMs, limits.leasesKeptMax, (held) => this.giveBack(held));
  }

  /** Resolves once a majority of the servers answers. They may vote only later, after having forgotten leases. */
  connected(): Promise<void> {
    return this.quorum.reached((server) => server.isConnected);
  }

  /** Resolves once a majority of the servers votes. */
  voting(): Promise<void> {
    return this.quorum.reached((server) => server.isVoting);
  }

  /**
   * Waits for all of the targets. Throws LOCK_TIMEOUT after `waitMs`, LOCK_UNAVAILABLE when no majority of the servers
   * answers, or none may vote until then, LOCK_LOST when what it was to act under has ended, the signal's reason when the caller is gone, and whatever
   * ended the wait otherwise.
   */
  async acquire(request: LeaseRequest): Promise<LeaseHold> {
    const entry = this.entryOf(request);
    const waiter = new Waiter(entry, this.quorum.majority);
    const path = soloPath(entry);
    this.waiters.set(entry.id, waiter);
    if (path) this.lines.join(path, waiter);
    try {
      return await this.wait(waiter, path, request);
    } catch (error) {
      this.giveUp(waiter, path);
      throw error;
    } finally {
      this.waiters.delete(entry.id);
      if (waiter.hasAsked) this.askers -= 1;
    }
  }

  private entryOf({ targets, owner, under = "" }: LeaseRequest): Entry {
    this.requests += 1;
    const id = `${this.nonce}.${this.requests}` as LeaseId;
    const rank = under === "" ? Math.max(1, this.arrivalUs() - owner.priority * this.limits.agingMs * 1000) : 1;
    const full = { ...owner, incarnation: this.incarnation, sinceMs: Date.now() };
    const sorted = normalised(targets);
    if (sorted.length === 0) throw new ArgumentInvalidError({ field: "targets", problem: "none are given" });
    return { id, targets: sorted, rank, under, owner: full };
  }

  /** By the lock servers' clock. What is known of it gets better all the time, and yet who comes later gets more. */
  private arrivalUs(): number {
    const nowUs = this.quorum.nowUs();
    const isSetBack = nowUs < this.arrivedUs - CLOCK_STEP_US;
    this.arrivedUs = isSetBack ? nowUs : Math.max(nowUs, this.arrivedUs + 1);
    return this.arrivedUs;
  }

  private async wait(waiter: Waiter, path: FilePath | undefined, request: LeaseRequest): Promise<LeaseHold> {
    const { signal, waitMs } = request;
    for (;;) {
      if (waiter.failure) throw waiter.failure;
      signal.throwIfAborted();
      const { handed } = waiter;
      if (handed && handed.remainingMs > 0) return this.use(waiter, path, handed);
      if (handed && path) this.refuse(waiter, path, handed);
      const mayAsk = path === undefined || this.lines.mayAsk(path, waiter);
      const held = mayAsk ? await this.ask(waiter, request) : undefined;
      if (held) return this.use(waiter, path, held);
      const waitedMs = performance.now() - waiter.sinceMs;
      if (waitedMs >= waitMs && !waiter.handed) throw timeoutOf(waiter, request.path, waitedMs);
      // Jitter, so that replicas that lost the same race do not meet again.
      const againMs = mayAsk ? this.lookMs * (0.5 + Math.random() / 2) : Number.POSITIVE_INFINITY;
      await waiter.sleep(Math.min(waitMs - waitedMs, againMs), signal);
      waiter.arm();
    }
  }

  /** What it was handed is over by now. */
  private refuse(waiter: Waiter, path: FilePath, handed: Held): void {
    waiter.handed = undefined;
    this.lines.join(path, waiter);
    this.lines.pass(path, handed);
  }

  /** Asks the servers once. */
  private async ask(waiter: Waiter, { path, waitMs, onAsking }: LeaseRequest): Promise<Held | undefined> {
    const { entry } = waiter;
    this.lines.yieldTo(entry);
    const isFirst = !waiter.hasAsked;
    if (isFirst) this.askers += 1;
    waiter.hasAsked = true;
    const queuedMs = waitMs > 0 ? queueMs({ ...this.limits, wakeUpMsMax: this.lookMs }) : 0;
    const asked = this.quorum.acquire(entry, queuedMs);
    if (isFirst) onAsking?.();
    const vote = await asked;
    if (vote.is === "granted") return this.hold(waiter, vote, path);
    if (vote.is === "silent") throw new LockUnavailableError({ path }, vote.error);
    if (vote.is === "lost") throw new LockLostError({ path });
    waiter.unavailable = vote.is === "early" ? vote.error : undefined;
    if (vote.is === "refused") {
      waiter.mayBeInCircle = vote.parties;
      waiter.waitedFor = vote.blocker?.entry.owner ?? waiter.waitedFor;
    }
    return undefined;
  }

  private hold(waiter: Waiter, { lock, endsMs, wanted }: Granted, name: string): Held {
    const { entry } = waiter;
    const held = new Held(this.quorum, entry, lock, endsMs, this.limits.leaseMs, name);
    this.held.set(entry.id, held);
    held.want(wanted);
    held.want(waiter.wantedRank);
    const path = soloPath(entry);
    if (path) held.lost.addEventListener("abort", () => this.lines.lose(path, held), { once: true });
    return held;
  }

  /** After how long a waiter looks again by itself. */
  private get lookMs(): number {
    const { wakeUpMsMax, leaseMs, commandTimeoutMs } = this.limits;
    const lookMsMax = Math.max(wakeUpMsMax, (leaseMs - commandTimeoutMs) / 3);
    return Math.min(lookMsMax, wakeUpMsMax * Math.max(1, this.askers / ASKERS_MAX));
  }

  private use(waiter: Waiter, path: FilePath | undefined, held: Held): LeaseHold {
    const { entry, handed, hasAsked, hasSlept, sinceMs } = waiter;
    if (path) this.lines.leave(path, waiter, held);
    // Handed to it while the servers granted it another one.
    if (handed && handed !== held) this.giveBack(handed);
    const isKept = held.entry.id !== entry.id;
    if (isKept && hasAsked) void this.quorum.release(entry.id, entry.targets, "leaves");
    // Within a replica it is passed on by whoever used it last.
    const waitedFor = (isKept && hasSlept ? held.user : undefined) ?? waiter.waitedFor;
    held.user = entry.owner;
    let isReleased = false;
    return {
      id: held.entry.id,
      entry: held.entry,
      lost: held.lost,
      assertHeld: () => {
        if (held.remainingMs <= 0) held.lost.throwIfAborted();
      },
      waitedMs: performance.now() - sinceMs,
      hasWaited: hasSlept || waitedFor !== undefined,
      waitedFor,
      isKept,
      get lastOperation() {
        return held.lastOperation;
      },
      set lastOperation(operation) {
        held.lastOperation = operation;
      },
      release: () => {
        if (isReleased) return;
        isReleased = true;
        if (path) this.lines.pass(path, held);
        else this.giveBack(held);
      },
      leave: async () => {
        await held.leave();
        this.held.delete(held.entry.id);
      },
    };
  }

  /** It waits no longer, without having got anything. */
  private giveUp(waiter: Waiter, path: FilePath | undefined): void {
    const { entry, handed, hasAsked } = waiter;
    if (path && handed) this.lines.pass(path, handed);
    else if (path) this.lines.leave(path, waiter, undefined);
    if (hasAsked) void this.quorum.release(entry.id, entry.targets, endOf(waiter));
  }

  private giveBack(held: Held): void {
    this.held.delete(held.entry.id);
    void held.release();
  }

  private want(id: LeaseId, rank: number): void {
    const held = this.held.get(id);
    const waiter = this.waiters.get(id);
    if (!held && waiter) waiter.wantedRank = Math.min(waiter.wantedRank, rank);
    if (!held) return;
    held.want(rank);
    const path = soloPath(held.entry);
    if (path) this.lines.want(path);
  }

  /** How many wait here, and how many leases this replica has, used or kept. */
  get counts(): { readonly waiting: number; readonly held: number } {
    return { waiting: this.waiters.size, held: this.held.size };
  }

  /** Those who wait here. */
  *waiting(): Generator<Waiting> {
    for (const waiter of this.waiters.values()) {
      const { entry, sinceMs, mayBeInCircle } = waiter;
      const waitedMs = performance.now() - sinceMs;
      yield { entry, waitedMs, mayBeInCircle, fail: (error) => waiter.fail(error) };
    }
  }

  /** Waits until the servers have taken back what was released, or `signal` ends the wait. Gives back what is kept. */
  async settled(signal: AbortSignal): Promise<void> {
    this.lines.clear();
    while ((this.held.size > 0 || this.quorum.isReleasing) && !signal.aborted)
      await new Promise((resolve) => setTimeout(resolve, SETTLE_STEP_MS));
  }

  close(): void {
    for (const server of this.quorum.servers) server.close();
  }
}

/** How people call who is in the way. */
function holderOf(owner: Owner | undefined): string | undefined {
  if (!owner) return undefined;
  const { name, operation, incarnation, isClientLock } = owner;
  if (isClientLock) return name === "" ? "a client's lock" : `the lock of ${name}`;
  return `operation ${operation} of replica ${incarnation}`;
}

/** What is to be said to somebody who has waited long enough. */
function timeoutOf({ unavailable, waitedFor }: Waiter, path: string, waitedMs: number): Error {
  if (unavailable) return new LockUnavailableError({ path }, unavailable);
  return new LockTimeoutError({ path, waitedMs, holder: holderOf(waitedFor) });
}

/** Whoever has to give way says so, for those who watch. */
function endOf({ failure }: Waiter): EndOf {
  if (!(failure instanceof LockDeadlockError)) return "leaves";
  return `circles.${Buffer.from(JSON.stringify(failure.parties)).toString("base64url")}`;
}
