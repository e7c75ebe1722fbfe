import { randomUUID } from "node:crypto";
import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";
import type { CallOptions } from "./call-options.js";
import { present } from "./change.js";
import type { Channel } from "./channel.js";
import { follow } from "./follow.js";
import {
  type BreakLockResponse,
  type GetWaitGraphResponse,
  type Lock,
  type LockEntry,
  LockMode,
  LockScope,
  LockService,
  type WatchLocksResponse,
} from "./gen/safefile/v1/lock_service_pb.js";
import { HeldLock } from "./held-lock.js";

/** A path, or how much of it and with whom. */
export type LockWish =
  | string
  | {
      /** "" is the root; it can be locked with all below it only. */
      readonly path: string;
      /** Also everything below it. */
      readonly subtree?: boolean;
      /** Together with others who share it. Nobody changes it meanwhile. */
      readonly shared?: boolean;
    };

export interface LockOptions extends CallOptions {
  /** How long it lasts unless renewed; the server's default unless given. */
  readonly ttlMs?: number;
  /** How long to wait for it. 0 does not wait; the server's default unless given. */
  readonly lockWaitMs?: number;
  /** Who goes first among those waiting: -100 to 100, higher first. */
  readonly priority?: number;
  /** Makes a repeat of the whole call safe. A random UUID unless given. */
  readonly requestId?: string;
  /** What the caller calls itself, for people. */
  readonly owner?: string;
  /** The same for all locks that are held together, so that circles of waits are found. */
  readonly session?: string;
  /** Kept with the lock, for people. No secrets. */
  readonly labels?: Readonly<Record<string, string>>;
}

export interface LocksOptions extends CallOptions {
  /** Only those that cover, or lie at or below, this path. */
  readonly path?: string;
  /** Not the leases of changes. */
  readonly clientLocksOnly?: boolean;
  readonly pageSize?: number;
}

export interface LockWatchOptions extends Pick<CallOptions, "signal" | "volume"> {
  readonly path?: string;
  readonly clientLocksOnly?: boolean;
  /** `resumeToken` of the last message seen. What is held now, then what happens, unless given. */
  readonly resumeToken?: string;
}

type Call = <I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  request: MessageInitShape<I>,
  options?: CallOptions,
) => Promise<MessageShape<O>>;

const PAGE_SIZE = 1_000;

/** Locks over several calls: `client.locks`. */
export class Locks {
  readonly #channel: Channel;
  readonly #call: Call;
  readonly #volumeOf: (options: CallOptions) => string;
  readonly #deadlineMs: number;

  constructor(channel: Channel, call: Call, volumeOf: (options: CallOptions) => string, deadlineMs: number) {
    this.#channel = channel;
    this.#call = call;
    this.#volumeOf = volumeOf;
    this.#deadlineMs = deadlineMs;
  }

  /** Locks all of the paths or none. It lasts for its time to live; whoever needs it longer renews it. */
  async acquire(wishes: LockWish | readonly LockWish[], options: LockOptions = {}): Promise<Lock> {
    const { ttlMs, lockWaitMs, priority = 0, requestId = randomUUID(), owner = "", session = "", labels } = options;
    const request = {
      volume: this.#volumeOf(options),
      targets: (Array.isArray(wishes) ? wishes : [wishes]).map(targetOf),
      ...(ttlMs === undefined ? {} : { ttl: durationFromMs(ttlMs) }),
      ...(lockWaitMs === undefined ? {} : { lockWait: durationFromMs(lockWaitMs) }),
      priority,
      requestId,
      ownerName: owner,
      session,
      labels: { ...labels },
    };
    const deadlineMs = options.deadlineMs ?? this.#deadlineMs + (lockWaitMs ?? 0);
    const { lock } = await this.#call(LockService.method.acquireLock, request, { ...options, deadlineMs });
    return present(lock);
  }

