import { Redis, type RedisOptions } from "ioredis";
import Redlock, { ExecutionError, type Lock, ResourceLockedError } from "redlock";
import { LockLostError, LockTimeoutError, LockUnavailableError } from "../errors/index.js";
import type { PathHash } from "../model/path.js";
import { Turns } from "./turns.js";

export interface LeaseLimits {
  /** Term of a lease; renewed at a third of it. */
  readonly leaseMs: number;
  /** How long a command may take before that Redis counts as silent. */
  readonly commandTimeoutMs: number;
  /** A waiter looks again after this, should a wake-up be lost. */
  readonly wakeUpMsMax: number;
}

/** Redlock's own allowance for clocks that run at different speeds: a hundredth of the term and two milliseconds. */
const DRIFT_FACTOR = 0.01;
const DRIFT_MS = 2;

const SETTLE_STEP_MS = 5;

/** A Redlock lock held for one or more paths. It gives order and deadlines; safety never depends on it. */
export interface LeaseHold {
  /** Aborted with LOCK_LOST when the term ran out, by the monotonic clock, before it could be renewed. */
  readonly lost: AbortSignal;
  /** Gives the lease back, without waiting for Redis. */
  release(): void;
}

/**
 * Leases over N independent Redis servers. `redlock` asks all of them once; everything around that one shot is ours:
 * turns within the replica, waiting and waking, renewal, and expiry by the monotonic clock.
 */
export class Leases {
  private readonly clients: Redis[];
  private readonly subscribers: Redis[];
  private readonly redlock: Redlock;
  private readonly turns = new Turns();
  private readonly sleepers = new Map<string, Set<() => void>>();
  private readonly prefix: string;
  private readonly channel: string;
  /** Leases held, or on their way back to Redis. */
  private readonly holds = new Set<Hold>();

  constructor(
    urls: readonly string[],
    volumeId: string,
    private readonly limits: LeaseLimits,
    onError: (error: Error) => void,
    /** A simulation hands in a Redis of its own. */
    connect = (to: string, options: RedisOptions): Redis => new Redis(to, options),
  ) {
    this.prefix = `safefile:{${volumeId}}:lease:`;
    this.channel = `safefile:{${volumeId}}:free`;
    // A frozen Redis must cost one timeout, not a hang: no queue, no resending, no retries inside the client.
    const options = {
      commandTimeout: limits.commandTimeoutMs,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      retryStrategy: (attempt: number) => Math.min(50 * attempt, 1000),
    };
    this.clients = urls.map((url) => connect(url, options).on("error", onError));
    this.subscribers = urls.map((url) => this.subscriber(connect(url, {}).on("error", onError)));
    this.redlock = new Redlock(this.clients, { retryCount: 0, driftFactor: DRIFT_FACTOR });
    this.redlock.on("error", () => undefined); // each failed attempt also rejects its call
  }

  private subscriber(redis: Redis): Redis {
    redis.on("message", (_channel, keys: string) => {
      for (const key of keys.split(" ")) for (const wake of this.sleepers.get(key) ?? []) wake();
    });
    redis.subscribe(this.channel).catch(() => undefined); // the bounded sleep stands in until it reconnects
    return redis;
  }

  async connected(): Promise<void> {
    const waits = this.clients.map((client) =>
      client.status === "ready" ? undefined : new Promise((resolve) => client.once("ready", resolve)),
    );
    await Promise.all(waits);
  }

