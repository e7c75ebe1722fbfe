import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import { crc32c } from "@node-rs/crc32";
import type { DrainReplicaRequestSchema, EventSeverity } from "../../services/gen/safefile/v1/admin_service_pb.js";
import { PreconditionSchema } from "../../services/gen/safefile/v1/common_pb.js";
import { OverwritePolicy } from "../../services/gen/safefile/v1/recovery_service_pb.js";
import {
  admin,
  type BadCase,
  CHANGES,
  EDITS,
  file,
  LARGE,
  now,
  type Options,
  recovery,
  restore,
  SMALL,
  upload,
} from "./bad-case.js";
import { BAD_CHANGES } from "./bad-changes.js";
import { BAD_LOCKS } from "./bad-locks.js";
import { ask, type Call } from "./raw.js";

const MIB = 1024 * 1024;
const token = (text: string) => Buffer.from(text).toString("base64url");
const labels = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`key-${at}`, ""]));
const wait = (seconds: number, nanos = 0) => create(DurationSchema, { seconds: BigInt(seconds), nanos });
const when = (ifRevision: number | undefined, etag = "") =>
  create(PreconditionSchema, { etag, ...(ifRevision === undefined ? {} : { ifRevision: BigInt(ifRevision) }) });

const invalid =
  (rpc: string, reason = "ARGUMENT_INVALID") =>
  (what: string, call: Call, field: string): BadCase => ({ rpc, what, call, code: "INVALID_ARGUMENT", reason, field });
const other =
  (rpc: string) =>
  (what: string, call: Call, code: string, reason: string): BadCase => ({ rpc, what, call, code, reason });

const OPTIONS: readonly (readonly [what: string, options: Options, field: string])[] = [
  ["a request_id of 129 characters", { requestId: "x".repeat(129) }, "request_id"],
  ["a request_id with a space", { requestId: "a b" }, "request_id"],
  ["a request_id with a line feed", { requestId: "a\n" }, "request_id"],
  ["a request_id beyond ASCII", { requestId: "é" }, "request_id"],
  ["17 labels", { labels: labels(17) }, "labels"],
  ["a label without a key", { labels: { "": "x" } }, "labels"],
  ["a label with a key of 65 characters", { labels: { ["k".repeat(65)]: "x" } }, "labels"],
  ["a label with a value of 257 characters", { labels: { k: "x".repeat(257) } }, "labels"],
  ["a priority of 101", { priority: 101 }, "priority"],
  ["a priority of -101", { priority: -101 }, "priority"],
  ["a lock_wait below zero", { lockWait: wait(-1) }, "lock_wait"],
  ["a lock_wait just below zero", { lockWait: wait(0, -1) }, "lock_wait"],
  ["a lock_wait above the limit", { lockWait: wait(3_600) }, "lock_wait"],
  ["a lock_wait of centuries", { lockWait: wait(315_576_000_000) }, "lock_wait"],
  ["an etag without quotes", { precondition: when(undefined, "x-1-2-3") }, "precondition.etag"],
  ["an etag with a quote inside", { precondition: when(undefined, '"a"b"') }, "precondition.etag"],
  ["an etag of 300 characters", { precondition: when(undefined, `"${"x".repeat(298)}"`) }, "precondition.etag"],
  ["an if_revision below zero", { precondition: when(-1) }, "precondition.if_revision"],
];

/** A directory has no etag, and each operation of a transaction has a condition of its own. */
const WITHOUT_CONDITION = ["MakeDirectory", "ExecuteTransaction"];
const CONDITIONS = [
  ["an etag", when(undefined, '"x"')],
  ["an if_revision", when(1)],
] as const;

const conditional = (rpc: string, prefix: string, call: (options: Options) => Call): BadCase[] => [
  other(rpc)("another etag", call({ precondition: when(undefined, '"x"') }), "ABORTED", "PRECONDITION_FAILED"),
  other(rpc)("an earlier if_revision", call({ precondition: when(1) }), "ABORTED", "PRECONDITION_FAILED"),
  other(rpc)("an if_revision to come", call({ precondition: when(3) }), "ABORTED", "PRECONDITION_FAILED"),
  other(rpc)(
    "an if_revision of all bits",
    call({ precondition: create(PreconditionSchema, { ifRevision: 2n ** 63n - 1n }) }),
    "ABORTED",
    "PRECONDITION_FAILED",
  ),
  rpc === "DeleteFile" || rpc === "MoveFile"
    ? invalid(rpc)("if_revision zero", call({ precondition: when(0) }), `${prefix}.precondition.if_revision`)
    : other(rpc)("if_revision zero", call({ precondition: when(0) }), "ALREADY_EXISTS", "ALREADY_EXISTS"),
];

