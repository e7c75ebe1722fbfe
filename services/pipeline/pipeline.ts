import type { Base } from "../backup/base.js";
import { OverloadedError, RequestIdReusedError, SafeOperationError } from "../errors/index.js";
import type { Staged } from "../execute/staged.js";
import type { Lease } from "../lock/lease.js";
import { sameBytes } from "../model/content.js";
import type { Operation } from "../model/operation-request.js";
import type { Receipt, StageName, StageTiming } from "../model/receipt.js";
import { EarlierOutcome } from "../protocol/earlier-outcome.js";
import { said } from "../protocol/said.js";
import type { Plan } from "../validate/plan.js";
import type { Verified } from "../verify/verify.js";

/** The stages as the pipeline sees them: each needs the tickets of those before it. */
export interface Stages {
  validate(operation: Operation): Promise<Plan>;
  lock(plan: Plan): Promise<Lease>;
  backup(plan: Plan, lease: Lease): Promise<Base>;
  execute(plan: Plan, base: Base, lease: Lease): Promise<Staged>;
  verify(lease: Lease, staged: Staged): Promise<Verified>;
  commit(plan: Plan, lease: Lease, base: Base, verified: Verified): Promise<Receipt>;
  recover(plan: Plan, lease: Lease, failure: unknown): Promise<Receipt>;
}

/** The life of one operation. No stage knows what comes next. */
async function run(operation: Operation, on: Stages): Promise<Receipt> {
  const plan = await on.validate(operation);
  if (operation.validateOnly)
    return { operation: operation.id, requestId: operation.requestId, record: undefined, replayed: false };
  await using lease = await on.lock(plan);
  try {
    const base = await on.backup(plan, lease);
    const staged = await on.execute(plan, base, lease);
    const verified = await on.verify(lease, staged);
    return await on.commit(plan, lease, base, verified);
  } catch (failure) {
    return await on.recover(plan, lease, failure);
  }
}

/** Watches stages from outside: spans and metrics. */
export interface Observer {
  stage<T>(stage: StageName, operation: Operation, call: () => Promise<T>): Promise<T>;
}

export interface Finished {
  readonly receipt: Receipt;
  readonly timings: readonly StageTiming[];
}

/** Runs operations through the stages, a bounded number at a time. */
export class Pipeline {
  private operations = 0;
  private paths = 0;

  constructor(
    private readonly stages: Stages,
    private readonly observer: Observer,
    /** Paths of operations under way at once; more are refused, so that memory and descriptors stay bounded (I14). */
    private readonly operationsMax: number,
  ) {}

  get size(): number {
    return this.operations;
  }

  async run(operation: Operation): Promise<Finished> {
    const paths = operation.intents.length + operation.checks.length;
    // One that is larger than the limit may still run, alone.
    if (this.paths > 0 && this.paths + paths > this.operationsMax)
      throw new OverloadedError({ what: "operations under way", limit: this.operationsMax });
    this.operations += 1;
    this.paths += paths;
    const observed = new Observed(operation, this.stages, this.observer);
    try {
      const receipt = await run(operation, observed).catch((error: unknown) => earlier(operation, error));
      return { receipt, timings: observed.timings };
    } finally {
      this.operations -= 1;
      this.paths -= paths;
    }
  }
}

/** The stages of one operation, looked at and timed. */
class Observed implements Stages {
  readonly timings: StageTiming[] = [];

  constructor(
    private readonly operation: Operation,
    private readonly stages: Stages,
    private readonly observer: Observer,
  ) {}

  validate(operation: Operation): Promise<Plan> {
    return this.at("validate", () => this.stages.validate(operation).catch(untouched));
  }

  lock(plan: Plan): Promise<Lease> {
    return this.at("lock", () => this.stages.lock(plan).catch(untouched));
  }

  backup(plan: Plan, lease: Lease): Promise<Base> {
    return this.at("backup", () => this.stages.backup(plan, lease));
  }

  execute(plan: Plan, base: Base, lease: Lease): Promise<Staged> {
    return this.at("execute", () => this.stages.execute(plan, base, lease));
  }

  verify(lease: Lease, staged: Staged): Promise<Verified> {
    return this.at("verify", () => this.stages.verify(lease, staged));
  }

  commit(plan: Plan, lease: Lease, base: Base, verified: Verified): Promise<Receipt> {
    return this.at("commit", () => this.stages.commit(plan, lease, base, verified));
  }

  recover(plan: Plan, lease: Lease, failure: unknown): Promise<Receipt> {
    return this.at("recover", () => this.stages.recover(plan, lease, failure));
  }

  private async at<Ticket>(stage: StageName, call: () => Promise<Ticket>): Promise<Ticket> {
    const startMs = performance.now();
    try {
      return await this.observer.stage(stage, this.operation, call);
    } catch (error) {
      if (error instanceof SafeOperationError) error.stage ??= stage;
      throw error;
    } finally {
      this.timings.push({ stage, durationMs: performance.now() - startMs });
    }
  }
}

/** The receipt of the change that this request already made; throws when the id stands for another change. */
function earlier(operation: Operation, error: unknown): Receipt {
  if (!(error instanceof EarlierOutcome)) throw error;
  const { record } = error;
  if (!sameBytes(record.requestSha256, operation.requestSha256))
    throw new RequestIdReusedError({ requestId: operation.requestId, operationId: record.operation });
  return { operation: record.operation, requestId: operation.requestId, record, replayed: true };
}

/** Before a lease is held nothing can have been changed, whatever went wrong. */
function untouched(error: unknown): never {
  throw said(error);
}
