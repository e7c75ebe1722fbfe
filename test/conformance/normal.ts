import { type DescMessage, fromJson, type JsonValue, toJson } from "@bufbuild/protobuf";
import { OperationRecordSchema } from "../../services/gen/safefile/storage/v1/storage_pb.js";
import { FileInfoSchema, MutationResultSchema, RevisionSchema } from "../../services/gen/safefile/v1/common_pb.js";
import { TransactionItemSchema, WatchFilesResponseSchema } from "../../services/gen/safefile/v1/file_ops_service_pb.js";
import { LockEntrySchema, LockSchema } from "../../services/gen/safefile/v1/lock_service_pb.js";
import { RestoreSchema, WatchRestoreResponseSchema } from "../../services/gen/safefile/v1/recovery_service_pb.js";

const SCHEMAS: Readonly<Record<string, DescMessage>> = {
  file: FileInfoSchema,
  files: FileInfoSchema,
  result: MutationResultSchema,
  revision: RevisionSchema,
  revisions: RevisionSchema,
  sourceRevision: RevisionSchema,
  items: TransactionItemSchema,
  restore: RestoreSchema,
  lock: LockSchema,
  locks: LockEntrySchema,
  record: OperationRecordSchema,
};
const EVENTS: Readonly<Record<string, DescMessage>> = {
  watchRestore: WatchRestoreResponseSchema,
  watchNext: WatchFilesResponseSchema,
};

/**
 * Messages of a driver's value in one form, whatever their language leaves out. Throws when one is no such message: a driver that
 * renders a field wrongly is found here.
 */
export function normal(verb: string, value: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => {
      const schema = name === "events" ? EVENTS[verb] : SCHEMAS[name];
      if (schema === undefined || one === undefined || one === null) return [name, one];
      return [name, Array.isArray(one) ? one.map((each) => same(schema, each)) : same(schema, one)];
    }),
  );
}

function same(schema: DescMessage, value: unknown): unknown {
  return toJson(schema, fromJson(schema, value as JsonValue), { alwaysEmitImplicit: true });
}
