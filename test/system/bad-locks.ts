import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import {
  type AcquireLockRequestSchema,
  type LockMode,
  LockScope,
} from "../../services/gen/safefile/v1/lock_service_pb.js";
import { type BadCase, locking } from "./bad-case.js";
import { ask, type Call } from "./raw.js";

type Request = Omit<MessageInitShape<typeof AcquireLockRequestSchema>, "$typeName">;

const wait = (seconds: number, nanos = 0) => create(DurationSchema, { seconds: BigInt(seconds), nanos });
const token = (text: string) => Buffer.from(text).toString("base64url");
/** A good lock but for what is overridden. */
const acquire = (request: Request): Call => ask(locking.acquireLock, { targets: [{ path: "locked" }], ...request });
const targets = (...paths: string[]): Call => acquire({ targets: paths.map((path) => ({ path })) });
const { SUBTREE } = LockScope;
const many = (count: number, size = 1) =>
  Array.from({ length: count }, (_, at) => ({ path: `${String(at).padStart(4, "0")}${"x".repeat(size)}` }));

const ACQUIRE: readonly (readonly [what: string, call: Call, field: string, reason?: string])[] = [
  ["no targets", acquire({ targets: [] }), "targets"],
  ["1,001 targets", acquire({ targets: many(1_001) }), "targets"],
  [
    "more than 256 KiB of paths",
    acquire({ targets: many(1_000, 250).map(({ path }) => ({ path: `${path}/${"y".repeat(20)}` })) }),
    "targets",
    "LIMIT_EXCEEDED",
  ],
  ["the root alone", targets(""), "targets[0].path"],
  ["a path that is absolute", targets("a", "/b"), "targets[1].path", "PATH_INVALID"],
  ["a path that leads out", targets("../a"), "targets[0].path", "PATH_INVALID"],
  ["a path of ours", targets(".safefile/locks"), "targets[0].path", "PATH_INVALID"],
  [
    "a tree that is no path",
    acquire({ targets: [{ path: "a//b", scope: SUBTREE }] }),
    "targets[0].path",
    "PATH_INVALID",
  ],
  ["a path twice", targets("a", "b", "a"), "targets[2]"],
  ["a tree and its own path", acquire({ targets: [{ path: "a", scope: SUBTREE }, { path: "a" }] }), "targets[1]"],
  ["a path and a tree over it", acquire({ targets: [{ path: "a/b/c" }, { path: "a", scope: SUBTREE }] }), "targets[0]"],
  ["the root and anything", acquire({ targets: [{ path: "", scope: SUBTREE }, { path: "z" }] }), "targets[1]"],
  ["a scope to come", acquire({ targets: [{ path: "a", scope: 9 as LockScope }] }), "targets[0].scope"],
  ["a mode to come", acquire({ targets: [{ path: "a", mode: 9 as LockMode }] }), "targets[0].mode"],
  ["a ttl below zero", acquire({ ttl: wait(-1) }), "ttl"],
  ["a ttl just below zero", acquire({ ttl: wait(0, -1) }), "ttl"],
  ["a lock_wait below zero", acquire({ lockWait: wait(-1) }), "lock_wait"],
  ["a lock_wait above the limit", acquire({ lockWait: wait(3_600) }), "lock_wait"],
  ["a priority of 101", acquire({ priority: 101 }), "priority"],
  ["a priority of -101", acquire({ priority: -101 }), "priority"],
  ["a request_id of 129 characters", acquire({ requestId: "x".repeat(129) }), "request_id"],
  ["a request_id with a space", acquire({ requestId: "a b" }), "request_id"],
  ["an owner_name of 129 characters", acquire({ ownerName: "x".repeat(129) }), "owner_name"],
  ["an owner_name with a line feed", acquire({ ownerName: "a\nb" }), "owner_name"],
  ["a session of 129 characters", acquire({ session: "x".repeat(129) }), "session"],
  ["a session with a null", acquire({ session: "a\0b" }), "session"],
  ["17 labels", acquire({ labels: Object.fromEntries(many(17).map(({ path }) => [path, ""])) }), "labels"],
  ["a label without a key", acquire({ labels: { "": "x" } }), "labels"],
];

const IDS: readonly (readonly [what: string, id: string])[] = [
  ["no lock_id", ""],
  ["a lock_id that leads out", "../AAAAAAAAAAAA.1"],
  ["a lock_id of 65 characters", "x".repeat(65)],
  ["a lock_id with a null", "a\0"],
];

const unknown = (call: Call): BadCase => ({
  rpc: call.method.name,
  what: "a lock that nobody has",
  call,
  code: "ABORTED",
  reason: "LOCK_LOST",
});
const volume = (call: Call): BadCase => ({
  rpc: call.method.name,
  what: "another volume",
  call,
  code: "NOT_FOUND",
  reason: "VOLUME_UNKNOWN",
});
const list = (pageToken: string) => ask(locking.listLocks, { pageToken });
const stop = (reason: string, requestId = "") =>
  ask(locking.breakLock, { lockId: "AAAAAAAAAAAA.1", reason, requestId });

const OTHERS: readonly (readonly [what: string, call: Call, field: string, reason?: string])[] = [
  ...IDS.flatMap(([what, lockId]) =>
    [
      ask(locking.renewLock, { lockId }),
      ask(locking.releaseLock, { lockId }),
      ask(locking.breakLock, { lockId, reason: "a test" }),
    ].map((call) => [what, call, "lock_id"] as const),
  ),
  ["a ttl below zero", ask(locking.renewLock, { lockId: "x", ttl: wait(-1) }), "ttl"],
  ["no reason", stop(""), "reason"],
  ["a reason of 513 characters", stop("x".repeat(513)), "reason"],
  ["a reason of two lines", stop("a\nb"), "reason"],
  ["a request_id with a space", stop("a test", "a b"), "request_id"],
  ["a page_size below zero", ask(locking.listLocks, { pageSize: -1 }), "page_size"],
  ["a page_token out of the air", list("!!!"), "page_token"],
  ["a page_token that is no place", list(token("a")), "page_token"],
  ["a page_token of two parts", list(token('["0 ","a"]')), "page_token"],
  ["a page_token of numbers", list(token("[1,2,3]")), "page_token"],
  ["a page_token of another filter", list(token('["1 ","a","b"]')), "page_token"],
  ["a path that leads out", ask(locking.listLocks, { path: "../a" }), "path", "PATH_INVALID"],
  ["a path that leads out", ask(locking.watchLocks, { path: "../a" }), "path", "PATH_INVALID"],
  ["a resume_token out of the air", ask(locking.watchLocks, { resumeToken: "!!!" }), "resume_token"],
  [
    "a resume_token of a version to come",
    ask(locking.watchLocks, { resumeToken: "v2.AAAAAAAAAAAA.1" }),
    "resume_token",
  ],
];

/** Requests of LockService that are not as they should be. */
export const BAD_LOCKS: readonly BadCase[] = [
  ...[...ACQUIRE, ...OTHERS].map(
    ([what, call, field, reason = "ARGUMENT_INVALID"]): BadCase => ({
      rpc: call.method.name,
      what,
      call,
      code: "INVALID_ARGUMENT",
      reason,
      field,
    }),
  ),
  unknown(ask(locking.renewLock, { lockId: "AAAAAAAAAAAA.1" })),
  unknown(stop("a test")),
  volume(acquire({ volume: "other" })),
  volume(ask(locking.listLocks, { volume: "other" })),
  volume(ask(locking.watchLocks, { volume: "other" })),
];
