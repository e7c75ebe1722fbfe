export type { CallOptions, ChangeOptions, Condition } from "./call-options.js";
export type { Pieces, UploadSource } from "./chunks.js";
export { SafefileClient } from "./client.js";
export type {
  ClientOptions,
  DrainOptions,
  IncidentsOptions,
  ListOptions,
  ReadOptions,
  RemoveOptions,
  WholeReadOptions,
  Windows,
  WriteOptions,
} from "./client-options.js";
export { Download } from "./download.js";
export type { Appended, AppendOptions, AttributeOptions, Attributes, Edit, PatchOptions } from "./edits.js";
export type { EventsOptions } from "./events.js";
export * from "./gen/safefile/v1/admin_service_pb.js";
export * from "./gen/safefile/v1/common_pb.js";
export * from "./gen/safefile/v1/errors_pb.js";
export * from "./gen/safefile/v1/file_ops_service_pb.js";
export * from "./gen/safefile/v1/lock_service_pb.js";
export * from "./gen/safefile/v1/recovery_service_pb.js";
export { HeldLock } from "./held-lock.js";
export { type LockOptions, Locks, type LocksOptions, type LockWatchOptions, type LockWish } from "./locks.js";
export type { CopyOptions, MakeDirectoryOptions, Moved, MoveOptions, TargetOptions } from "./moves.js";
export type { RestoreOptions, WatchOptions } from "./restore.js";
export type { RetryPolicy } from "./retry.js";
export {
  type ConditionViolation,
  type FieldViolation,
  isReason,
  type OutcomeName,
  type QuotaViolation,
  type ReasonName,
  type ResourceName,
  SafefileError,
} from "./safefile-error.js";
export {
  type Transacted,
  Transaction,
  type TransactionChange,
  type TransactionOptions,
  type TransactionSource,
  type TransactionStep,
} from "./transaction.js";
export type { UploadOptions } from "./upload.js";
export type { FileWatchOptions } from "./watch.js";
export type { FileWrite, WriteAnswer, WriteManyOptions, WriteSource } from "./write-many.js";
