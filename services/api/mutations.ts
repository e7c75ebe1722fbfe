import type { DrainingError, OverloadedError } from "../errors/index.js";
import type { Uploads } from "../execute/uploads.js";
import type { MutationResult } from "../gen/safefile/v1/common_pb.js";
import type { Intent } from "../model/operation-request.js";
import { beginOperation } from "../pipeline/begin.js";
import type { Finished, Pipeline } from "../pipeline/pipeline.js";
import type { Incarnation } from "../protocol/incarnation.js";
import type { Files } from "../query/files.js";
import { checkPreconditions } from "../validate/preconditions.js";
import type { CallContext } from "./call.js";
import { type Options, toFileInfo, toResult } from "./wire.js";

/** Whether the replica takes changes at the moment. */
export interface Gate {
  /** Why not: the replica is leaving, or Redis is too far behind. */
  refusal(): DrainingError | OverloadedError | undefined;
}

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
    private readonly files: Files,
    private readonly gate: Gate,
  ) {}

  /** Throws when the replica takes no changes; checked before anything is received. */
  enter(): void {
    const refusal = this.gate.refusal();
    if (refusal) throw refusal;
  }

  async run(intent: Omit<Intent, "precondition">, options: Options, context: CallContext): Promise<MutationResult> {
    const result = toResult(this.volumeName, context.traceId, await this.finish(intent, options, context));
    if (!options.validateOnly) return result;
    // Nothing was locked, so this is what holds now; the change itself is checked again under the lock.
    const found = await this.files.peek(intent.path);
    checkPreconditions({ ...intent, precondition: options.precondition }, found);
    return { ...result, ...(found ? { file: toFileInfo(this.volumeName, found) } : {}) };
  }

  finish(intent: Omit<Intent, "precondition">, options: Options, context: CallContext): Promise<Finished> {
    this.enter();
    const intents = [{ ...intent, precondition: options.precondition }];
    const { signal, traceId, facts } = context;
    const operation = beginOperation(this.incarnation, { ...options, signal, traceId, intents });
    // An error names them, so that an unknown outcome can be asked for again, also when the server made the id.
    facts.set("volume", this.volumeName).set("path", intent.path);
    facts.set("operation_id", operation.id).set("request_id", operation.requestId);
    return this.pipeline.run(operation);
  }
}