  /**
   * Waits for the lease on all of `hashes` (sorted). Throws LOCK_TIMEOUT after `waitMs`, LOCK_UNAVAILABLE when no
   * majority of the servers answers, the signal's reason when the caller is gone.
   */
  async acquire(
    hashes: readonly PathHash[],
    options: { path: string; waitMs: number; priority: number; signal: AbortSignal },
  ): Promise<LeaseHold> {
    const startMs = performance.now();
    const timeout = new AbortController();
    const timer = setTimeout(
      () => timeout.abort(new LockTimeoutError({ path: options.path, waitedMs: performance.now() - startMs })),
      options.waitMs,
    );
    const signal = AbortSignal.any([options.signal, timeout.signal]);
    const passes: (() => void)[] = [];
    try {
      for (const hash of hashes) passes.push(await this.turns.take(hash, options.priority, signal));
      return await this.acquireFromRedis(hashes, options.path, signal, () => {
        for (const pass of passes) pass();
      });
    } catch (error) {
      for (const pass of passes) pass();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  private async acquireFromRedis(
    hashes: readonly PathHash[],
    path: string,
    signal: AbortSignal,
    pass: () => void,
  ): Promise<LeaseHold> {
    const keys = hashes.map((hash) => this.prefix + hash);
    for (;;) {
      using sleep = this.sleeper(keys);
      const askedMs = performance.now();
      try {
        const lock = await this.redlock.acquire(keys, this.limits.leaseMs, { retryCount: 0 });
        const hold: Hold = new Hold(this.redlock, lock, path, askedMs, this.limits.leaseMs, () => {
          this.holds.delete(hold);
          pass();
          this.announce(keys);
        });
        this.holds.add(hold);
        if (!signal.aborted) return hold;
        hold.release();
      } catch (error) {
        if (await isUnavailable(error)) throw new LockUnavailableError({ path }, error);
      }
      signal.throwIfAborted();
      await sleep.untilWoken(this.limits.wakeUpMsMax, signal);
      signal.throwIfAborted();
    }
  }

  /** Listens for releases from before the attempt on, so that none is missed between a refusal and the sleep. */
  private sleeper(keys: readonly string[]): Disposable & {
    untilWoken(msMax: number, signal: AbortSignal): Promise<void>;
  } {
    let woken = false;
    let resolve = (): void => undefined;
    const wake = (): void => {
      woken = true;
      resolve();
    };
    for (const key of keys) {
      const wakes = this.sleepers.get(key) ?? new Set();
      this.sleepers.set(key, wakes.add(wake));
    }
    return {
      untilWoken: (msMax, signal) =>
        new Promise<void>((done) => {
          // Jitter, so that replicas that lost the same race do not meet again.
          const timer = setTimeout(done, msMax * (0.5 + Math.random() / 2));
          resolve = () => {
            clearTimeout(timer);
            done();
          };
          signal.addEventListener("abort", resolve, { once: true });
          if (woken || signal.aborted) resolve();
        }),
      [Symbol.dispose]: () => {
        for (const key of keys) {
          const wakes = this.sleepers.get(key);
          wakes?.delete(wake);
          if (wakes?.size === 0) this.sleepers.delete(key);
        }
      },
    };
  }

  private announce(keys: readonly string[]): void {
    for (const client of this.clients) client.publish(this.channel, keys.join(" ")).catch(() => undefined);
  }

  /** Waits until Redis has taken back what was released, or `signal` ends the wait. */
  async settled(signal: AbortSignal): Promise<void> {
    while (this.holds.size > 0 && !signal.aborted) await new Promise((resolve) => setTimeout(resolve, SETTLE_STEP_MS));
  }

  close(): void {
    for (const client of [...this.clients, ...this.subscribers]) {
      client.removeAllListeners("error").on("error", () => undefined);
      client.disconnect();
    }
  }
}

/** Whether a refusal came from servers that do not answer rather than from a lease that somebody holds. */
async function isUnavailable(error: unknown): Promise<boolean> {
  if (!(error instanceof ExecutionError)) return true;
  const stats = await Promise.all(error.attempts);
  return stats.some((attempt) => {
    const silent = [...attempt.votesAgainst.values()].filter((vote) => !(vote instanceof ResourceLockedError));
    return silent.length > attempt.membershipSize - attempt.quorumSize;
  });
}

class Hold implements LeaseHold {
  private readonly losing = new AbortController();
  private timer: NodeJS.Timeout;
  private released = false;
  private renewing: Promise<void> | undefined;

  constructor(
    private readonly redlock: Redlock,
    private lock: Lock,
    private readonly path: string,
    askedMs: number,
    private readonly leaseMs: number,
    private readonly onRelease: () => void,
  ) {
    this.timer = this.watch(askedMs);
  }

  get lost(): AbortSignal {
    return this.losing.signal;
  }

  /** Renews at a third of the term; gives up when the term, counted from before it was asked for, is over. */
  private watch(askedMs: number): NodeJS.Timeout {
    const endsMs = askedMs + this.leaseMs * (1 - DRIFT_FACTOR) - DRIFT_MS;
    const tick = (): void => {
      const nowMs = performance.now();
      if (this.released) return;
      if (nowMs >= endsMs) {
        this.losing.abort(new LockLostError({ path: this.path }));
        return;
      }
      this.renewing ??= this.renew();
      this.timer = setTimeout(tick, Math.max(1, Math.min(this.leaseMs / 3, endsMs - nowMs)));
      this.timer.unref();
    };
    return setTimeout(tick, this.leaseMs / 3).unref();
  }

  private async renew(): Promise<void> {
    const askedMs = performance.now();
    try {
      const lock = await this.redlock.extend(this.lock, this.leaseMs, { retryCount: 0 });
      this.lock = lock;
      if (this.released || this.losing.signal.aborted) return;
      clearTimeout(this.timer);
      this.timer = this.watch(askedMs);
    } catch {
      // The next tick tries again until the term is over.
    } finally {
      this.renewing = undefined;
    }
  }

  release(): void {
    if (this.released) return;
    this.released = true;
    clearTimeout(this.timer);
    // Not waited for: the next holder is safe without it, and the term ends it at the latest.
    this.redlock
      .release(this.lock, { retryCount: 0 })
      .catch(() => undefined)
      .finally(this.onRelease)
      .catch(() => undefined);
  }
}
