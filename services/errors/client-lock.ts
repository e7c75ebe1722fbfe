import { LockError } from "./lock.js";

/** A lock of LockService that is not there any more, or never was. */
export class LockEndedError extends LockError {
  constructor(details: { lockId: string; path?: string }) {
    const { lockId, path = "" } = details;
    super(
      "LOCK_LOST",
      "ABORTED",
      `The lock ${lockId} has ended: it expired, was released or was broken, or there was none. Nothing was changed; lock again, read again, decide again.`,
      { metadata: { lock_id: lockId, path }, retryAfterMs: 100 },
    );
  }
}

/** Something was to be done under a lock whose place somebody else has taken. */
export class LockSupersededError extends LockError {
  constructor(details: { lockId: string; path: string }) {
    super(
      "LOCK_FENCED",
      "ABORTED",
      `The lock ${details.lockId} ended while ${details.path} was to be changed under it: it was released or broken, or somebody else holds the path now. Nothing was published; lock again, read again, decide again.`,
      { metadata: { lock_id: details.lockId, path: details.path } },
    );
  }
}
