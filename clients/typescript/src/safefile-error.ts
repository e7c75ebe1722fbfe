import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { type Any, anyUnpack, durationMs } from "@bufbuild/protobuf/wkt";
import { status as Code, type ServiceError } from "@grpc/grpc-js";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  PreconditionFailureSchema,
  QuotaFailureSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from "./gen/google/rpc/error_details_pb.js";
import { type Status, StatusSchema } from "./gen/google/rpc/status_pb.js";
import type { ErrorReason } from "./gen/safefile/v1/errors_pb.js";

/** What became of the file. */
export type OutcomeName = "NOT_COMMITTED" | "COMMITTED" | "UNKNOWN";

/** A reason of the catalogue, without its prefix: "LOCK_FENCED". New ones come with new servers. */
export type ReasonName = Exclude<keyof typeof ErrorReason, "UNSPECIFIED">;

export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

export interface ConditionViolation {
  readonly type: string;
  readonly subject: string;
  readonly description: string;
}

export interface QuotaViolation {
  readonly subject: string;
  readonly description: string;
}

export interface ResourceName {
  readonly type: string;
  readonly name: string;
}

/** What an error's details hold. */
export interface ErrorFacts {
  readonly reason?: string | undefined;
  readonly outcome?: OutcomeName | undefined;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly fieldViolations?: readonly FieldViolation[];
  readonly preconditionViolations?: readonly ConditionViolation[];
  readonly quotaViolations?: readonly QuotaViolation[];
  readonly retryAfterMs?: number | undefined;
  readonly resource?: ResourceName | undefined;
  readonly cause?: unknown;
}

const DETAILS_KEY = "grpc-status-details-bin";
const DOMAIN = "safefile";
const OUTCOMES: readonly OutcomeName[] = ["NOT_COMMITTED", "COMMITTED", "UNKNOWN"];

/** A call that failed: why, and what that means for the file. */
export class SafefileError extends Error {
  /** The gRPC status code. */
  readonly code: Code;
  /** The name of an ErrorReason without its prefix, or undefined when the error is not of the service itself. */
  readonly reason: string | undefined;
  /**
   * What happened to the file. Set for every failed change; a failed read may leave it undefined. When it is
   * UNKNOWN, repeat the call with the same `requestId` to learn it.
   */
  readonly outcome: OutcomeName | undefined;
  /** The stage that failed, for example "lock". Undefined when no stage ran. */
  readonly stage: string | undefined;
  /** Every dynamic value of the message, as text. The keys are in errors.proto. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly fieldViolations: readonly FieldViolation[];
  readonly preconditionViolations: readonly ConditionViolation[];
  readonly quotaViolations: readonly QuotaViolation[];
  /** When the server says the call may be repeated. */
  readonly retryAfterMs: number | undefined;
  /** What was not found, or was in the way. */
  readonly resource: ResourceName | undefined;

  constructor(code: Code, message: string, facts: ErrorFacts = {}) {
    super(message, { cause: facts.cause });
    this.name = "SafefileError";
    this.code = code;
    this.reason = facts.reason;
    this.outcome = facts.outcome;
    this.metadata = facts.metadata ?? {};
    this.stage = this.metadata.stage;
    this.fieldViolations = facts.fieldViolations ?? [];
    this.preconditionViolations = facts.preconditionViolations ?? [];
    this.quotaViolations = facts.quotaViolations ?? [];
    this.retryAfterMs = facts.retryAfterMs;
    this.resource = facts.resource;
  }

  /** The name of `code`, for example "ABORTED". */
  get status(): string {
    return Code[this.code] ?? `CODE_${this.code}`;
  }

  /** Of a change: the id with which it can be repeated. */
  get requestId(): string | undefined {
    return this.metadata.request_id;
  }

  /** The same error with another outcome, another cause or more metadata. */
  with(facts: Pick<ErrorFacts, "outcome" | "metadata" | "cause">): SafefileError {
    return new SafefileError(this.code, this.message, {
      ...this,
      outcome: facts.outcome ?? this.outcome,
      metadata: { ...facts.metadata, ...this.metadata },
      cause: facts.cause ?? this.cause,
    });
  }

  /** The error that a call of grpc-js ended with. */
  static fromCall(error: ServiceError): SafefileError {
    const [bytes] = error.metadata?.get(DETAILS_KEY) ?? [];
    const found = bytes instanceof Buffer ? decode(bytes) : undefined;
    return new SafefileError(error.code, found?.message || error.details || error.message, {
      ...(found ? factsOf(found) : {}),
      cause: error,
    });
  }

  /** An error that came inside a message, as in RestoreItem. */
  static fromStatus(status: Status): SafefileError {
    return new SafefileError(status.code, status.message, factsOf(status));
  }
}

/** Whether `error` is a SafefileError of this reason. */
export function isReason(error: unknown, reason: ReasonName): error is SafefileError {
  return error instanceof SafefileError && error.reason === reason;
}

/** Undefined when a proxy, or another service at this address, sent something else. */
function decode(bytes: Uint8Array): Status | undefined {
  try {
    return fromBinary(StatusSchema, bytes);
  } catch {
    return undefined;
  }
}

function factsOf({ details }: Status): ErrorFacts {
  const info = find(details, ErrorInfoSchema);
  const own = info?.domain === DOMAIN ? info : undefined;
  const retry = find(details, RetryInfoSchema)?.retryDelay;
  const resource = find(details, ResourceInfoSchema);
  return {
    reason: own?.reason,
    outcome: outcomeOf(own?.metadata.outcome),
    metadata: own?.metadata ?? {},
    fieldViolations: find(details, BadRequestSchema)?.fieldViolations ?? [],
    preconditionViolations: find(details, PreconditionFailureSchema)?.violations ?? [],
    quotaViolations: find(details, QuotaFailureSchema)?.violations ?? [],
    retryAfterMs: retry === undefined ? undefined : durationMs(retry),
    resource: resource && { type: resource.resourceType, name: resource.resourceName },
  };
}

/** The first detail of this type. Undefined also when it cannot be read: the status itself still can. */
function find<D extends DescMessage>(details: readonly Any[], schema: D): MessageShape<D> | undefined {
  try {
    for (const any of details) {
      const detail = anyUnpack(any, schema);
      if (detail !== undefined) return detail;
    }
  } catch {
    return undefined;
  }
  return undefined;
}

function outcomeOf(name: string | undefined): OutcomeName | undefined {
  return OUTCOMES.find((outcome) => outcome === name);
}
