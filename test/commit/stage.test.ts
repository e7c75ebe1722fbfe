import assert from "node:assert/strict";
import { test } from "node:test";
import type { Base, PathBase } from "../../services/backup/base.js";
import type { Announcer } from "../../services/commit/announcer.js";
import { Commit } from "../../services/commit/commit.js";
import { SafeOperationError } from "../../services/errors/index.js";
import type { StagedFile } from "../../services/execute/staged.js";
import type { Journals } from "../../services/journal/journals.js";
import type { Lease } from "../../services/lock/lease.js";
import type { OperationId } from "../../services/model/operation.js";
import type { Intent } from "../../services/model/operation-request.js";
import type { FilePath } from "../../services/model/path.js";
import type { OperationRecord } from "../../services/model/record.js";
import type { Heads } from "../../services/protocol/heads.js";
import type { Plan } from "../../services/validate/plan.js";
import type { Verified } from "../../services/verify/verify.js";
import { DurabilityError } from "../../services/volume/volume.js";
import { sampleContent } from "../journal/sample.js";
import { ioError } from "../regress/core.js";

const ID = "01ARZ3NDEKTSV4RRFFQ69G5FA1.7" as OperationId;
const LAST = "01ARZ3NDEKTSV4RRFFQ69G5FA1.6" as OperationId;
const MTIME_NS = 5_000n;
const CONTENT = sampleContent(3);

const intentOf = (change: Partial<Intent>): Intent => ({
  path: "f" as FilePath,
  kind: "WRITE",
  mode: undefined,
  source: undefined,
  precondition: { etag: undefined, ifRevision: undefined },
  ...change,
});

const baseOf = (change: Partial<PathBase> & { intent: Intent }): PathBase => ({
  live: undefined,
  head: undefined,
  external: undefined,
  content: undefined,
  revision: 0,
  mtimeNs: 0n,
  ...change,
});

type Looked = { readonly mtimeNs: bigint; readonly sizeBytes: number } | undefined;

/** The last stage between parts that write down when they are asked for something. */
function start(path: PathBase, ...looked: [Looked?]) {
  const stats = looked.length > 0 ? looked[0] : { mtimeNs: MTIME_NS, sizeBytes: 3 };
  const log: string[] = [];
  const fails = new Map<string, Error>();
  const step = (name: string): void => {
    log.push(name);
    const error = fails.get(name);
    if (error) throw error;
  };
  const announced: OperationRecord[][] = [];
  const announcer = {
    begin: () => ({
      journaled: () => step("journaled"),
      committed: (records: OperationRecord[]) => {
        announced.push(records);
        step("announced");
      },
      settle: () => step("settled"),
    }),
  };
  const journals = { append: async () => step("append") };
  const heads = { remember: (of: string, operation: string) => step(`remembered ${of} ${operation}`) };
  const attempt = {
    record: undefined as OperationRecord | undefined,
    batonOf: () => ({ epoch: 4, last: LAST }),
    decide: async (live: unknown) => step(live ? "decide at the live name" : "decide"),
    published: [] as Looked[],
    finish: async () => {
      step("finish");
      attempt.published[0] = stats;
    },
  };
  const lease = {
    settled: undefined as Lease["settled"],
    assertHeld: () => step("held"),
    committed: () => step("committed"),
    attempt,
  };
  const hasFile = path.intent.kind === "WRITE";
  const file = hasFile && {
    base: path,
    live: path.live,
    content: CONTENT,
    inode: 9n,
    mtimeNs: MTIME_NS,
  };
  const earlier = { operation: LAST } as OperationRecord;
  const commit = new Commit(
    journals as unknown as Journals,
    heads as unknown as Heads,
    announcer as unknown as Announcer,
  );
  const run = () =>
    commit.run(
      {
        operation: {
          id: ID,
          requestId: "request",
          requestSha256: new Uint8Array(1),
          labels: { team: "a" },
          traceId: "t",
        },
      } as unknown as Plan,
      lease as unknown as Lease,
      { paths: [path], notIndexed: [earlier] } satisfies Base,
      { files: [file ? (file as unknown as StagedFile) : undefined], timeMs: 8 } as unknown as Verified,
    );
  return { run, log, fails, announced, lease, attempt };
}

const write = (change: Partial<PathBase> = {}): PathBase =>
  baseOf({
    intent: intentOf({ source: { from: "bytes", bytes: Buffer.from("abc"), sha256: CONTENT.sha256 } }),
    ...change,
  });

test("I1/I5: the record is durable before the change is decided, and all is done in its order", async () => {
  const { run, log, announced, attempt } = start(write({ content: CONTENT, revision: 2 }));
  const { record, ...receipt } = await run();
  assert.deepEqual(receipt, { operation: ID, requestId: "request", replayed: false });
  assert.deepEqual(log, [
    ...["held", "append", "journaled", "decide", "finish", "settled", "announced", "committed"],
    `remembered f ${ID}`,
  ]);
  assert.equal(attempt.record, record);
  // What Redis has not heard of yet comes first.
  assert.deepEqual(
    announced.map((records) => records.map(({ operation }) => operation)),
    [[LAST, ID]],
  );
  assert.deepEqual(record, {
    operation: ID,
    requestId: "request",
    requestSha256: new Uint8Array(1),
    timeMs: 8,
    changes: [
      {
        path: "f",
        kind: "WRITE",
        epoch: 4,
        baseOperation: LAST,
        baseRevision: 0,
        external: undefined,
        revision: 3,
        content: CONTENT,
        createOnly: false,
        inode: 9n,
        mtimeNs: MTIME_NS,
        sourceRevision: 0,
        backupRevision: 2,
        directoryMode: 0,
      },
    ],
    labels: { team: "a" },
    traceId: "t",
  });
});

