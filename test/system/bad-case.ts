import type { MessageInitShape } from "@bufbuild/protobuf";
import { AdminService } from "../../services/gen/safefile/v1/admin_service_pb.js";
import type { MutationOptionsSchema } from "../../services/gen/safefile/v1/common_pb.js";
import {
  FileOpsService,
  type TransactionOperationSchema,
  type UploadHeaderSchema,
} from "../../services/gen/safefile/v1/file_ops_service_pb.js";
import { LockService } from "../../services/gen/safefile/v1/lock_service_pb.js";
import { RecoveryService, type StartRestoreRequestSchema } from "../../services/gen/safefile/v1/recovery_service_pb.js";
import { ask, type Call } from "./raw.js";

/** One bad request, and the answer that fits. */
export interface BadCase {
  readonly rpc: string;
  readonly what: string;
  readonly call: Call;
  readonly code: string;
  readonly reason: string;
  /** The field that the BadRequest must name; undefined for answers that are not about a field. */
  readonly field?: string;
}

export const file = FileOpsService.method;
export const recovery = RecoveryService.method;
export const admin = AdminService.method;
export const locking = LockService.method;

/** Content that travels in the request, and content that is received into a file first. */
export const SMALL = Buffer.from("new content");
export const LARGE = Buffer.alloc(100_000, "new content ");

export type Options = MessageInitShape<typeof MutationOptionsSchema>;

/** A good upload but for what is overridden. */
export function upload(
  header: Partial<MessageInitShape<typeof UploadHeaderSchema>>,
  data: Uint8Array = SMALL,
  ...more: Uint8Array[]
): Call {
  const offsets = [data, ...more].map((_, at, all) => all.slice(0, at).reduce((sum, each) => sum + each.length, 0));
  const chunks = [data, ...more].map((each, at) => ({
    part: { case: "chunk" as const, value: { data: each, offset: BigInt(offsets[at]!) } },
  }));
  return ask(file.uploadFile, { part: { case: "header", value: { path: "a.txt", ...header } as never } }, ...chunks);
}

/** A good restore but for what is overridden. */
export const restore = (request: Partial<MessageInitShape<typeof StartRestoreRequestSchema>>): Call =>
  ask(recovery.startRestore, { path: "a.txt", point: { case: "asOfTime", value: now() }, ...request } as never);

export const now = (offsetSeconds = 0) => ({
  seconds: BigInt(Math.floor(Date.now() / 1000) + offsetSeconds),
  nanos: 0,
});

export type Step = MessageInitShape<typeof TransactionOperationSchema>;
type Action = NonNullable<Step["action"]>;

/** A good transaction but for its one operation, on a path that exists. */
export const step = (action: Action, path = "a.txt", more: Partial<Step> = {}): Call =>
  ask(file.executeTransaction, { operations: [{ path, action, ...more } as Step] });

export const EDITS: { offset: bigint; length: bigint; data: Uint8Array }[] = [{ offset: 0n, length: 1n, data: SMALL }];

/** Every kind of action in a transaction, each good, on a path that exists. */
export const ACTIONS: readonly Action[] = [
  { case: "write", value: { data: SMALL } },
  { case: "append", value: { data: SMALL } },
  { case: "patch", value: { edits: EDITS } },
  { case: "delete", value: {} },
  { case: "move", value: { targetPath: "new.txt" } },
  { case: "copy", value: { targetPath: "new.txt" } },
  { case: "attributes", value: { mode: 0o600 } },
];

/** The changes that work, each good but for its options. */
export const CHANGES: readonly { rpc: string; prefix: string; call: (options: Options) => Call }[] = [
  {
    rpc: "WriteFile",
    prefix: "options",
    call: (options) => ask(file.writeFile, { path: "a.txt", data: SMALL, options }),
  },
  { rpc: "UploadFile", prefix: "options", call: (options) => upload({ options }, LARGE) },
  {
    rpc: "DeleteFile",
    prefix: "options",
    call: (options) => ask(file.deleteFile, { path: "a.txt", options }),
  },
  {
    rpc: "RollbackFile",
    prefix: "options",
    call: (options) => ask(recovery.rollbackFile, { path: "a.txt", revision: 1n, options }),
  },
  {
    rpc: "AppendFile",
    prefix: "options",
    call: (options) => ask(file.appendFile, { path: "a.txt", data: SMALL, options }),
  },
  {
    rpc: "PatchFile",
    prefix: "options",
    call: (options) => ask(file.patchFile, { path: "a.txt", edits: EDITS, options }),
  },
  {
    rpc: "MoveFile",
    prefix: "options",
    call: (options) => ask(file.moveFile, { path: "a.txt", targetPath: "new.txt", options }),
  },
  {
    rpc: "CopyFile",
    prefix: "options",
    call: (options) => ask(file.copyFile, { path: "a.txt", targetPath: "new.txt", options }),
  },
  {
    rpc: "SetAttributes",
    prefix: "options",
    call: (options) => ask(file.setAttributes, { path: "a.txt", mode: 0o600, options }),
  },
  {
    rpc: "MakeDirectory",
    prefix: "options",
    call: (options) => ask(file.makeDirectory, { path: "new", options }),
  },
  {
    rpc: "ExecuteTransaction",
    prefix: "options",
    call: (options) =>
      ask(file.executeTransaction, { operations: [{ path: "a.txt", action: { case: "delete", value: {} } }], options }),
  },
];

