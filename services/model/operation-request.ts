import type { Content } from "./content.js";
import type { LeaseId, OperationId } from "./operation.js";
import type { FilePath } from "./path.js";
import type { ChangeKind } from "./record.js";

/** Replaces `lengthBytes` bytes at `offset` by `data`; both count in the content before any edit. */
export interface Edit {
  readonly offset: number;
  readonly lengthBytes: number;
  readonly data: Uint8Array;
}

/** A file to copy, as it was found under the lease of the target. */
export type Copied = {
  /** undefined when somebody outside wrote it, so that the store does not have it: then it is read. */
  readonly content: Content | undefined;
  readonly attributes: Pick<Content, "mode" | "owner" | "xattrs">;
  read(): AsyncIterable<Uint8Array>;
};

/** Where new bytes come from. */
export type Source =
  /** In memory, up to `inlineBytesMax`. */
  | { readonly from: "bytes"; readonly bytes: Uint8Array; readonly sha256: Uint8Array }
  /** Received into `uploads/` beforehand, already durable. */
  | { readonly from: "upload"; readonly uploadId: string; readonly sizeBytes: number; readonly sha256: Uint8Array }
  /** An earlier revision. */
  | { readonly from: "revision"; readonly revision: number; readonly sizeBytes: number; find(): Promise<Content> }
  /** What the file holds, for a change of its attributes. */
  | { readonly from: "base" }
  /** What the file holds, and `bytes` behind it; a file that is not there is empty. */
  | { readonly from: "append"; readonly bytes: Uint8Array }
  /** What the file holds, edited. `sha256` is what must come out; undefined for no check. */
  | { readonly from: "patch"; readonly edits: readonly Edit[]; readonly sha256: Uint8Array | undefined }
  /** What `path`, which the same operation moves away, holds. */
  | { readonly from: "path"; readonly path: FilePath }
  /** Another file, which stays as it is. */
  | {
      readonly from: "copy";
      readonly path: FilePath;
      readonly revision: number;
      /** Throws when there is nothing to copy; holds nothing open. */
      check(): Promise<void>;
      /** Called under the lease of the target; what it returns must be read. */
      open(): Promise<Copied>;
    };

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
  /** undefined when there is no file afterwards. */
  readonly source: Source | undefined;
  /** Permission bits; undefined keeps those of the source or of the file that is there. */
  readonly mode: number | undefined;
  /** undefined for now; `"keep"` for that of the source. */
  readonly mtimeNs?: bigint | "keep" | undefined;
  /** Extended attributes to set and to remove. */
  readonly xattrs?: {
    readonly set: Readonly<Record<string, Uint8Array>>;
    readonly remove: readonly string[];
  };
  /** Nothing may be there, as with `ifRevision` 0. */
  readonly createOnly?: boolean;
  readonly precondition: Precondition;
}

/** A path that is not changed, and yet must be as the caller thinks when the operation commits. */
export interface Check {
  readonly path: FilePath;
  readonly precondition: Precondition;
}

/** Leases that somebody holds for longer than one operation. */
export interface Standing {
  /** Aborted when they have ended before their time. */
  readonly lost: AbortSignal;
  /** Throws LOCK_LOST when they may be over. */
  assertHeld(): void;
}

/** One mutation as it enters the pipeline. */
export interface Operation {
  readonly id: OperationId;
  /** Never empty. */
  readonly requestId: string;
  /** Whether the caller gave that id, so that the request may have been made before. */
  readonly isRepeatable: boolean;
  /** Over everything that was asked for, so that an id used again for something else is noticed. */
  readonly requestSha256: Uint8Array;
  /** Sorted by path, each path once. */
  readonly intents: readonly Intent[];
  /** Sorted by path; none of those of `intents`. */
  readonly checks: readonly Check[];
  readonly validateOnly: boolean;
  readonly lockWaitMs: number;
  /** -100 to 100; higher goes first. */
  readonly priority: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly traceId: string;
  /** The call's span, 16 hex digits; empty or missing when there is none. */
  readonly spanId?: string;
  /** The lease under which it acts, which its caller holds; it must cover what is in the way. */
  readonly under?: LeaseId | undefined;
  /** Leases on all its paths, which its caller holds; it needs none of its own then. */
  readonly standing?: Standing | undefined;
  /** The client's lock under which it acts. */
  readonly underLock?: LeaseId | undefined;
  /** Aborted when the caller is gone or its deadline has passed. */
  readonly signal: AbortSignal;
}

/** Permission bits of a directory for which nobody gives any. */
export const DIRECTORY_MODE = 0o755;

export const isCreateOnly = ({ createOnly, precondition }: Intent): boolean =>
  createOnly === true || precondition.ifRevision === 0;
