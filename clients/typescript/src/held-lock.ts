import type { Lock } from "./gen/safefile/v1/lock_service_pb.js";
import type { Locks } from "./locks.js";
import { SafefileError } from "./safefile-error.js";

/** Tried again after this, as long as the lock may last. */
const RETRY_MS = 200;

/** A lock that is renewed as long as somebody needs it. Disposing of it releases it. */
export class HeldLock implements AsyncDisposable {
  readonly #locks: Locks;
  readonly #ttlMs: number;
  readonly #losing = new AbortController();
  readonly #ending = new AbortController();
  readonly #renewing: Promise<void>;
  #endsMs: number;

  /** `askedMs` is when its last renewal was asked for, by `performance.now()`: it lasts for `ttlMs` at least from then on. */
  constructor(
    locks: Locks,
    readonly lock: Lock,
    ttlMs: number,
    askedMs: number,
  ) {
    this.#locks = locks;
    this.#ttlMs = ttlMs;
    this.#endsMs = askedMs + ttlMs;
    this.#renewing = this.#renew();
  }

  /** For the `lockId` of changes. */
  get lockId(): string {
    return this.lock.lockId;
  }

  /** The fencing token of the first path: strictly rising with every exclusive holder. */
  get fencingToken(): bigint {
    return this.lock.targets[0]?.fencingToken ?? 0n;
  }

  /** Aborted when the lock is lost, or may be: with LOCK_LOST, or with why it could not be renewed in time. */
  get signal(): AbortSignal {
    return this.#losing.signal;
  }

  /** Throws when it is lost, also when nothing could run meanwhile that would have noticed. */
  throwIfLost(): void {
    if (performance.now() >= this.#endsMs) this.#losing.abort(new Error("the lock ran out"));
    this.signal.throwIfAborted();
  }

  async #renew(): Promise<void> {
    let failure: unknown;
    for (let waitMs = this.#ttlMs / 3; ; ) {
      await this.#sleep(Math.min(waitMs, this.#endsMs - performance.now()));
      if (this.#ending.signal.aborted) return;
      if (performance.now() >= this.#endsMs) return this.#losing.abort(failure ?? new Error("the lock ran out"));
      const askedMs = performance.now();
      try {
        const deadlineMs = Math.max(1, this.#endsMs - askedMs);
        await this.#locks.renew(this.lockId, { ttlMs: this.#ttlMs, deadlineMs, signal: this.#ending.signal });
        this.#endsMs = askedMs + this.#ttlMs;
        waitMs = this.#ttlMs / 3;
      } catch (error) {
        if (this.#ending.signal.aborted) return;
        if (error instanceof SafefileError && error.reason === "LOCK_LOST") return this.#losing.abort(error);
        failure = error;
        waitMs = RETRY_MS;
      }
    }
  }

  #sleep(ms: number): Promise<void> {
    const { signal } = this.#ending;
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        resolve();
      };
      // Keeps no process alive: whoever holds a lock does something under it.
      const timer = setTimeout(end, Math.max(0, ms)).unref();
      if (signal.aborted) end();
      else signal.addEventListener("abort", end, { once: true });
    });
  }

  /** Ends it. False when it had ended before. */
  async release(): Promise<boolean> {
    if (this.#ending.signal.aborted) return false;
    this.#ending.abort();
    await this.#renewing;
    return await this.#locks.release(this.lockId);
  }

  /** It ends by itself anyway: a release that fails is no failure of what was done. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.release().catch(() => undefined);
  }
}
