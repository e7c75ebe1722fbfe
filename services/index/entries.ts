import type { OperationRecord, PathChange } from "../model/record.js";
import type { RevisionEntry } from "./entry.js";

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
