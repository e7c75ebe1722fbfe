import type { Content } from "../../services/model/content.js";
import { NO_OPERATION, type OperationId } from "../../services/model/operation.js";
import type { FilePath } from "../../services/model/path.js";
import type { OperationRecord } from "../../services/model/record.js";

/** A content that is in its record, of `sizeBytes` zeros. */
export const sampleContent = (sizeBytes: number): Content => ({
  sha256: new Uint8Array(32),
  sizeBytes,
  mode: 0o644,
  owner: { uid: 1, gid: 1 },
  xattrs: {},
  body: { inline: new Uint8Array(sizeBytes) },
});

/** The record of a first write, of a path that does not matter. */
export const sampleRecord = (operation: OperationId, requestId: string, sizeBytes: number): OperationRecord => ({
  operation,
  requestId,
  requestSha256: new Uint8Array(32),
  timeMs: 1,
  changes: [
    {
      path: "f" as FilePath,
      kind: "WRITE",
      epoch: 1,
      baseOperation: NO_OPERATION,
      baseRevision: 0,
      external: undefined,
      revision: 1,
      content: sampleContent(sizeBytes),
      createOnly: false,
      inode: 1n,
      mtimeNs: 1n,
      sourceRevision: 0,
      backupRevision: 0,
      directoryMode: 0,
    },
  ],
  labels: {},
  traceId: "",
});
