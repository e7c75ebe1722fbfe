import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import * as stored from "../../services/gen/safefile/storage/v1/storage_pb.js";
import {
  decodeAbort,
  decodeCheckpoint,
  decodeOperation,
  encodeAbort,
  encodeCheckpoint,
  encodeOperation,
} from "../../services/journal/record.js";
import type { Content } from "../../services/model/content.js";
import { NO_OPERATION, type OperationId } from "../../services/model/operation.js";
import type { FilePath } from "../../services/model/path.js";
import type { ExternalChange, OperationRecord } from "../../services/model/record.js";

const CONTENT: Content = {
  sha256: new Uint8Array(32).fill(7),
  sizeBytes: 3,
  mode: 0o640,
  owner: { uid: 1, gid: 2 },
  xattrs: { "user.a": new Uint8Array([1]) },
  body: { inline: new Uint8Array([1, 2, 3]) },
};

const recordOf = (content: Content | undefined, external: ExternalChange | undefined): OperationRecord => ({
  operation: "01ARZ3NDEKTSV4RRFFQ69G5FA1.7" as OperationId,
  requestId: "request",
  requestSha256: new Uint8Array([9]),
  timeMs: 1_700_000_000_000,
  changes: [
    {
      path: "p" as FilePath,
      kind: "WRITE",
      epoch: 3,
      baseOperation: NO_OPERATION,
      baseRevision: 0,
      external,
      revision: 2,
      content,
      createOnly: false,
      inode: 2n ** 63n,
      mtimeNs: 5n,
      sourceRevision: 0,
      backupRevision: 1,
      directoryMode: 0,
    },
  ],
  labels: { by: "test" },
  traceId: "0af7651916cd43dd8448eb211c80319c",
});

test("a record reads back as it was written, whatever was there before", () => {
  const object: Content = { ...CONTENT, body: { object: "ab/cd" } };
  for (const content of [CONTENT, object, undefined])
    for (const external of [undefined, { deleted: true } as const, { deleted: false, content: object } as const])
      assert.deepEqual(decodeOperation(encodeOperation(recordOf(content, external))), recordOf(content, external));
});

test("I9: what this version does not know in a record is refused, not passed over", () => {
  const refused = (change: Parameters<typeof create<typeof stored.PathChangeSchema>>[1], problem: RegExp) => {
    const record = create(stored.OperationRecordSchema, { operationId: "o", changes: [change as never] });
    assert.throws(() => decodeOperation(toBinary(stored.OperationRecordSchema, record)), problem);
  };
  const kind = stored.ChangeKind.WRITE;
  refused({ path: "p", kind: 999 as stored.ChangeKind }, /RangeError.*kind 999/);
  refused({ path: "p", kind, content: { sizeBytes: 5n } as never }, /RangeError.*without a body/);
  refused({ path: "p", kind, external: {} as never }, /RangeError.*without content/);
});

test("an abort and a checkpoint read back as they were written", () => {
  const operation = "01ARZ3NDEKTSV4RRFFQ69G5FA1.7" as OperationId;
  const abort = encodeAbort(operation, "a test");
  assert.equal(decodeAbort(abort), operation);
  assert.equal(fromBinary(stored.AbortRecordSchema, abort).reason, "a test");
  const checkpoint = { at: { sequence: 9, segment: 2, offset: 300 }, isFinal: true, foreignAborts: [operation] };
  assert.deepEqual(decodeCheckpoint(9, encodeCheckpoint(checkpoint)), checkpoint);
  const other = { ...checkpoint, isFinal: false, foreignAborts: [] };
  assert.deepEqual(decodeCheckpoint(9, encodeCheckpoint(other)), other);
});
