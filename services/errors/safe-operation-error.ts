/** What became of the change: it is the head, it is not and never will be, or nobody knows yet (I5). */
export type Outcome = "COMMITTED" | "NOT_COMMITTED" | "UNKNOWN";

/** gRPC's status names; `api/` knows their numbers. */
export type Status =
  | "INVALID_ARGUMENT"
  | "NOT_FOUND"
  | "ALREADY_EXISTS"
  | "PERMISSION_DENIED"
  | "RESOURCE_EXHAUSTED"
  | "FAILED_PRECONDITION"
  | "ABORTED"
  | "OUT_OF_RANGE"
  | "UNIMPLEMENTED"
  | "INTERNAL"
  | "UNAVAILABLE"
  | "DATA_LOSS"
  | "DEADLINE_EXCEEDED"
  | "CANCELLED"
  | "UNKNOWN";

export interface Facts {
  /** Every value that the sentence names, so that programs need not parse it. */
  readonly metadata?: Readonly<Record<string, string | number | bigint>>;
  readonly outcome?: Outcome;
  /** The request's fields at fault, for BadRequest. */
  readonly fields?: readonly { readonly field: string; readonly description: string }[];
  /** The conditions that did not hold, for PreconditionFailure. */
  readonly conditions?: readonly { readonly type: string; readonly subject: string; readonly description: string }[];
  /** When to try again, for RetryInfo. */
  readonly retryAfterMs?: number;
  /** The thing that is missing or in the way, for ResourceInfo. */
  readonly resource?: { readonly type: string; readonly name: string };
  /** Stays on the server: it may hold what callers must not see (I15). */
  readonly cause?: unknown;
}

/** The root of every error that a caller meets: what happened to the file, and what to do next. */
export class SafeOperationError extends Error {
  readonly metadata: Readonly<Record<string, string>>;
  readonly outcome: Outcome;
  /** The stage that failed; the pipeline fills it in. */
  stage: string | undefined;

  constructor(
    /** A stable constant of the catalogue. */
    readonly reason: string,
    readonly status: Status,
    sentence: string,
    readonly facts: Facts = {},
  ) {
    super(sentence, { cause: facts.cause });
    this.name = new.target.name;
    this.outcome = facts.outcome ?? "NOT_COMMITTED";
    const metadata = Object.entries(facts.metadata ?? {}).map(([key, value]) => [key, String(value)] as const);
    this.metadata = Object.fromEntries(metadata);
  }
}
