import type { Content } from "./content.js";
import type { OperationId } from "./operation.js";
import type { FilePath } from "./path.js";

/** What kind of change made a revision. */
export type ChangeKind =
  | "WRITE"
  | "DELETE"
  | "ROLLBACK"
  | "RESTORE"
  | "MOVE"
  | "COPY"
  | "APPEND"
  | "PATCH"
  | "ATTRIBUTES"
  | "MAKE_DIRECTORY"
  | "REMOVE_DIRECTORY";

/** What somebody outside the service made of a path since the base: kept as a revision of its own. */
export type ExternalChange = { readonly deleted: true } | { readonly deleted: false; readonly content: Content };

/** The change of one path by an operation. */
export interface PathChange {
  readonly path: FilePath;
  readonly kind: ChangeKind;
  readonly epoch: number;
  /** NO_OPERATION when the path had no history. */
  readonly baseOperation: OperationId;
  /** 0 when the path had no history. */
  readonly baseRevision: number;
  readonly external: ExternalChange | undefined;
  /** baseRevision + 1, or + 2 with an external change in between. */
  readonly revision: number;
  /** What the path holds afterwards; undefined when it holds no file then. */
  readonly content: Content | undefined;
  readonly createOnly: boolean;
  readonly inode: bigint;
  readonly mtimeNs: bigint;
  readonly sourceRevision: number;
  /** The revision that holds what was there before; 0 when there was no file. */
  readonly backupRevision: number;
  /** Permission bits of a directory that was made; 0 otherwise. */
  readonly directoryMode: number;
}

/** All that is needed to publish an operation again, and to tell whether it belongs to its paths' history. */
export interface OperationRecord {
  readonly operation: OperationId;
  readonly requestId: string;
  readonly requestSha256: Uint8Array;
  readonly timeMs: number;
  /** Sorted by path. */
  readonly changes: readonly PathChange[];
  readonly labels: Readonly<Record<string, string>>;
  readonly traceId: string;
}

/** Without the bytes of any content: what the index is told, and what many records may be kept as (I14). */
export const withoutBytes = (record: OperationRecord): OperationRecord => ({
  ...record,
  changes: record.changes.map((change) => ({
    ...change,
    content: change.content && bare(change.content),
    external:
      change.external?.deleted === false ? { deleted: false, content: bare(change.external.content) } : change.external,
  })),
});

const bare = (content: Content): Content => ({ ...content, body: { object: "" } });

/** Whether nothing is at the path after this change. */
export const leavesNothing = ({ content, kind }: PathChange): boolean =>
  content === undefined && kind !== "MAKE_DIRECTORY";

/** The change that `record` makes to `path`; undefined when it does not touch it. */
export const changeOf = (record: OperationRecord, path: FilePath): PathChange | undefined =>
  record.changes.find((change) => change.path === path);

/** What a record says of one path. */
export const onlyPath = (record: OperationRecord, path: FilePath): OperationRecord => ({
  ...record,
  changes: record.changes.filter((change) => change.path === path),
});