const BAD_OPTIONS = CHANGES.flatMap(({ rpc, prefix, call }): BadCase[] => [
  ...OPTIONS.map(([what, options, field]) => invalid(rpc)(what, call(options), `${prefix}.${field}`)),
  invalid(rpc)("a lock_id of 65 characters", call({ lockId: "x".repeat(65) }), `${prefix}.lock_id`),
  invalid(rpc)("a lock_id with a slash", call({ lockId: "../x" }), `${prefix}.lock_id`),
  other(rpc)("a lock_id that nobody has", call({ lockId: "x" }), "ABORTED", "LOCK_LOST"),
  invalid(rpc, "REQUEST_ID_REUSED")(
    "a request_id that stands for another change",
    call({ requestId: "used-before" }),
    `${prefix}.request_id`,
  ),
  ...(WITHOUT_CONDITION.includes(rpc)
    ? CONDITIONS.map(([what, condition]) =>
        invalid(rpc)(what, call({ precondition: condition }), `${prefix}.precondition`),
      )
    : conditional(rpc, prefix, call)),
]);

const volume = "elsewhere";
const BAD_VOLUMES: BadCase[] = (
  [
    ["StatFile", ask(file.statFile, { volume, path: "a.txt" })],
    ["ListFiles", ask(file.listFiles, { volume })],
    ["ReadFile", ask(file.readFile, { volume, path: "a.txt" })],
    ["WriteFile", ask(file.writeFile, { volume, path: "a.txt", data: SMALL })],
    ["UploadFile", upload({ volume })],
    ["DeleteFile", ask(file.deleteFile, { volume, path: "a.txt" })],
    ["WatchFiles", ask(file.watchFiles, { volume, path: "a.txt" })],
    ["ListRevisions", ask(recovery.listRevisions, { volume, path: "a.txt" })],
    ["ReadRevision", ask(recovery.readRevision, { volume, path: "a.txt", revision: 1n })],
    ["RollbackFile", ask(recovery.rollbackFile, { volume, path: "a.txt", revision: 1n })],
    ["AppendFile", ask(file.appendFile, { volume, path: "a.txt", data: SMALL })],
    ["PatchFile", ask(file.patchFile, { volume, path: "a.txt", edits: EDITS })],
    ["SetAttributes", ask(file.setAttributes, { volume, path: "a.txt", mode: 0 })],
    ["MakeDirectory", ask(file.makeDirectory, { volume, path: "new" })],
    ["MoveFile", ask(file.moveFile, { volume, path: "a.txt", targetPath: "new" })],
    ["CopyFile", ask(file.copyFile, { volume, path: "a.txt", targetPath: "new" })],
    ["ExecuteTransaction", ask(file.executeTransaction, { volume, operations: [{ path: "a.txt" }] })],
    ["RebuildIndex", ask(recovery.rebuildIndex, { volume })],
    ["ListIncidents", ask(recovery.listIncidents, { volume })],
    ["WatchEvents", ask(admin.watchEvents, { volume })],
    ["StartRestore", restore({ volume })],
  ] as const
).map(([rpc, call]) => other(rpc)("another volume", call, "NOT_FOUND", "VOLUME_UNKNOWN"));

const stat = other("StatFile");
const list = invalid("ListFiles");
const read = invalid("ReadFile");
const write = invalid("WriteFile");
const sent = invalid("UploadFile");
const damaged = invalid("UploadFile", "CHECKSUM_MISMATCH");
const revisions = invalid("ListRevisions");
const revision = invalid("ReadRevision");
const rollback = invalid("RollbackFile");