  /** Lets a lock last for `ttlMs` from now on. LOCK_LOST when it has ended. */
  async renew(lockId: string, options: CallOptions & { readonly ttlMs?: number } = {}): Promise<Lock> {
    const { ttlMs } = options;
    const request = { lockId, ...(ttlMs === undefined ? {} : { ttl: durationFromMs(ttlMs) }) };
    const { lock } = await this.#call(LockService.method.renewLock, request, options);
    return present(lock);
  }

  /** Ends a lock. False when it had ended already. */
  async release(lockId: string, options: CallOptions = {}): Promise<boolean> {
    return (await this.#call(LockService.method.releaseLock, { lockId }, options)).released;
  }

  /**
   * Locks, and renews the lock until it is disposed of, which releases it. Its `signal` is aborted when it is lost:
   *
   *     await using held = await client.locks.hold("reports");
   *     await client.write("reports/a", bytes, { lockId: held.lockId, signal: held.signal });
   */
  async hold(wishes: LockWish | readonly LockWish[], options: LockOptions = {}): Promise<HeldLock> {
    const { lockId, remaining } = await this.acquire(wishes, options);
    const ttlMs = remaining ? durationMs(remaining) : 0;
    // Nobody knows how long the answer was under way, but of a renewal it is known when it was asked for.
    const askedMs = performance.now();
    try {
      const lock = await this.renew(lockId, { ...options, ttlMs });
      return new HeldLock(this, lock, ttlMs, askedMs);
    } catch (error) {
      // Nobody else knows its id.
      await this.release(lockId).catch(() => undefined);
      throw error;
    }
  }

  /**
   * Runs `work` while holding the lock, and releases it afterwards. When it is lost meanwhile, its `signal` is aborted and
   * the whole fails with that, also when `work` does not: what it did last may not have been alone.
   */
  async withLock<T>(
    wishes: LockWish | readonly LockWish[],
    work: (held: HeldLock) => Promise<T>,
    options: LockOptions = {},
  ): Promise<T> {
    await using held = await this.hold(wishes, options);
    const result = await work(held);
    held.throwIfLost();
    return result;
  }

  /** Who holds and who waits, over all pages. */
  async *list(options: LocksOptions = {}): AsyncGenerator<LockEntry> {
    const { path = "", clientLocksOnly = false, pageSize = PAGE_SIZE } = options;
    const request = { volume: this.#volumeOf(options), path, clientLocksOnly, pageSize };
    for (let pageToken = ""; ; ) {
      const page = await this.#call(LockService.method.listLocks, { ...request, pageToken }, options);
      yield* page.locks;
      pageToken = page.nextPageToken;
      if (pageToken === "") return;
    }
  }

  /** Who waits for whom, over all replicas. */
  waitGraph(options: CallOptions = {}): Promise<GetWaitGraphResponse> {
    return this.#call(LockService.method.getWaitGraph, { volume: this.#volumeOf(options) }, options);
  }

  /** Ends somebody else's lock, and stops the change that uses it. `reason` is kept. */
  break(
    lockId: string,
    reason: string,
    options: CallOptions & { readonly requestId?: string } = {},
  ): Promise<BreakLockResponse> {
    const { requestId = randomUUID() } = options;
    return this.#call(LockService.method.breakLock, { lockId, reason, requestId }, options);
  }

  /** What is held, then what happens, until `signal` is aborted. Goes on by itself after a break, with a GAP first. */
  watch(options: LockWatchOptions = {}): AsyncGenerator<WatchLocksResponse> {
    const { path = "", clientLocksOnly = false, resumeToken: from = "", signal } = options;
    const volume = this.#volumeOf(options);
    const request = (resumeToken: string) => ({ volume, path, clientLocksOnly, resumeToken });
    const positionOf = (event: WatchLocksResponse) => event.resumeToken;
    return follow(this.#channel, { method: LockService.method.watchLocks, from, request, positionOf }, signal);
  }
}

function targetOf(wish: LockWish) {
  const { path, subtree = false, shared = false } = typeof wish === "string" ? { path: wish } : wish;
  return {
    path,
    scope: subtree ? LockScope.SUBTREE : LockScope.PATH,
    mode: shared ? LockMode.SHARED : LockMode.EXCLUSIVE,
  };
}
