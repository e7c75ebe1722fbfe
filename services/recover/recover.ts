import { OutcomeUnknownError, SafeOperationError } from "../errors/index.js";
import type { Lease } from "../lock/lease.js";
import type { FilePath } from "../model/path.js";
import type { Receipt } from "../model/receipt.js";
import { EarlierOutcome } from "../protocol/earlier-outcome.js";
import { said } from "../protocol/said.js";
import type { Store } from "../store/store.js";
import type { Plan } from "../validate/plan.js";
import { DurabilityError, type Volume } from "../volume/volume.js";

const FINISH_RETRY_MS = 100;
const FINISH_RETRY_MS_MAX = 5_000;

/** Last stage, for what failed: learns from the volume what the operation came to, stops it if it has not decided,
 * and says so. Nothing is ever published and then undone. */
export class Recover {
  constructor(
    private readonly volume: Volume,
    private readonly store: Store,
    private readonly onError: (error: unknown) => void,
  ) {}

  /** A receipt when the change is the head after all; otherwise throws what is to be said. */
  async run(plan: Plan, lease: Lease, failure: unknown): Promise<Receipt> {
    const { operation } = plan;
    const { attempt } = lease;
    const path = operation.intents[0]?.path as FilePath;
    const names = { path, operationId: operation.id, requestId: operation.requestId };
    let outcome: "NOT_COMMITTED" | "COMMITTED" | "UNKNOWN";
    try {
      const reason = failure instanceof SafeOperationError ? failure.reason : "INTERNAL";
      outcome = attempt.decided ? "COMMITTED" : await attempt.stop(reason);
    } catch (error) {
      // The volume does not even say whether the operation was stopped.
      throw new OutcomeUnknownError(names, new AggregateError([failure, error]));
    }
    if (outcome === "COMMITTED" && attempt.record) {
      await this.finish(lease);
      return { operation: operation.id, requestId: operation.requestId, record: attempt.record, replayed: false };
    }
    if (outcome === "UNKNOWN" || (attempt.record && failure instanceof DurabilityError))
      throw new OutcomeUnknownError(names, failure);
    lease.settled?.("NOT_COMMITTED");
    await this.cleanUp(lease).catch(this.onError);
    if (failure instanceof EarlierOutcome) throw failure;
    // A lease that ran out is the lesser news for a caller whose place was taken.
    throw attempt.fencedByRival ? attempt.fencedError() : said(failure);
  }

  /**
   * What is decided must also be seen: tries to finish until it is done, the first time before the caller is
   * answered. Anybody else who meets the baton finishes it, too.
   */
  private async finish(lease: Lease, waitMs = FINISH_RETRY_MS): Promise<void> {
    try {
      await lease.attempt.finish();
      lease.settled?.("COMMITTED");
    } catch (error) {
      this.onError(error);
      const again = () => this.finish(lease, Math.min(2 * waitMs, FINISH_RETRY_MS_MAX));
      setTimeout(() => again().catch(this.onError), waitMs).unref();
    }
  }

  private async cleanUp({ attempt }: Lease): Promise<void> {
    await this.volume.removeEmpty(attempt.madeDirectories);
    for (const object of attempt.objects) await this.store.remove(object);
  }
}