const listed = (pageToken: string, path = "") => ask(file.listFiles, { path, pageToken });
const paged = (pageToken: string) => ask(recovery.listRevisions, { path: "a.txt", pageToken });
const reading = (range: object) => ask(file.readFile, { path: "a.txt", ...range });
const writing = (change: object) => ask(file.writeFile, { path: "a.txt", data: SMALL, ...change });
const rereading = (range: object) => ask(recovery.readRevision, { path: "a.txt", revision: 1n, ...range });
const back = (path: string, to: bigint) => ask(recovery.rollbackFile, { path, revision: to });

const header = { part: { case: "header" as const, value: { path: "a.txt" } } };
const chunk = (data: Uint8Array, offset: number, sum?: number) => ({
  part: {
    case: "chunk" as const,
    value: { data, offset: BigInt(offset), ...(sum === undefined ? {} : { crc32c: sum }) },
  },
});
const chunkAt = (offset: bigint) => ({ part: { case: "chunk" as const, value: { data: SMALL, offset } } });
const named = { part: { case: "header" as const, value: { path: "a.txt", uploadId: "mine" } } };
const uploading = (...messages: Parameters<typeof ask<typeof file.uploadFile>>[1][]) =>
  ask(file.uploadFile, ...messages);

const READS: BadCase[] = [
  stat("a path with nothing there", ask(file.statFile, { path: "none.txt" }), "NOT_FOUND", "PATH_NOT_FOUND"),
  other("ListFiles")("no directory", ask(file.listFiles, { path: "none" }), "NOT_FOUND", "PATH_NOT_FOUND"),
  list("a page_size below zero", ask(file.listFiles, { pageSize: -1 }), "page_size"),
  list("a page_token out of the air", listed("!!!"), "page_token"),
  list("a page_token with padding", listed(`${token("a.txt")}=`), "page_token"),
  list("a page_token that is no path", listed(token("../a.txt")), "page_token"),
  list("a page_token of another directory", listed(token("a.txt"), "dir"), "page_token"),
  other("ReadFile")("a path with nothing there", ask(file.readFile, { path: "none" }), "NOT_FOUND", "PATH_NOT_FOUND"),
  read("a revision below zero", reading({ revision: -1n }), "revision"),
  read("an offset below zero", reading({ offset: -1n }), "offset"),
  read("a limit below zero", reading({ limit: -1n }), "limit"),
  read("the revision of a delete", ask(file.readFile, { path: "gone.txt", revision: 2n }), "revision"),
  other("ReadFile")("no such revision", reading({ revision: 99n }), "NOT_FOUND", "BACKUP_VERSION"),
  other("ReadFile")("a revision of all bits", reading({ revision: 2n ** 63n - 1n }), "NOT_FOUND", "BACKUP_VERSION"),
];

