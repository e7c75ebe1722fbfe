/** Model ↔ messages of the wire. */
import { createHash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import {
  type Duration,
  DurationSchema,
  durationMs,
  type Timestamp,
  TimestampSchema,
  timestampFromMs,
} from "@bufbuild/protobuf/wkt";
import { ArgumentInvalidError, ChecksumMismatchError, VolumeUnknownError } from "../errors/index.js";
import * as v1 from "../gen/safefile/v1/common_pb.js";
import { sameBytes } from "../model/content.js";
import type { FileInfo, RevisionInfo } from "../model/file-info.js";
import type { LeaseId, OperationId } from "../model/operation.js";
import type { Precondition } from "../model/operation-request.js";
import type { FilePath } from "../model/path.js";
import type { StageName } from "../model/receipt.js";
import { changeOf, leavesNothing, type OperationRecord, type PathChange } from "../model/record.js";
import type { Finished } from "../pipeline/pipeline.js";
import { etagOf } from "../protocol/heads.js";

const TYPES: Record<FileInfo["type"], v1.FileType> = {
  file: v1.FileType.FILE,
  directory: v1.FileType.DIRECTORY,
  symlink: v1.FileType.SYMLINK,
  other: v1.FileType.OTHER,
};
const STAGES: Record<StageName, v1.Stage> = {
  validate: v1.Stage.VALIDATE,
  lock: v1.Stage.LOCK,
  backup: v1.Stage.BACKUP,
  execute: v1.Stage.EXECUTE,
  verify: v1.Stage.VERIFY,
  commit: v1.Stage.COMMIT,
  recover: v1.Stage.RECOVER,
};
const NO_BYTES = new Uint8Array();

export const toFileInfo = (volume: string, info: FileInfo): v1.FileInfo =>
  create(v1.FileInfoSchema, {
    volume,
    path: info.path,
    type: TYPES[info.type],
    sizeBytes: BigInt(info.type === "file" ? info.sizeBytes : 0),
    mode: info.mode,
    updateTime: timestampFromNs(info.mtimeNs),
    etag: info.etag,
    revision: BigInt(info.revision),
    operationId: info.operation ?? "",
    sha256: info.sha256 ?? NO_BYTES,
    externallyChanged: info.externallyChanged,
    xattrs: info.xattrs ?? {},
  });

const timestampFromNs = (ns: bigint): Timestamp =>
  create(TimestampSchema, { seconds: ns / 1_000_000_000n, nanos: Number(ns % 1_000_000_000n) });

/** Whole nanoseconds, where durationFromMs of the library wants whole milliseconds. */
export const toDuration = (ms: number): Duration =>
  create(DurationSchema, { seconds: BigInt(Math.floor(ms / 1000)), nanos: Math.trunc((ms % 1000) * 1e6) });

export function toRevision(volume: string, info: RevisionInfo): v1.Revision {
  const { record } = info;
  // An EXTERNAL revision is in the record of the change that found it, but none of what that one says is about it.
  const made = record.changes.find(({ path, revision }) => path === info.path && revision === info.revision);
  const etag = info.kind === "EXTERNAL" ? externalEtagOf(info.operation) : etagOf(info.operation);
  return create(v1.RevisionSchema, {
    volume,
    path: info.path,
    revision: BigInt(info.revision),
    operationId: info.operation,
    kind: v1.RevisionKind[info.kind],
    baseRevision: BigInt(info.revision - 1),
    sizeBytes: BigInt(info.sizeBytes),
    sha256: info.sha256 ?? NO_BYTES,
    mode: info.mode,
    createTime: timestampFromMs(info.timeMs),
    etag: info.sha256 ? etag : "",
    labels: made ? { ...record.labels } : {},
    sourceRevision: BigInt(made?.sourceRevision ?? 0),
  });
}

/** Of its own, so that it never stands for the change that found it. */
const externalEtagOf = (operation: OperationId): string => `"x-${operation}"`;

/** What `record` left at `path`: file, revision and backup; undefined when it did not touch it. */
export function toMade(volume: string, record: OperationRecord, path: FilePath) {
  const change = changeOf(record, path);
  return change && { ...changed(volume, record, change), backupRevision: BigInt(change.backupRevision) };
}

/** The file or directory and the revision that `change` left. */
function changed(volume: string, record: OperationRecord, change: PathChange) {
  const { path, content, kind, revision } = change;
  const { operation, timeMs } = record;
  const plain = { sizeBytes: content?.sizeBytes ?? 0, mode: content?.mode ?? 0, sha256: content?.sha256 };
  const info = { path, revision, kind, operation, timeMs, ...plain, record, content };
  const made = toRevision(volume, info);
  if (leavesNothing(change)) return { revision: made, file: undefined };
  const file: FileInfo = {
    path,
    type: content ? "file" : "directory",
    ...plain,
    ...(!content && { mode: change.directoryMode }),
    mtimeNs: content ? change.mtimeNs : BigInt(timeMs) * 1_000_000n,
    etag: content ? etagOf(operation) : "",
    revision: content ? revision : 0,
    operation: content && operation,
    xattrs: content?.xattrs,
    externallyChanged: false,
  };
  return { revision: made, file: toFileInfo(volume, file) };
}

/** The result of a change, as far as it is about `path`; undefined for the whole only. */
export function toResult(
  volume: string,
  traceId: string,
  { receipt, timings }: Finished,
  path: FilePath | undefined,
): v1.MutationResult {
  const { record } = receipt;
  const made = record && path !== undefined && toMade(volume, record, path);
  return create(v1.MutationResultSchema, {
    ...(made || undefined),
    operationId: record ? receipt.operation : "",
    requestId: receipt.requestId,
    traceId,
    stages: timings.map(({ stage, durationMs }) => ({ stage: STAGES[stage], duration: toDuration(durationMs) })),
    replayed: receipt.replayed,
    validatedOnly: record === undefined,
  });
}

export interface Options {
  readonly requestId: string;
  readonly validateOnly: boolean;
  readonly precondition: Precondition;
  readonly lockWaitMs: number;
  readonly underLock: LeaseId | undefined;
  readonly priority: number;
  readonly labels: Readonly<Record<string, string>>;
}

const REQUEST_ID = /^[A-Za-z0-9._:-]{0,128}$/;
const LOCK_ID = /^[A-Za-z0-9._-]{1,64}$/;
const LABELS_MAX = 16;
const LABEL_KEY_MAX = 64;
const LABEL_VALUE_MAX = 256;

/** Reads MutationOptions; throws INVALID_ARGUMENT for whatever its comments forbid. */
export function fromOptions(
  options: v1.MutationOptions | undefined,
  limits: { readonly lockWaitMs: number; readonly lockWaitMsMax: number },
): Options {
  const lockId = options?.lockId ?? "";
  return {
    requestId: checkRequestId(options?.requestId ?? "", "options.request_id"),
    validateOnly: options?.validateOnly ?? false,
    precondition: fromPrecondition(options?.precondition, "options.precondition"),
    lockWaitMs: checkLockWait(options?.lockWait, limits, "options.lock_wait"),
    underLock: lockId === "" ? undefined : checkLockId(lockId, "options.lock_id"),
    priority: checkPriority(options?.priority ?? 0, "options.priority"),
    labels: checkLabels(options?.labels ?? {}, "options.labels"),
  };
}

export function checkLockWait(
  wait: Duration | undefined,
  limits: { readonly lockWaitMs: number; readonly lockWaitMsMax: number },
  field: string,
): number {
  const lockWaitMs = wait ? durationMs(wait) : limits.lockWaitMs;
  // A negative time of less than a millisecond is zero milliseconds, but still negative.
  const isNegative = lockWaitMs < 0 || (wait?.nanos ?? 0) < 0;
  if (isNegative || lockWaitMs > limits.lockWaitMsMax) refuse(field, `must be from 0 to ${limits.lockWaitMsMax} ms`);
  return lockWaitMs;
}

/** What may be the id of a lock, known or not. */
export function checkLockId(lockId: string, field = "lock_id"): LeaseId {
  if (!LOCK_ID.test(lockId)) refuse(field, "is not the id of a lock");
  return lockId as LeaseId;
}

export function fromPrecondition(precondition: v1.Precondition | undefined, field: string): Precondition {
  const etag = precondition?.etag || undefined;
  const ifRevision = precondition?.ifRevision;
  if (etag !== undefined && !/^"[^"]{1,256}"$/.test(etag))
    refuse(`${field}.etag`, "must be a quoted etag as it was given");
  return {
    etag,
    ifRevision: ifRevision === undefined ? undefined : checkPosition(ifRevision, `${field}.if_revision`),
  };
}

export const sha256Of = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();

export function checkRequestId(requestId: string, field: string): string {
  if (!REQUEST_ID.test(requestId)) refuse(field, "must be at most 128 characters out of A-Z a-z 0-9 . _ : and -");
  return requestId;
}

export function checkPriority(priority: number, field: string): number {
  if (Math.abs(priority) > 100) refuse(field, "must be from -100 to 100");
  return priority;
}

export function checkLabels(labels: Record<string, string>, field: string): Record<string, string> {
  const entries = Object.entries(labels);
  if (entries.length > LABELS_MAX) refuse(field, `must have at most ${LABELS_MAX} entries`);
  for (const [key, value] of entries) {
    if (key === "" || key.length > LABEL_KEY_MAX) refuse(field, `must have keys of 1 to ${LABEL_KEY_MAX} characters`);
    if (value.length > LABEL_VALUE_MAX) refuse(field, `must have values of at most ${LABEL_VALUE_MAX} characters`);
  }
  return labels;
}

export function checkMode(mode: number | undefined, field = "mode"): number | undefined {
  if (mode !== undefined && mode > 0o777) refuse(field, "must have permission bits only, 0 to 0777");
  return mode;
}

/** A digest is 32 bytes or not given; when given and `found` is known, they must be equal. */
export function checkSha256(wanted: Uint8Array, found: Uint8Array | undefined, path: string, field = "sha256"): void {
  if (wanted.length === 0) return;
  if (wanted.length !== 32) refuse(field, "must be 32 bytes, or empty");
  if (found && !sameBytes(wanted, found)) throw new ChecksumMismatchError({ field, path });
}

export function checkVolume(wanted: string, served: string): void {
  if (wanted !== "" && wanted !== served) throw new VolumeUnknownError({ volume: wanted });
}

/** A count or position that the wire carries as int64. No file or history reaches what a double cannot count. */
export function checkPosition(value: bigint, field: string): number {
  if (value < 0n) refuse(field, "must not be negative");
  return Math.min(Number(value), Number.MAX_SAFE_INTEGER);
}

export function checkPageSize(pageSize: number): number {
  if (pageSize < 0) refuse("page_size", "must not be negative");
  return Math.min(pageSize || 100, 1000);
}

export const toPageToken = (text: string): string => Buffer.from(text).toString("base64url");

export function fromPageToken(token: string): string {
  const text = Buffer.from(token, "base64url").toString();
  if (toPageToken(text) !== token) refuse("page_token", "is not one that a page gave");
  return text;
}

export function refuse(field: string, problem: string): never {
  throw new ArgumentInvalidError({ field, problem });
}
