import { setTimeout as sleep } from "node:timers/promises";
import { status as Code } from "@grpc/grpc-js";
import { type ChangeOptions, SafefileClient, SafefileError } from "@safefile/client";
import type { Dice } from "../../test/lock/dice.js";
import type { Kind, Meter } from "./meter.js";
import { Violation } from "./violation.js";

const RECEIVE_BYTES = 4 * 1024 * 1024;
/**
 * gRPC lets clients of one process with the same settings share a connection, and would leave all of them at replicas
 * that were not killed yet. Callers stand for many programs, so no two have the same settings.
 */
let connections = 0;

/** What each attempt of a change carries. */
export type Options = Required<Pick<ChangeOptions, "requestId" | "labels">>;

export type Answer<T> =
  | { readonly outcome: "COMMITTED"; readonly result: T }
  | { readonly outcome: "NOT_COMMITTED" | "UNKNOWN"; readonly reason: string };

/** Calls until a caller connects anew, to a replica drawn: otherwise all would end up at the one that is never killed. */
const CALLS_A_CLIENT = 100;
/** So often a client gives up at the first error, instead of repeating the call by itself. */
const HASTY_ODDS = 0.5;
/** So often a caller does not ask again what became of a change, or whether it can be made now. */
const LEAVE_ODDS = 0.4;
/** So often a change that was acknowledged is asked for once more. */
const DOUBLE_ODDS = 0.03;
const AGAIN_MS_MAX = 100;
/** The service is never away as a whole, so an answer takes no longer than this, repeats included. */
const ANSWER_MS_MAX = 60_000;
/** A fault of the service is never an answer. */
const FAULTS = new Set(["INTERNAL", "REQUEST_ID_REUSED", "REVISION_CORRUPT", "CHECKSUM_MISMATCH", "NOT_IMPLEMENTED"]);

/** What is said of a file that is, or is not, as the caller thinks. */
export const ABOUT_THE_FILE: ReadonlySet<string> = new Set([
  "PATH_NOT_FOUND",
  "ALREADY_EXISTS",
  "PRECONDITION_FAILED",
  "PATH_INVALID",
  "ARGUMENT_INVALID",
]);

/** Who asks the service: at one replica after the other, and again when that is what the answer says. */
export class Caller {
  private client: SafefileClient;
  private calls = 0;

  constructor(
    private readonly addresses: readonly string[],
    private readonly dice: Dice,
    private readonly meter: Meter,
  ) {
    this.client = this.connect();
  }

  close(): void {
    this.client.close();
  }

  /** Asks until there is an answer. One that is about the file, and no fault, is thrown. */
  async read<T>(call: (client: SafefileClient) => Promise<T>, kind: Kind = "read"): Promise<T> {
    const startMs = performance.now();
    try {
      for (;;) {
        try {
          return await call(this.next());
        } catch (error) {
          const failure = this.judged(error);
          if (failure.reason !== undefined && failure.code !== Code.UNAVAILABLE) throw failure;
          await this.again(failure, startMs);
        }
      }
    } finally {
      this.meter.took(kind, performance.now() - startMs);
    }
  }

  /**
   * Asks for a change, and again with the same request id until its outcome is known; now and then it is left unknown.
   * Only what the service itself says settles what an earlier attempt came to.
   */
  async change<T>(
    id: string,
    kind: Kind,
    call: (client: SafefileClient, options: Options) => Promise<T>,
  ): Promise<Answer<T>> {
    const startMs = performance.now();
    let isOpen = false;
    let mayStillRun = false;
    try {
      for (;;) {
        try {
          const options = { requestId: id, labels: { id } };
          const result = await call(this.next(), options);
          const isAskedAgain = this.dice.chance(DOUBLE_ODDS);
          return { outcome: "COMMITTED", result: isAskedAgain ? await this.double(id, result, call, options) : result };
        } catch (error) {
          const failure = this.judged(error);
          const { code, outcome } = failure;
          const reason = failure.reason ?? failure.status;
          if (outcome === undefined) throw Violation.at(id, "every failed change says its outcome", `${failure}`);
          isOpen ||= outcome !== "NOT_COMMITTED";
          // A replica that was too slow goes on with it; one that was killed does not.
          mayStillRun ||= isOpen && code === Code.DEADLINE_EXCEEDED;
          const isAnswer = failure.reason !== undefined && code !== Code.UNAVAILABLE;
          if (outcome === "NOT_COMMITTED" && isAnswer)
            return { outcome: mayStillRun ? "UNKNOWN" : "NOT_COMMITTED", reason };
          if (this.dice.chance(LEAVE_ODDS)) return { outcome: isOpen ? "UNKNOWN" : "NOT_COMMITTED", reason };
          await this.again(failure, startMs);
        }
      }
    } finally {
      this.meter.took(kind, performance.now() - startMs);
    }
  }

  /**
   * Asks for a change that is committed once more: it is the first outcome that must be returned (I5). Made twice, it would
   * be another revision.
   */
  private async double<T>(
    id: string,
    first: T,
    call: (client: SafefileClient, options: Options) => Promise<T>,
    options: Options,
  ): Promise<T> {
    try {
      return await call(this.next(), options);
    } catch (error) {
      const failure = this.judged(error);
      if (ABOUT_THE_FILE.has(failure.reason ?? ""))
        throw Violation.at(failure.metadata.path ?? "", `${id} is committed, and asked for again`, `${failure}`);
      // Nothing that is about this attempt, as that others hold the path now, is about the first one.
      return first;
    }
  }

  private next(): SafefileClient {
    this.calls += 1;
    if (this.calls % CALLS_A_CLIENT === 0) this.reconnect();
    return this.client;
  }

  private reconnect(): void {
    this.client.close();
    this.client = this.connect();
  }

  /** A connection to one of the replicas, and to the others when that one is gone. */
  connect(): SafefileClient {
    const first = this.dice.below(this.addresses.length);
    const inTurn = [...this.addresses.slice(first), ...this.addresses.slice(0, first)];
    const retry = this.dice.chance(HASTY_ODDS) ? { attemptsMax: 1 } : {};
    connections += 1;
    const windows = { receiveBytes: RECEIVE_BYTES + connections };
    return new SafefileClient({ address: `ipv4:${inTurn.join(",")}`, retry, windows });
  }

  private judged(error: unknown): SafefileError {
    if (!(error instanceof SafefileError)) throw error;
    this.meter.failed(error.reason ?? error.status);
    if (FAULTS.has(error.reason ?? "") || error.code === Code.DATA_LOSS)
      throw Violation.at(error.metadata.path ?? "", "the service works", `${error.reason ?? error.status}: ${error}`);
    return error;
  }

  private async again(failure: SafefileError, startMs: number): Promise<void> {
    if (performance.now() - startMs > ANSWER_MS_MAX)
      throw Violation.at(failure.metadata.path ?? "", `an answer within ${ANSWER_MS_MAX} ms`, `${failure}`);
    await sleep(this.dice.below(AGAIN_MS_MAX));
    this.reconnect();
  }
}
