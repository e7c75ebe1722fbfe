import type { Index, Known } from "../index/index.js";
import type { LeaseId } from "../model/operation.js";
import type { Operation, Standing } from "../model/operation-request.js";
import type { Attempt } from "../protocol/attempt.js";
import type { Plan } from "../validate/plan.js";
import type { ClientLocks } from "./client-locks/client-locks.js";
import { endedUnder } from "./client-locks/ended.js";
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
    private readonly clientLocks: ClientLocks,
  ) {}

  async run(plan: Plan): Promise<Lease> {
    const { operation } = plan;
    let early: Promise<Known> | undefined;
    const onAsking = (): void => {
      early = this.ask(operation);
    };
    const hold = operation.standing ? borrowed(operation.standing) : await this.acquire(operation, onAsking);
    const attempt = this.begin(operation);
    try {
      // What was asked together with the lease is from before it: what was committed since is found from the batons back,
      // request ids included, however much it is. After a wait it may be too much, so the index is asked again.
      const looking = early && !hold.hasWaited && !hold.isKept ? early : this.lookUp(operation, hold);
      // An index that is missing is noticed before anything is touched. With a lease that was here already the last change
      // was just now, so it is not waited for yet.
      const known = hold.isKept ? undefined : await looking;
      const lease = new Lease(plan, hold, attempt, looking);
      return await this.enter(lease, known?.earlier !== undefined);
    } catch (error) {
      hold.release();
      await attempt[Symbol.asyncDispose]();
      throw error;
    }
  }

  private async acquire(operation: Operation, onAsking: () => void): Promise<Hold> {
    const path = operation.intents[0]?.path ?? "";
    const { underLock } = operation;
    const lock = underLock === undefined ? undefined : await this.clientLocks.using(underLock, path);
    const owner = {
      // Its lock is kept while it waits, so it waits as whoever has that.
      party: lock?.entry.owner.party ?? "",
      name: lock?.entry.owner.name ?? "",
      operation: operation.id,
      traceId: operation.traceId,
      spanId: operation.spanId ?? "",
      isClientLock: false,
      priority: operation.priority,
    };
    const { lockWaitMs: waitMs, signal } = operation;
    const under: LeaseId | "" = underLock ?? operation.under ?? "";
    const request = { targets: targetsOf(operation), path, waitMs, signal, under, owner, onAsking };
    try {
      return await this.leases.acquire(request);
    } catch (error) {
      throw endedUnder(underLock, error, path);
    }
  }

  /**
   * What the index knows of the request and its paths. Nothing has to be asked about a request that cannot have been made
   * before, under a lease that has seen the last change of its path.
   */
  private lookUp(operation: Operation, { lastOperation }: Hold): Promise<Known> {
    const only = (operation.intents[0] ?? operation.checks[0])?.path;
    if (only && lastOperation && !operation.isRepeatable)
      return Promise.resolve({ earlier: undefined, heads: new Map([[only, lastOperation]]) });
    return this.ask(operation);
  }

  private ask({ requestId, intents, checks }: Operation): Promise<Known> {
    const paths = [...intents, ...checks].map(({ path }) => path);
    const looking = this.index.lookUp(requestId, paths);
    looking.catch(() => undefined); // whoever needs it meets its failure
    return looking;
  }

  private async enter(lease: Lease, isRepeated: boolean): Promise<Lease> {
    try {
      if (!isRepeated) {
        await lease.attempt.enter(lease);
        // Nobody else had it when the batons were taken, and from now on nobody publishes without taking those.
        lease.assertHeld();
        const { underLock, intents, checks } = lease.plan.operation;
        const path = intents[0]?.path ?? checks[0]?.path ?? "";
        if (underLock !== undefined) await this.clientLocks.assertInForce(underLock, path);
      }
      return lease;
    } catch (failure) {
      await this.recover(lease.plan, lease, failure);
      throw failure;
    }
  }
}

/** Given back by whoever lent it. */
const borrowed = ({ lost, assertHeld }: Standing): Hold => ({
  lost,
  assertHeld,
  waitedMs: 0,
  hasWaited: false,
  waitedFor: undefined,
  isKept: false,
  lastOperation: undefined,
  release: () => undefined,
});

/** A directory that goes takes all that is below it with it. What is only looked at is taken like what is changed. */
function targetsOf({ intents, checks }: Operation): Target[] {
  return [
    ...intents.map(({ path, kind }) => (kind === "REMOVE_DIRECTORY" ? subtreeTarget(path) : pathTarget(path))),
    ...checks.map(({ path }) => pathTarget(path)),
  ];
}
