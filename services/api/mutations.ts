import type { SafeOperationError } from "../errors/index.js";
import { checkEdits } from "../execute/given.js";
import type { Uploads } from "../execute/uploads.js";
import type { MutationResult } from "../gen/safefile/v1/common_pb.js";
import { claimTrees } from "../lock/claim.js";
import type { ClientLocks } from "../lock/client-locks/client-locks.js";
import { endedUnder } from "../lock/client-locks/ended.js";
import type { Leases } from "../lock/leases.js";
import type { Check, Intent, Precondition, Standing } from "../model/operation-request.js";
import type { FilePath } from "../model/path.js";
import { beginOperation } from "../pipeline/begin.js";
import type { Finished, Pipeline } from "../pipeline/pipeline.js";
import type { Incarnation } from "../protocol/incarnation.js";
import type { Files } from "../query/files.js";
import { checkCondition, checkPreconditions } from "../validate/preconditions.js";
import type { CallContext } from "./call.js";
import { type Options, toFileInfo, toResult } from "./wire.js";

/** Whether the replica takes changes at the moment. */
export interface Gate {
  /** Why not: the replica is leaving, or Redis is too far behind. */
  refusal(): SafeOperationError | undefined;
}

/** What one request wants to be changed. */
export interface Change {
  readonly intents: readonly Intent[];
  /** What is only looked at. */
  readonly checks?: readonly Check[];
  /** What stands for the request when it is made again, where its intents may differ then. */
  readonly asked?: unknown;
  /** What holds all its paths already. */
  readonly standing?: Standing | undefined;
}

export const UNCONDITIONAL: Precondition = { etag: undefined, ifRevision: undefined };

/** What all handlers that change files share. */
export class Mutations {
  constructor(
    readonly volumeName: string,
    readonly limits: {
      readonly lockWaitMs: number;
      readonly lockWaitMsMax: number;
      readonly writeBytesMax: number;
      readonly inlineBytesMax: number;
    },
    private readonly incarnation: Incarnation,
    private readonly pipeline: Pipeline,
    readonly uploads: Uploads,
    readonly files: Files,
    private readonly gate: Gate,
    private readonly leases: Leases,
    private readonly locks: Pick<ClientLocks, "assertLasts" | "using">,
  ) {}

  /** Throws when the replica takes no changes; checked before anything is received. */
  enter(): void {
    const refusal = this.gate.refusal();
    if (refusal) throw refusal;
  }

  /** Holds whole trees while `work` looks at them and changes them; a change that is only checked holds nothing. */
  async inTrees<T>(
    trees: readonly FilePath[],
    { validateOnly, lockWaitMs, priority, underLock }: Options,
    { traceId, signal }: CallContext,
    work: (standing: Standing | undefined) => Promise<T>,
  ): Promise<T> {
    this.enter();
    if (validateOnly) return await work(undefined);
    const lock = underLock && (await this.locks.using(underLock, trees[0] ?? "")).entry;
    const request = { waitMs: lockWaitMs, priority, traceId, signal, lock };
    using claim = await claimTrees(this.leases, trees, request).catch((error: unknown) => {
      throw endedUnder(underLock, error, trees[0]);
    });
    return await work(claim);
  }

  /** Carries out a change of one path; its precondition is that of the options. */
  run(intent: Omit<Intent, "precondition">, options: Options, context: CallContext): Promise<MutationResult> {
    const intents = [{ ...intent, precondition: options.precondition }];
    return this.runAbout(intent.path, { intents }, options, context);
  }

  /** Carries out a change whose result is about `path`. */
  async runAbout(path: FilePath, change: Change, options: Options, context: CallContext): Promise<MutationResult> {
    return this.resultOf(path, await this.finish(change, options, context), context);
  }

  /** The result about `path`, undefined for none, of what was carried out. */
  async resultOf(path: FilePath | undefined, finished: Finished, { traceId }: CallContext): Promise<MutationResult> {
    const result = toResult(this.volumeName, traceId, finished, path);
    if (!result.validatedOnly || path === undefined) return result;
    const found = await this.files.peek(path);
    return { ...result, ...(found ? { file: toFileInfo(this.volumeName, found) } : {}) };
  }

  async finish(change: Change, options: Options, context: CallContext): Promise<Finished> {
    this.enter();
    const { signal, traceId, spanId, facts } = context;
    const operation = beginOperation(this.incarnation, { ...options, ...change, signal, traceId, spanId });
    // An error names them, so that an unknown outcome can be asked for again, also when the server made the id.
    facts.set("volume", this.volumeName).set("path", change.intents[0]?.path ?? "");
    facts.set("operation_id", operation.id).set("request_id", operation.requestId);
    const finished = await this.pipeline.run(operation);
    if (options.validateOnly) {
      if (options.underLock !== undefined) await this.locks.assertLasts(options.underLock, facts.get("path") ?? "");
      await this.checkUnlocked(change);
    }
    return finished;
  }

  /** Nothing was locked, so this is what holds now; the change itself is checked again under the lock. */
  private async checkUnlocked({ intents, checks = [] }: Change): Promise<void> {
    for (const intent of intents) {
      const found = await this.files.peek(intent.path);
      checkPreconditions(intent, found);
      const { source } = intent;
      if (source?.from === "copy") await source.check();
      if (source?.from === "patch") checkEdits(source.edits, found?.sizeBytes ?? 0);
    }
    for (const check of checks) checkCondition(check, await this.files.peek(check.path));
  }
}