const WRITES: BadCase[] = [
  write("a mode of 01000", writing({ mode: 0o1000 }), "mode"),
  write("a setuid mode", writing({ mode: 0o4755 }), "mode"),
  write("a sha256 of 31 bytes", writing({ sha256: Buffer.alloc(31) }), "sha256"),
  write("more than 1 MiB", writing({ data: Buffer.alloc(MIB + 1) }), "data"),
  ...[SMALL, LARGE].map((data) =>
    invalid("WriteFile", "CHECKSUM_MISMATCH")(
      `${data.length} bytes with another sha256`,
      writing({ data, sha256: Buffer.alloc(32, 1) }),
      "sha256",
    ),
  ),
  sent("no message at all", uploading(), "header"),
  sent("no header", uploading(chunk(SMALL, 0)), "header"),
  sent("two headers", uploading(header, header), "chunk"),
  sent("a second header after large content", uploading(header, chunk(LARGE, 0), header), "chunk"),
  sent("a message with nothing in it", uploading(header, {}), "chunk"),
  sent(
    "a chunk with a gap before it",
    uploading(header, chunk(LARGE, 0), chunk(SMALL, LARGE.length + 1)),
    "chunk.offset",
  ),
  sent("a chunk that overlaps", uploading(header, chunk(LARGE, 0), chunk(SMALL, LARGE.length - 1)), "chunk.offset"),
  sent("a chunk before the start", uploading(header, chunk(SMALL, -1)), "chunk.offset"),
  sent("a chunk of more than 1 MiB", upload({}, Buffer.alloc(MIB + 1)), "chunk.data"),
  sent("a mode of 01000", upload({ mode: 0o1000 }), "header.mode"),
  sent("a sha256 of 31 bytes", upload({ sha256: Buffer.alloc(31) }), "header.sha256"),
  sent("a size below zero", upload({ sizeBytes: -1n }), "header.size_bytes"),
  damaged("small content with another sha256", upload({ sha256: Buffer.alloc(32, 1) }), "header.sha256"),
  damaged("large content with another sha256", upload({ sha256: Buffer.alloc(32, 1) }, LARGE, SMALL), "header.sha256"),
  damaged("a chunk with another crc32c", uploading(header, chunk(SMALL, 0, crc32c(SMALL) ^ 1)), "chunk.crc32c"),
  damaged(
    "a second chunk with another crc32c",
    uploading(header, chunk(LARGE, 0, crc32c(LARGE)), chunk(SMALL, LARGE.length, 1)),
    "chunk.crc32c",
  ),
  damaged("less than its size_bytes", upload({ sizeBytes: BigInt(LARGE.length + 1) }, LARGE), "header.size_bytes"),
  damaged("more than its size_bytes", upload({ sizeBytes: BigInt(LARGE.length - 1) }, LARGE), "header.size_bytes"),
  damaged("a size_bytes of all bits", upload({ sizeBytes: 2n ** 63n - 1n }, SMALL), "header.size_bytes"),
  sent("an upload_id of 129 characters", upload({ uploadId: "x".repeat(129) }), "header.upload_id"),
  sent("an upload_id with a space", upload({ uploadId: "a b" }), "header.upload_id"),
  sent("an upload_id with a slash", upload({ uploadId: "../a" }), "header.upload_id"),
  sent("an upload_id and no chunk, but a header again", uploading(named, named), "chunk"),
  sent("a resumed chunk before the start", uploading(named, chunk(SMALL, -1)), "chunk.offset"),
  sent("a resumed chunk beyond what is held", uploading(named, chunk(LARGE, 1)), "chunk.offset"),
  sent("a resumed chunk of all bits", uploading(named, chunkAt(2n ** 63n - 1n)), "chunk.offset"),
  sent(
    "a gap after a first chunk under an upload_id",
    uploading(named, chunk(SMALL, 0), chunk(SMALL, SMALL.length + 1)),
    "chunk.offset",
  ),
  sent("going back under an upload_id", uploading(named, chunk(SMALL, 0), chunk(SMALL, 5)), "chunk.offset"),
  damaged("a first chunk under an upload_id with another crc32c", uploading(named, chunk(LARGE, 0, 1)), "chunk.crc32c"),
  ...([SMALL, LARGE] as const).flatMap((data) => [
    damaged(
      `${data.length} bytes under an upload_id with another sha256`,
      upload({ uploadId: `sha-${data.length}`, sha256: Buffer.alloc(32, 1) }, data),
      "header.sha256",
    ),
    damaged(
      `${data.length} bytes under an upload_id, more than size_bytes`,
      upload({ uploadId: `more-${data.length}`, sizeBytes: BigInt(data.length - 1) }, data),
      "header.size_bytes",
    ),
  ]),
  damaged(
    "an upload_id of which nothing is held, and no chunk",
    ask(file.uploadFile, { part: { case: "header", value: { path: "a.txt", uploadId: "none", sizeBytes: 5n } } }),
    "header.size_bytes",
  ),
  other("DeleteFile")("nothing there", ask(file.deleteFile, { path: "none" }), "NOT_FOUND", "PATH_NOT_FOUND"),
  other("DeleteFile")("no parent", ask(file.deleteFile, { path: "no/one" }), "NOT_FOUND", "PATH_NOT_FOUND"),
  other("DeleteFile")("a deleted file", ask(file.deleteFile, { path: "gone.txt" }), "NOT_FOUND", "PATH_NOT_FOUND"),
  invalid("DeleteFile")(
    "a directory under a precondition",
    ask(file.deleteFile, { path: "dir", recursive: true, options: { precondition: when(1) } }),
    "options.precondition",
  ),
];

