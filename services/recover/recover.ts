import {
  InternalError,
  OutcomeUnknownError,
  SafeOperationError,
  VolumeFullError,
  VolumeReadOnlyError,
  VolumeUnavailableError,
} from "../errors/index.js";
import type { Lease } from "../lock/lease.js";
import type { Receipt } from "../model/receipt.js";
import { EarlierOutcome } from "../protocol/earlier-outcome.js";
import type { Plan } from "../validate/plan.js";
import { codeOf, DurabilityError, type Volume } from "../volume/volume.js";

/** What the file system says, in words for callers; undefined for what is not its saying. */
export function volumeError(failure: unknown): SafeOperationError | undefined {
  switch (codeOf(failure)) {
    case "ENOSPC":
    case "EDQUOT":
      return new VolumeFullError(failure);
    case "EROFS":
      return new VolumeReadOnlyError(failure);
    case "EIO":
    case "ESTALE":
    case "EMFILE":
    case "ENFILE":
    case "ENOMEM":
      return new VolumeUnavailableError(failure);
    default:
      return undefined;
  }
}

/** Last stage, for what failed: learns from the volume what the operation came to, stops it if it has not decided,
 * and says so. Nothing is ever published and then undone. */
export class Recover {
  constructor(private readonly volume: Volume) {}

  /** A receipt when the change is the head after all; otherwise throws what is to be said. */
  async run(plan: Plan, lease: Lease, failure: unknown): Promise<Receipt> {
    const { operation } = plan;
    const { attempt } = lease;
    const names = { path: operation.intents[0]?.path ?? "", operationId: operation.id };
    let outcome: "NOT_COMMITTED" | "COMMITTED" | "UNKNOWN";
    try {
      outcome = attempt.decided
        ? "COMMITTED"
        : await attempt.stop(failure instanceof SafeOperationError ? failure.reason : "INTERNAL");
    } catch (error) {
      // The volume does not even say whether the operation was stopped.
      throw new OutcomeUnknownError(names, new AggregateError([failure, error]));
    }
    if (outcome === "COMMITTED" && attempt.record)
      return { operation: operation.id, requestId: operation.requestId, record: attempt.record, replayed: false };
    if (outcome === "UNKNOWN" || (attempt.record && failure instanceof DurabilityError))
      throw new OutcomeUnknownError(names, failure);
    await this.volume.removeEmpty(attempt.madeDirectories);
    // A lease that ran out is the lesser news for a caller whose place was taken.
    throw attempt.fencedByRival ? attempt.fencedError() : this.said(failure);
  }

  private said(failure: unknown): unknown {
    if (failure instanceof SafeOperationError || failure instanceof EarlierOutcome) return failure;
    return volumeError(failure) ?? new InternalError(failure, "NOT_COMMITTED");
  }
}
