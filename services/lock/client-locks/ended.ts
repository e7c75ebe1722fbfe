import { LockEndedError, LockLostError } from "../../errors/index.js";
import type { LeaseId } from "../../model/operation.js";

/** What is to be said when leases under a client's lock cannot be had: that the lock has ended, when that is why. */
export const endedUnder = (lockId: LeaseId | undefined, error: unknown, path = ""): unknown =>
  lockId !== undefined && error instanceof LockLostError ? new LockEndedError({ lockId, path }) : error;