/** Every RPC that names a path: good but for the path. */
export const PATHS: readonly {
  rpc: string;
  field: string;
  /** Whether an empty path is the root, and fine. */
  root: boolean;
  call: (path: string) => Call;
}[] = [
  { rpc: "StatFile", field: "path", root: true, call: (path) => ask(file.statFile, { path }) },
  { rpc: "ListFiles", field: "path", root: true, call: (path) => ask(file.listFiles, { path }) },
  { rpc: "ReadFile", field: "path", root: false, call: (path) => ask(file.readFile, { path }) },
  {
    rpc: "ReadFile of a revision",
    field: "path",
    root: false,
    call: (path) => ask(file.readFile, { path, revision: 1n }),
  },
  { rpc: "WriteFile", field: "path", root: false, call: (path) => ask(file.writeFile, { path, data: SMALL }) },
  {
    rpc: "WriteFile of more than a record",
    field: "path",
    root: false,
    call: (path) => ask(file.writeFile, { path, data: LARGE }),
  },
  { rpc: "UploadFile", field: "header.path", root: false, call: (path) => upload({ path }, LARGE) },
  { rpc: "DeleteFile", field: "path", root: false, call: (path) => ask(file.deleteFile, { path }) },
  { rpc: "WatchFiles", field: "path", root: true, call: (path) => ask(file.watchFiles, { path }) },
  {
    rpc: "DeleteFile of a tree",
    field: "path",
    root: false,
    call: (path) => ask(file.deleteFile, { path, recursive: true }),
  },
  { rpc: "AppendFile", field: "path", root: false, call: (path) => ask(file.appendFile, { path, data: SMALL }) },
  { rpc: "PatchFile", field: "path", root: false, call: (path) => ask(file.patchFile, { path, edits: EDITS }) },
  { rpc: "SetAttributes", field: "path", root: false, call: (path) => ask(file.setAttributes, { path, mode: 0o600 }) },
  { rpc: "MakeDirectory", field: "path", root: false, call: (path) => ask(file.makeDirectory, { path }) },
  { rpc: "MoveFile", field: "path", root: false, call: (path) => ask(file.moveFile, { path, targetPath: "new.txt" }) },
  { rpc: "CopyFile", field: "path", root: false, call: (path) => ask(file.copyFile, { path, targetPath: "new.txt" }) },
  {
    rpc: "MoveFile to a target",
    field: "target_path",
    root: false,
    call: (targetPath) => ask(file.moveFile, { path: "used.txt", targetPath, overwrite: true }),
  },
  {
    rpc: "CopyFile to a target",
    field: "target_path",
    root: false,
    call: (targetPath) => ask(file.copyFile, { path: "used.txt", targetPath, overwrite: true }),
  },
  ...ACTIONS.map((action) => ({
    rpc: `ExecuteTransaction, ${action.case}`,
    field: "operations[0].path",
    root: false,
    call: (path: string) => step(action, path),
  })),
  ...(["move", "copy"] as const).map((kind) => ({
    rpc: `ExecuteTransaction, ${kind} to a target`,
    field: `operations[0].${kind}.target_path`,
    root: false,
    call: (targetPath: string) => step({ case: kind, value: { targetPath, overwrite: true } } as never, "used.txt"),
  })),
  {
    rpc: "ExecuteTransaction, only a look",
    field: "operations[0].path",
    root: false,
    call: (path) => ask(file.executeTransaction, { operations: [{ path }] }),
  },
  {
    rpc: "ExecuteTransaction, rollback",
    field: "operations[0].path",
    root: false,
    call: (path) => step({ case: "rollback", value: { revision: 1n } }, path),
  },
  { rpc: "ListRevisions", field: "path", root: false, call: (path) => ask(recovery.listRevisions, { path }) },
  {
    rpc: "ReadRevision",
    field: "path",
    root: false,
    call: (path) => ask(recovery.readRevision, { path, revision: 1n }),
  },
  {
    rpc: "RollbackFile",
    field: "path",
    root: false,
    call: (path) => ask(recovery.rollbackFile, { path, revision: 1n }),
  },
  { rpc: "StartRestore", field: "path", root: false, call: (path) => restore({ path }) },
  { rpc: "StartRestore of a tree", field: "path", root: true, call: (path) => restore({ path, tree: true }) },
  {
    rpc: "StartRestore to a target",
    field: "target_path",
    root: true,
    call: (targetPath) => restore({ targetPath, dryRun: true }),
  },
];
