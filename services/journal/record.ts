import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import * as stored from "../gen/safefile/storage/v1/storage_pb.js";
import type { Content } from "../model/content.js";
import type { OperationId } from "../model/operation.js";
import type { FilePath } from "../model/path.js";
import type { ChangeKind, ExternalChange, OperationRecord, PathChange } from "../model/record.js";
import type { Mark } from "./position.js";

/** What a checkpoint says of one journal (storage.proto). */
export interface Checkpoint {
  /** Everything up to here is settled, durably; reading goes on here. */
  readonly at: Mark;
  readonly isFinal: boolean;
  readonly foreignAborts: readonly OperationId[];
}

const KINDS: Record<ChangeKind, stored.ChangeKind> = {
  WRITE: stored.ChangeKind.WRITE,
  DELETE: stored.ChangeKind.DELETE,
  ROLLBACK: stored.ChangeKind.ROLLBACK,
  RESTORE: stored.ChangeKind.RESTORE,
  MOVE: stored.ChangeKind.MOVE,
  COPY: stored.ChangeKind.COPY,
  APPEND: stored.ChangeKind.APPEND,
  PATCH: stored.ChangeKind.PATCH,
  ATTRIBUTES: stored.ChangeKind.ATTRIBUTES,
  MAKE_DIRECTORY: stored.ChangeKind.MAKE_DIRECTORY,
  REMOVE_DIRECTORY: stored.ChangeKind.REMOVE_DIRECTORY,
};
const kindOf = (kind: stored.ChangeKind): ChangeKind => {
  const found = (Object.keys(KINDS) as ChangeKind[]).find((name) => KINDS[name] === kind);
  if (!found) throw new RangeError(`the record has a change of kind ${kind}, which this version does not know`);
  return found;
};

function encodeContent(content: Content): stored.Content {
  const body: stored.Content["body"] =
    "inline" in content.body
      ? { case: "inline", value: content.body.inline }
      : { case: "object", value: content.body.object };
  return create(stored.ContentSchema, {
    sha256: content.sha256,
    sizeBytes: BigInt(content.sizeBytes),
    mode: content.mode,
    ...content.owner,
    xattrs: content.xattrs,
    body,
  });
}

function decodeContent(content: stored.Content): Content {
  const { case: where, value } = content.body;
  if (where === undefined) throw new RangeError("the record has a content without a body");
  return {
    sha256: content.sha256,
    sizeBytes: Number(content.sizeBytes),
    mode: content.mode,
    owner: { uid: content.uid, gid: content.gid },
    xattrs: content.xattrs,
    body: where === "inline" ? { inline: value } : { object: value },
  };
}

const encodeExternal = (external: ExternalChange): stored.ExternalChange =>
  create(
    stored.ExternalChangeSchema,
    external.deleted ? { deleted: true } : { content: encodeContent(external.content) },
  );

function decodeExternal(external: stored.ExternalChange): ExternalChange {
  if (external.deleted) return { deleted: true };
  if (!external.content) throw new RangeError("the record has an external change without content");
  return { deleted: false, content: decodeContent(external.content) };
}

const decodeChange = (change: stored.PathChange): PathChange => ({
  path: change.path as FilePath,
  kind: kindOf(change.kind),
  epoch: Number(change.epoch),
  baseOperation: change.baseOperationId as OperationId,
  baseRevision: Number(change.baseRevision),
  external: change.external && decodeExternal(change.external),
  revision: Number(change.revision),
  content: change.content && decodeContent(change.content),
  createOnly: change.createOnly,
  inode: change.inode,
  mtimeNs: change.mtimeNs,
  sourceRevision: Number(change.sourceRevision),
  backupRevision: Number(change.backupRevision),
  directoryMode: change.directoryMode,
});

/** The payload of an OPERATION frame. */
export function encodeOperation(record: OperationRecord): Uint8Array {
  return toBinary(
    stored.OperationRecordSchema,
    create(stored.OperationRecordSchema, {
      operationId: record.operation,
      requestId: record.requestId,
      requestSha256: record.requestSha256,
      timeMs: BigInt(record.timeMs),
      labels: record.labels,
      traceId: Buffer.from(record.traceId, "hex"),
      changes: record.changes.map((change) => ({
        path: change.path,
        kind: KINDS[change.kind],
        epoch: BigInt(change.epoch),
        baseOperationId: change.baseOperation,
        baseRevision: BigInt(change.baseRevision),
        external: change.external && encodeExternal(change.external),
        revision: BigInt(change.revision),
        content: change.content && encodeContent(change.content),
        createOnly: change.createOnly,
        inode: change.inode,
        mtimeNs: change.mtimeNs,
        sourceRevision: BigInt(change.sourceRevision),
        backupRevision: BigInt(change.backupRevision),
        directoryMode: change.directoryMode,
      })),
    }),
  );
}

/** Throws RangeError for what this version does not know: a newer one wrote it. */
export function decodeOperation(payload: Uint8Array): OperationRecord {
  const record = fromBinary(stored.OperationRecordSchema, payload);
  return {
    operation: record.operationId as OperationId,
    requestId: record.requestId,
    requestSha256: record.requestSha256,
    timeMs: Number(record.timeMs),
    changes: record.changes.map(decodeChange),
    labels: record.labels,
    traceId: Buffer.from(record.traceId).toString("hex"),
  };
}

export const encodeAbort = (operation: OperationId, reason: string): Uint8Array =>
  toBinary(stored.AbortRecordSchema, create(stored.AbortRecordSchema, { operationId: operation, reason }));

/** The payload of a checkpoint's frame, whose sequence is `checkpoint.at.sequence`. */
export const encodeCheckpoint = ({ at, isFinal, foreignAborts }: Checkpoint): Uint8Array =>
  toBinary(
    stored.CheckpointSchema,
    create(stored.CheckpointSchema, {
      segment: at.segment,
      offset: BigInt(at.offset),
      isFinal,
      foreignAborts: [...foreignAborts],
    }),
  );

export function decodeCheckpoint(sequence: number, payload: Uint8Array): Checkpoint {
  const { segment, offset, isFinal, foreignAborts } = fromBinary(stored.CheckpointSchema, payload);
  return { at: { sequence, segment, offset: Number(offset) }, isFinal, foreignAborts: foreignAborts as OperationId[] };
}

export const decodeAbort = (payload: Uint8Array): OperationId =>
  fromBinary(stored.AbortRecordSchema, payload).operationId as OperationId;
