import { setTimeout as sleep } from "node:timers/promises";
import { status as Code } from "@grpc/grpc-js";
import { SafefileError } from "./safefile-error.js";

/** How often and how long a call that is UNAVAILABLE is repeated, with the same request_id. */
export interface RetryPolicy {
  /** The first attempt included: 1 never repeats. */
  readonly attemptsMax: number;
  /** No attempt starts later than this after the first failure. */
  readonly timeMsMax: number;
  /** The first pause; each next one is twice as long, up to the maximum, less a random part of up to a half. */
  readonly backoffMsMin: number;
  readonly backoffMsMax: number;
}

export const RETRY_DEFAULT: RetryPolicy = {
  attemptsMax: 5,
  timeMsMax: 30_000,
  backoffMsMin: 100,
  backoffMsMax: 5_000,
};

/** Counts the attempts of one call. */
export class Retry {
  readonly #policy: RetryPolicy;
  #failedMs: number | undefined;
  #attempts = 1;
  #unknown: SafefileError | undefined;

  constructor(
    policy: RetryPolicy,
    private readonly random: () => number = Math.random,
  ) {
    this.#policy = policy;
  }

  /** Returns after a pause when the call may be repeated; throws the error to report when it may not. */
  async after(failure: unknown, signal: AbortSignal | undefined, deadlineMs = Number.POSITIVE_INFINITY): Promise<void> {
    const error = this.#settle(failure);
    if (!(error instanceof SafefileError) || error.code !== Code.UNAVAILABLE || signal?.aborted) throw error;
    const pauseMs = Math.max(this.#backoffMs(), error.retryAfterMs ?? 0);
    const nowMs = performance.now();
    this.#failedMs ??= nowMs;
    const resumeMs = nowMs + pauseMs;
    const tooLate = resumeMs - this.#failedMs > this.#policy.timeMsMax || resumeMs >= deadlineMs;
    if (this.#attempts >= this.#policy.attemptsMax || tooLate) throw error;
    this.#attempts++;
    try {
      await sleep(pauseMs, undefined, { signal });
    } catch {
      throw error;
    }
  }

  /** An attempt failed whose repeats are counted elsewhere: what it leaves open stays open. Returns what to report. */
  note(failure: SafefileError): SafefileError {
    return this.#settle(failure);
  }

  /** The failure of an attempt that may have committed, until the service itself says what became of it. */
  get unsettled(): SafefileError | undefined {
    return this.#unknown;
  }

  /** Progress was made: the next failure is a first one again. */
  reset(): void {
    this.#attempts = 1;
    this.#failedMs = undefined;
  }

  #backoffMs(): number {
    const ms = Math.min(this.#policy.backoffMsMax, this.#policy.backoffMsMin * 2 ** (this.#attempts - 1));
    return ms * (1 - this.random() / 2);
  }

  /**
   * An attempt that may have committed is not settled by a later one that did not get through: only the service's
   * own answer to the same request_id settles it.
   */
  #settle<F>(failure: F): F | SafefileError {
    if (!(failure instanceof SafefileError)) return failure;
    const answered = failure.reason !== undefined && failure.code !== Code.UNAVAILABLE;
    if (failure.outcome === "UNKNOWN") this.#unknown = failure;
    else if (this.#unknown !== undefined && !answered) return failure.with({ outcome: "UNKNOWN" });
    return failure;
  }
}
