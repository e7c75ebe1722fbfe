import type { Content } from "./content.js";
import type { OperationId } from "./operation.js";
import type { FilePath } from "./path.js";
import type { ChangeKind, OperationRecord } from "./record.js";

/** What is at a path now. */
export interface FileInfo {
  /** "" for the root. */
  readonly path: FilePath | "";
  readonly type: "file" | "directory" | "symlink" | "other";
  readonly sizeBytes: number;
  readonly mode: number;
  readonly mtimeNs: bigint;
  /** Quoted; "" for everything but regular files. */
  readonly etag: string;
  /** The head revision that the live file is; 0 when it is none. */
  readonly revision: number;
  readonly operation: OperationId | undefined;
  readonly sha256: Uint8Array | undefined;
  readonly externallyChanged: boolean;
  /** By name, without the "user." that all of them have; undefined where nobody asked for them. */
  readonly xattrs?: Content["xattrs"] | undefined;
}

/** One revision, with the record that made it. */
export interface RevisionInfo {
  readonly path: FilePath;
  readonly revision: number;
  readonly kind: ChangeKind | "EXTERNAL" | "EXTERNAL_DELETE";
  /** The operation that made it, or that found it made from outside. */
  readonly operation: OperationId;
  readonly timeMs: number;
  readonly sizeBytes: number;
  readonly mode: number;
  /** undefined for a delete. */
  readonly sha256: Uint8Array | undefined;
  /** The record that made it, or that found it made from outside. */
  readonly record: OperationRecord;
  /** undefined for a delete. */
  readonly content: Content | undefined;
}