const HISTORY: BadCase[] = [
  other("ListRevisions")(
    "a path without history",
    ask(recovery.listRevisions, { path: "none" }),
    "NOT_FOUND",
    "PATH_NOT_FOUND",
  ),
  revisions("a page_size below zero", ask(recovery.listRevisions, { path: "a.txt", pageSize: -1 }), "page_size"),
  revisions("a page_token out of the air", paged("!!!"), "page_token"),
  revisions("a page_token that is no number", paged(token("a.txt")), "page_token"),
  revisions("a page_token below zero", paged(token("-1")), "page_token"),
  revision("a revision below zero", rereading({ revision: -1n }), "revision"),
  revision("an offset below zero", rereading({ offset: -1n }), "offset"),
  revision("a limit below zero", rereading({ limit: -1n }), "limit"),
  revision("a delete", ask(recovery.readRevision, { path: "gone.txt", revision: 2n }), "revision"),
  revision("the newest, which is a delete", ask(recovery.readRevision, { path: "gone.txt" }), "revision"),
  other("ReadRevision")("no such revision", rereading({ revision: 99n }), "NOT_FOUND", "BACKUP_VERSION"),
  rollback("revision zero", back("a.txt", 0n), "revision"),
  rollback("a revision below zero", back("a.txt", -1n), "revision"),
  rollback("a delete", back("gone.txt", 2n), "revision"),
  other("RollbackFile")("no such revision", back("a.txt", 99n), "NOT_FOUND", "BACKUP_VERSION"),
  other("RollbackFile")("a path without history", back("none", 1n), "NOT_FOUND", "BACKUP_VERSION"),
];

const start = invalid("StartRestore");
const tree = { path: "dir", tree: true } as const;
const as = (operation: string) => ({ point: { case: "asOfOperation" as const, value: operation } });

const RESTORES: BadCase[] = [
  start("no point", restore({ point: { case: undefined } }), "point"),
  start("a time in the future", restore({ point: { case: "asOfTime", value: now(3_600) } }), "as_of_time"),
  start("an operation that never was", restore(as("01JZZZZZZZZZZZZZZZZZZZZZZZ.1")), "as_of_operation"),
  start("an operation that is none", restore(as("yesterday")), "as_of_operation"),
  start("an operation without a name", restore(as("")), "as_of_operation"),
  start("a target below", restore({ ...tree, targetPath: "dir/copy" }), "target_path"),
  start("a target above", restore({ ...tree, path: "dir/deep", targetPath: "dir" }), "target_path"),
  start("the path itself as target", restore({ ...tree, targetPath: "dir" }), "target_path"),
  start("a target below the whole volume", restore({ path: "", tree: true, targetPath: "copy" }), "target_path"),
  start("delete_extra for one file", restore({ deleteExtra: true }), "delete_extra"),
  start("delete_extra with a target", restore({ ...tree, targetPath: "copy", deleteExtra: true }), "delete_extra"),
  start(
    "delete_extra with NEVER",
    restore({ ...tree, deleteExtra: true, overwritePolicy: OverwritePolicy.NEVER }),
    "delete_extra",
  ),
  start("an overwrite_policy to come", restore({ overwritePolicy: 7 as OverwritePolicy }), "overwrite_policy"),
  start("include for one file", restore({ include: ["*"] }), "include"),
  start("exclude for one file", restore({ exclude: ["*"] }), "exclude"),
  ...(["include", "exclude"] as const).flatMap((field) => [
    start(`101 globs to ${field}`, restore({ ...tree, [field]: Array(101).fill("*") }), field),
    start(`an empty glob to ${field}`, restore({ ...tree, [field]: ["*", ""] }), field),
    start(`a glob of 1,025 characters to ${field}`, restore({ ...tree, [field]: ["x".repeat(1_025)] }), field),
  ]),
  start("a request_id of 129 characters", restore({ requestId: "x".repeat(129) }), "request_id"),
  start("a request_id with a space", restore({ requestId: "a b" }), "request_id"),
  start("a priority of 101", restore({ priority: 101 }), "priority"),
  start("17 labels", restore({ labels: labels(17) }), "labels"),
  other("WatchRestore")(
    "a restore that never was",
    ask(recovery.watchRestore, { restoreId: "01JZZZZZZZZZZZZZZZZZZZZZZZ.1" }),
    "NOT_FOUND",
    "RECOVERY_RESTORE",
  ),
  other("WatchRestore")("no name", ask(recovery.watchRestore, {}), "NOT_FOUND", "RECOVERY_RESTORE"),
  invalid("WatchRestore")("a cursor out of the air", ask(recovery.watchRestore, { cursor: "x" }), "cursor"),
];

