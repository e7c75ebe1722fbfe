import type { Content } from "./content.js";
import type { OperationId } from "./operation.js";
import type { FilePath } from "./path.js";
import type { ChangeKind } from "./record.js";

/** Where new bytes come from. */
export type Source =
  /** In memory, up to `inlineBytesMax`. */
  | { readonly from: "bytes"; readonly bytes: Uint8Array; readonly sha256: Uint8Array }
  /** Received into `uploads/` beforehand, already durable. */
  | { readonly from: "upload"; readonly uploadId: string; readonly sizeBytes: number; readonly sha256: Uint8Array }
  /** An earlier revision. */
  | { readonly from: "revision"; readonly revision: number; readonly content: Content };

export interface Precondition {
  /** Quoted, as `StatFile` gave it; undefined for no check. */
  readonly etag: string | undefined;
  /** 0 means that there must be no file; undefined for no check. */
  readonly ifRevision: number | undefined;
}

/** What one operation is to do to one path. */
export interface Intent {
  readonly path: FilePath;
  readonly kind: ChangeKind;
  /** undefined for a delete. */
  readonly source: Source | undefined;
  /** Permission bits; undefined keeps those of the file that is there. */
  readonly mode: number | undefined;
  readonly precondition: Precondition;
}

/** One mutation as it enters the pipeline. */
export interface Operation {
  readonly id: OperationId;
  /** Never empty. */
  readonly requestId: string;
  /** Over everything that was asked for, so that an id used again for something else is noticed. */
  readonly requestSha256: Uint8Array;
  /** Sorted by path, each path once. */
  readonly intents: readonly Intent[];
  readonly validateOnly: boolean;
  readonly lockWaitMs: number;
  /** -100 to 100; higher goes first. */
  readonly priority: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly traceId: string;
  /** Aborted when the caller is gone or its deadline has passed. */
  readonly signal: AbortSignal;
}
