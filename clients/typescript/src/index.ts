export type { CallOptions, ChangeOptions } from "./call-options.js";
export type { Pieces, UploadSource } from "./chunks.js";
export {
  type ClientOptions,
  type DrainOptions,
  type IncidentsOptions,
  type ListOptions,
  type ReadOptions,
  type RemoveOptions,
  SafefileClient,
  type WholeReadOptions,
  type Windows,
  type WriteOptions,
} from "./client.js";
export { Download } from "./download.js";
export type { EventsOptions } from "./events.js";
export * from "./gen/safefile/v1/admin_service_pb.js";
export * from "./gen/safefile/v1/common_pb.js";
export * from "./gen/safefile/v1/errors_pb.js";
export * from "./gen/safefile/v1/file_ops_service_pb.js";
export * from "./gen/safefile/v1/lock_service_pb.js";
export * from "./gen/safefile/v1/recovery_service_pb.js";
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
export type { UploadOptions } from "./upload.js";
export type { FileWatchOptions } from "./watch.js";
