import type { Index } from "../index/index.js";
import type { Operation, Standing } from "../model/operation-request.js";
import type { Attempt } from "../protocol/attempt.js";
import type { Plan } from "../validate/plan.js";
import { type Hold, Lease } from "./lease.js";
import type { Leases } from "./leases.js";
import { pathTarget, subtreeTarget, type Target } from "./target.js";

/** Second stage: waits for the turn, then makes the operation's names: the staged one first, then the batons. */
export class Lock {
  constructor(
    private readonly leases: Leases,
    private readonly index: Index,
    private readonly begin: (operation: Operation) => Attempt,
    /** Stops an attempt that failed in here, so that no name of it is left half-way; throws what is to be said. */
    private readonly recover: (plan: Plan, lease: Lease, failure: unknown) => Promise<unknown>,
  ) {}

  async run(plan: Plan): Promise<Lease> {
    const { operation } = plan;
    const paths = [...operation.intents, ...operation.checks].map(({ path }) => path);
    const hold = operation.standing ? borrowed(operation.standing) : await this.acquire(operation);
    const attempt = this.begin(operation);
    try {
      // After the lease, so that an index flushed meanwhile is noticed before anything is touched.
      const lease = new Lease(plan, hold, attempt, await this.index.lookUp(operation.requestId, paths));
      return await this.enter(lease);
    } catch (error) {
      hold.release();
      await attempt[Symbol.asyncDispose]();
      throw error;
    }
  }

  private acquire(operation: Operation): Promise<Hold> {
    return this.leases.acquire({
      targets: targetsOf(operation),
      path: operation.intents[0]?.path ?? "",
      waitMs: operation.lockWaitMs,
      signal: operation.signal,
      under: operation.under ?? "",
      owner: {
        party: "",
        name: "",
        operation: operation.id,
        traceId: operation.traceId,
        spanId: "",
        isClientLock: false,
        priority: operation.priority,
      },
    });
  }

  private async enter(lease: Lease): Promise<Lease> {
    try {
      if (lease.known.earlier === undefined) {
        await lease.attempt.stage();
        await lease.attempt.take(lease.signal);
        // Nobody else had it when the batons were taken, and from now on nobody publishes without taking those.
        lease.assertHeld();
      }
      return lease;
    } catch (failure) {
      await this.recover(lease.plan, lease, failure);
      throw failure;
    }
  }
}

/** Given back by whoever lent it. */
const borrowed = ({ lost, assertHeld }: Standing): Hold => ({ lost, assertHeld, release: () => undefined });

/** A directory that goes takes all that is below it with it. What is only looked at is taken like what is changed. */
function targetsOf({ intents, checks }: Operation): Target[] {
  return [
    ...intents.map(({ path, kind }) => (kind === "REMOVE_DIRECTORY" ? subtreeTarget(path) : pathTarget(path))),
    ...checks.map(({ path }) => pathTarget(path)),
  ];
}