const watch = (resumeToken: string) => ask(file.watchFiles, { path: "a.txt", resumeToken });
const WATCHES: BadCase[] = (
  [
    ["a resume_token out of the air", "!!!"],
    ["a resume_token that says nothing", token("x")],
    ["a resume_token with another checksum", token(`1 a ${"0".repeat(40)} 1 00000000`)],
    ["a resume_token of a version to come", token(`2 a ${"0".repeat(40)} 1 00000000`)],
    ["a resume_token of a megabyte", "A".repeat(MIB)],
  ] as const
).map(([what, resumeToken]) => invalid("WatchFiles")(what, watch(resumeToken), "resume_token"));
const incidents = (pageToken: string, unresolvedOnly = false) =>
  ask(recovery.listIncidents, { pageToken, unresolvedOnly });
const page = `0 ${"1".padStart(16, "0")}.01JZZZZZZZZZZZZZZZZZZZZZZZ`;
const events = (resumeToken: string) => ask(admin.watchEvents, { resumeToken });
/** A good one would end the replica that all tests share. */
const drain = (request: MessageInitShape<typeof DrainReplicaRequestSchema>) =>
  ask(admin.drainReplica, { reason: "a test", ...request });

const ADMINISTRATION: BadCase[] = [
  ...(
    [
      ["a page_size below zero", ask(recovery.listIncidents, { pageSize: -1 }), "page_size"],
      ["a page_token out of the air", incidents("!!!"), "page_token"],
      ["a page_token that is no place", incidents(token("a.txt")), "page_token"],
      ["a page_token with padding", incidents(`${token(page)}=`), "page_token"],
      ["a page_token of another filter", incidents(token(page), true), "page_token"],
    ] as const
  ).map(([what, call, field]) => invalid("ListIncidents")(what, call, field)),
  ...(
    [
      ["a severity_min to come", ask(admin.watchEvents, { severityMin: 9 as EventSeverity }), "severity_min"],
      ["a resume_token out of the air", events("!!!"), "resume_token"],
      ["a resume_token that is no place", events(token("a.txt")), "resume_token"],
      ["a resume_token of another version", events(token("v2 1700000000000")), "resume_token"],
      ["a resume_token of no time", events(token("v1 -1")), "resume_token"],
    ] as const
  ).map(([what, call, field]) => invalid("WatchEvents")(what, call, field)),
  ...(
    [
      ["another replica", drain({ incarnation: "01JZZZZZZZZZZZZZZZZZZZZZZZ" }), "incarnation"],
      ["what is no replica", drain({ incarnation: "../x" }), "incarnation"],
      ["no reason", drain({ reason: "" }), "reason"],
      ["a reason of 513 characters", drain({ reason: "x".repeat(513) }), "reason"],
      ["a drain_wait below zero", drain({ drainWait: wait(-1) }), "drain_wait"],
      ["a drain_wait just below zero", drain({ drainWait: wait(0, -1) }), "drain_wait"],
      ["a drain_wait above the limit", drain({ drainWait: wait(3_600) }), "drain_wait"],
      ["a request_id of 129 characters", drain({ requestId: "x".repeat(129) }), "request_id"],
      ["a request_id with a space", drain({ requestId: "a b" }), "request_id"],
    ] as const
  ).map(([what, call, field]) => invalid("DrainReplica")(what, call, field)),
];

export const BAD_FIELDS: readonly BadCase[] = [
  ...BAD_VOLUMES,
  ...BAD_OPTIONS,
  ...READS,
  ...WRITES,
  ...BAD_CHANGES,
  ...HISTORY,
  ...RESTORES,
  ...WATCHES,
  ...ADMINISTRATION,
  ...BAD_LOCKS,
];
