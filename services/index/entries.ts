import type { OperationId } from "../model/operation.js";
import type { ChangeKind, OperationRecord, PathChange } from "../model/record.js";

/** What a revision is: a change of ours, or one found to have come from outside. */
export type RevisionKind = ChangeKind | "EXTERNAL" | "EXTERNAL_DELETE";

/** One revision, as the record of the operation that made it has it. */
export interface RevisionEntry {
  readonly revision: number;
  readonly operation: OperationId;
  readonly kind: RevisionKind;
  readonly timeMs: number;
  readonly mode: number;
  readonly sizeBytes: number;
  /** Empty for deletes. */
  readonly sha256: Uint8Array;
}

const NOTHING = new Uint8Array();

/** The revisions that `change` made: its own, and the outside change before it if there was one. Oldest first. */
export function entriesOf(record: OperationRecord, change: PathChange): RevisionEntry[] {
  const { operation, timeMs } = record;
  const entries: RevisionEntry[] = [];
  if (change.external) {
    const found = change.external.deleted ? undefined : change.external.content;
    entries.push({
      revision: change.revision - 1,
      operation,
      kind: found ? "EXTERNAL" : "EXTERNAL_DELETE",
      timeMs,
      mode: found?.mode ?? 0,
      sizeBytes: found?.sizeBytes ?? 0,
      sha256: found?.sha256 ?? NOTHING,
    });
  }
  entries.push({
    revision: change.revision,
    operation,
    kind: change.kind,
    timeMs,
    mode: change.content?.mode ?? 0,
    sizeBytes: change.content?.sizeBytes ?? 0,
    sha256: change.content?.sha256 ?? NOTHING,
  });
  return entries;
}
