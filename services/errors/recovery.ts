import { SafeOperationError } from "./safe-operation-error.js";

/** A restore or the state of a replica stands in the way. */
export class RecoveryError extends SafeOperationError {}

export class RestoreError extends RecoveryError {
  constructor(
    details: { problem: string; restoreId?: string },
    status: "NOT_FOUND" | "UNAVAILABLE" | "INVALID_ARGUMENT",
  ) {
    super("RECOVERY_RESTORE", status, details.problem, {
      metadata: details.restoreId ? { restore_id: details.restoreId } : {},
      ...(status === "NOT_FOUND" ? { resource: { type: "safefile/restore", name: details.restoreId ?? "" } } : {}),
    });
  }
}

export class IndexUnavailableError extends RecoveryError {
  constructor(cause?: unknown) {
    super(
      "INDEX_UNAVAILABLE",
      "UNAVAILABLE",
      "The index in Redis is missing or out of reach; it is being rebuilt from the volume. Nothing was changed; try again.",
      { retryAfterMs: 500, cause },
    );
  }
}

export class VolumeUnavailableError extends RecoveryError {
  constructor(cause: unknown, what = "The volume does not answer as it should.") {
    super("VOLUME_UNAVAILABLE", "UNAVAILABLE", `${what} Nothing was changed.`, {
      retryAfterMs: 1000,
      cause,
    });
  }
}

export class VolumeFullError extends RecoveryError {
  constructor(cause: unknown) {
    super(
      "VOLUME_FULL",
      "RESOURCE_EXHAUSTED",
      "The volume has no room left for this change. Nothing was changed; make room, then try again.",
      { cause },
    );
  }
}

export class VolumeReadOnlyError extends RecoveryError {
  constructor(cause: unknown) {
    super("VOLUME_READ_ONLY", "FAILED_PRECONDITION", "The volume is mounted read-only. Nothing was changed.", {
      cause,
    });
  }
}

export class OverloadedError extends RecoveryError {
  constructor(details: { what: string; limit: number }) {
    super(
      "LIMIT_EXCEEDED",
      "RESOURCE_EXHAUSTED",
      `This replica has ${details.limit} ${details.what} already. Nothing was changed; try again shortly.`,
      { metadata: details, retryAfterMs: 200 },
    );
  }
}

export class DrainingError extends RecoveryError {
  constructor() {
    super("REPLICA_DRAINING", "UNAVAILABLE", "This replica is shutting down. Nothing was changed; use another one.", {
      retryAfterMs: 100,
    });
  }
}

/** The one error whose outcome is open: the volume did not say, or this incarnation was declared dead. */
export class OutcomeUnknownError extends RecoveryError {
  constructor(details: { path: string; operationId: string; requestId?: string }, cause?: unknown) {
    super(
      "OUTCOME_UNKNOWN",
      "UNKNOWN",
      `It is not known yet whether ${details.path} was changed. Ask again with the same request_id: it returns the outcome and never changes the file twice.`,
      {
        metadata: {
          path: details.path,
          operation_id: details.operationId,
          ...(details.requestId ? { request_id: details.requestId } : {}),
        },
        outcome: "UNKNOWN",
        retryAfterMs: 1000,
        cause,
      },
    );
  }
}

/** A broken assumption of ours. */
export class InternalError extends RecoveryError {
  constructor(cause: unknown, outcome: "NOT_COMMITTED" | "UNKNOWN" = "UNKNOWN") {
    const file = outcome === "UNKNOWN" ? "Whether the file was changed is not known." : "Nothing was changed.";
    super(
      "INTERNAL",
      "INTERNAL",
      `Safefile met a state that it does not expect; the replica's log says more. ${file}`,
      {
        cause,
        outcome,
      },
    );
  }
}

/** The caller is gone or its deadline has passed; nobody reads this. */
export class CallEndedError extends RecoveryError {
  constructor() {
    super("LOCK_TIMEOUT", "DEADLINE_EXCEEDED", "The call ended before the change was decided. Nothing was changed.");
  }
}