test("what a record says of other kinds of changes", async () => {
  const changeOf = async (path: PathBase) => (await start(path).run()).record?.changes[0];
  const restored = await changeOf(
    baseOf({
      intent: intentOf({ source: { from: "revision", revision: 2, sizeBytes: 3, find: async () => CONTENT } }),
    }),
  );
  assert.deepEqual([restored?.sourceRevision, restored?.backupRevision, restored?.directoryMode], [2, 0, 0]);
  const made = await changeOf(baseOf({ intent: intentOf({ kind: "MAKE_DIRECTORY", mode: 0o700 }) }));
  assert.deepEqual(
    [made?.directoryMode, made?.inode, made?.mtimeNs, made?.content, made?.sourceRevision],
    [0o700, 0n, 0n, undefined, 0],
  );
  const usual = await changeOf(baseOf({ intent: intentOf({ kind: "MAKE_DIRECTORY" }) }));
  assert.equal(usual?.directoryMode, 0o755);
  const head = { change: { revision: 6 } } as NonNullable<PathBase["head"]>;
  const removed = await changeOf(
    baseOf({ intent: intentOf({ kind: "DELETE" }), head, content: CONTENT, revision: 6, external: { deleted: true } }),
  );
  assert.deepEqual(
    [removed?.baseRevision, removed?.revision, removed?.external, removed?.backupRevision],
    [6, 7, { deleted: true }, 6],
  );
  const created = await changeOf(
    write({ intent: { ...write().intent, precondition: { etag: undefined, ifRevision: 0 } } }),
  );
  assert.equal(created?.createOnly, true);
});

test("the live name that was held is where it is decided", async () => {
  const { run, log } = start(write({ live: { path: "f" as FilePath } as NonNullable<PathBase["live"]> }));
  await run();
  assert(log.includes("decide at the live name"));
});

test("I3: nothing is journaled once the lease is lost", async () => {
  const { run, log, fails } = start(write());
  const lost = new Error("lost");
  fails.set("held", lost);
  await assert.rejects(run(), lost);
  assert.deepEqual(log, ["held"]);
});

test("I4: what is replaced must be a revision", async () => {
  const { run, log } = start(write({ content: CONTENT, revision: 0 }));
  await assert.rejects(run(), /I4/);
  assert.deepEqual(log, []);
});

for (const [what, error, isKept] of [
  ["a full volume", ioError("ENOSPC"), false],
  ["a flush that failed", new DurabilityError(ioError("EIO")), true],
] as const) {
  test(`I5: ${what} in the journal: whether a record may exist is known`, async () => {
    const { run, log, fails, attempt, lease } = start(write());
    fails.set("append", error);
    await assert.rejects(run(), (thrown) => thrown === error);
    assert.deepEqual(log, ["held", "append"]);
    assert.equal(attempt.record !== undefined, isKept);
    // Whoever stops it says so: nothing is left of it, and Redis hears nothing.
    lease.settled?.("NOT_COMMITTED");
    assert.deepEqual(log.slice(2), ["settled"]);
  });
}

test("a record that is too large is a limit of the request", async () => {
  const { run, fails, attempt } = start(write());
  fails.set("append", new RangeError("10 bytes in one journal record"));
  const error = await run().catch((thrown: unknown) => thrown);
  assert(error instanceof SafeOperationError);
  assert.deepEqual(
    [error.reason, error.metadata],
    ["LIMIT_EXCEEDED", { field: "operations", limit: "10 bytes in one journal record" }],
  );
  assert.equal(attempt.record, undefined);
});

for (const [code, reason, metadata] of [
  ["EEXIST", "ALREADY_EXISTS", { path: "f" }],
  ["EISDIR", "PATH_INVALID", { path: "f", what: "directory" }],
] as const) {
  test(`what is in the way when it is decided: ${code}`, async () => {
    const { run, fails, log } = start(write());
    fails.set("decide", ioError(code));
    const error = await run().catch((thrown: unknown) => thrown);
    assert(error instanceof SafeOperationError);
    assert.deepEqual([error.reason, error.metadata], [reason, metadata]);
    assert(!log.includes("finish"));
  });
}

test("any other failure of the decision is what it is", async () => {
  const { run, fails, log } = start(write());
  const error = ioError("EIO");
  fails.set("decide", error);
  await assert.rejects(run(), (thrown) => thrown === error);
  assert.equal(log.at(-1), "decide");
});

test("I5: decided, though something keeps it from being seen: Redis hears of it, once, and it stays open", async () => {
  const { run, fails, log, lease } = start(write());
  const error = ioError("EIO");
  fails.set("finish", error);
  await assert.rejects(run(), (thrown) => thrown === error);
  assert.deepEqual(log.slice(-2), ["finish", "announced"]);
  lease.settled?.("COMMITTED");
  assert.deepEqual(log.slice(-2), ["announced", "settled"]);
});

test("a file that could not be looked at is not remembered, and committed all the same", async () => {
  const { run, log } = start(write({ content: CONTENT, revision: 2 }), undefined);
  await run();
  assert.deepEqual(log.slice(-3), ["settled", "announced", "committed"]);
});

test("I3: a file that somebody outside has written into since is not remembered", async () => {
  for (const stats of [
    { mtimeNs: MTIME_NS + 1n, sizeBytes: 3 },
    { mtimeNs: MTIME_NS, sizeBytes: 4 },
  ]) {
    const { run, log } = start(write(), stats);
    await run();
    assert.equal(log.at(-1), "committed");
  }
});

test("what leaves no file is not remembered either", async () => {
  const { run, log } = start(baseOf({ intent: intentOf({ kind: "DELETE" }), content: CONTENT, revision: 1 }));
  await run();
  assert.equal(log.at(-1), "committed");
});
