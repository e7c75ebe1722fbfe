import type { OperationId } from "./operation.js";
import type { OperationRecord } from "./record.js";

/** The stages of the pipeline, by the one name each has everywhere. */
export const STAGES = ["validate", "lock", "backup", "execute", "verify", "commit", "recover"] as const;
export type StageName = (typeof STAGES)[number];

export interface StageTiming {
  readonly stage: StageName;
  readonly durationMs: number;
}

/** What a mutation came to. */
export interface Receipt {
  readonly operation: OperationId;
  readonly requestId: string;
  /** undefined when nothing was to be changed (`validate_only`). */
  readonly record: OperationRecord | undefined;
  /** True when an earlier call with this request id made the change. */
  readonly replayed: boolean;
}
