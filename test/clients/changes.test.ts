import assert from "node:assert/strict";
import { lstat, readFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import {
  isReason,
  type ReasonName,
  RevisionKind,
  SafefileClient,
  SafefileError,
  Transaction,
  type TransactionStep,
} from "@safefile/client";
import { Cleanup } from "../cluster/cleanup.js";
import { startWorld, stateOf, type World } from "../system/world.js";
import { FakeServer } from "./fake-server.js";
import { fault } from "./fault.js";

const cleanup = new Cleanup();
let world: World;
before(async () => {
  world = await startWorld(cleanup);
});
after(() => cleanup.end());

const bytes = (text: string) => Buffer.from(text);
const text = (name: string) => readFile(path.join(world.volume, name), "utf8");
const put = (name: string, content: string) => world.client.write(name, bytes(content));

/** The error of a change that must have changed nothing. */
async function refused(reason: ReasonName, change: () => Promise<unknown>): Promise<SafefileError> {
  const before = await stateOf(world.volume);
  const error = await change().then(
    () => assert.fail("it was not refused"),
    (failure: unknown) => failure,
  );
  assert.ok(error instanceof SafefileError, String(error));
  assert.equal(error.reason, reason, error.message);
  assert.equal(error.outcome, "NOT_COMMITTED");
  assert.match(error.requestId ?? "", /./, "a failed change names its request");
  assert.deepEqual(await stateOf(world.volume), before);
  return error;
}

test("append says where its bytes begin, also when it is repeated", async () => {
  const { client } = world;
  const made = await client.append("log", bytes("one\n"), { mode: 0o600, labels: { by: "test" } });
  assert.equal(made.offset, 0);
  assert.deepEqual([made.result.file?.mode, made.result.revision?.labels], [0o600, { by: "test" }]);
  const next = await client.append("log", bytes("two\n"), { requestId: "append-1", ifRevision: 1 });
  const again = await client.append("log", bytes("two\n"), { requestId: "append-1", ifRevision: 1 });
  assert.deepEqual([next.offset, again.offset, again.result.replayed], [4, 4, true]);
  assert.equal(await text("log"), "one\ntwo\n");
  await refused("PRECONDITION_FAILED", () => client.append("log", bytes("x"), { ifRevision: 1 }));
  await refused("ARGUMENT_INVALID", () => client.append("log", bytes("")));
  const large = await refused("ARGUMENT_INVALID", () => client.append("log", Buffer.alloc(5 * 1024 * 1024)));
  assert.equal(large.fieldViolations[0]?.field, "data", "refused before the message is too long for the server");
});

test("patch replaces, inserts and removes, only in what it was made for", async () => {
  const { client } = world;
  const { file } = await put("patched", "0123456789");
  const edits = [
    { offset: 0, length: 2, data: bytes("ab") },
    { offset: 5, data: bytes("--") },
    { offset: 8, length: 2 },
  ];
  const result = await client.patch("patched", edits, { etag: file!.etag });
  assert.equal(result.revision?.kind, RevisionKind.PATCH);
  assert.equal(await text("patched"), "ab234--567");
  await refused("PRECONDITION_FAILED", () => client.patch("patched", edits, { etag: file!.etag }));
  await refused("CHECKSUM_MISMATCH", () => client.patch("patched", edits, { sha256: Buffer.alloc(32) }));
  await refused("ARGUMENT_INVALID", () => client.patch("patched", [{ offset: 99, length: 1 }]));
  await refused("ARGUMENT_INVALID", () =>
    client.patch("patched", [{ offset: 0, data: Buffer.alloc(5 * 1024 * 1024) }]),
  );
  await refused("PATH_NOT_FOUND", () => client.patch("none", edits));
});

test("attributes change alone; a time is a Date, or a Timestamp", async () => {
  const { client } = world;
  await put("attr", "content");
  const modifiedTime = new Date("2020-02-03T04:05:06.789Z");
  await client.setAttributes("attr", {
    mode: 0o640,
    modifiedTime,
    setXattrs: { tag: bytes("one"), gone: Buffer.from([0, 255]) },
  });
  const { mode, mtimeMs } = await lstat(path.join(world.volume, "attr"));
  assert.deepEqual([mode & 0o777, mtimeMs], [0o640, modifiedTime.getTime()]);
  const result = await client.setAttributes("attr", {
    removeXattrs: ["gone"],
    modifiedTime: { seconds: 1_600_000_000n, nanos: 500_000_000 },
  });
  assert.deepEqual(result.file?.xattrs, { tag: bytes("one") });
  assert.deepEqual([result.file?.updateTime?.seconds, result.file?.updateTime?.nanos], [1_600_000_000n, 500_000_000]);
  assert.equal(await text("attr"), "content");
  await refused("ARGUMENT_INVALID", () => client.setAttributes("attr", {}));
  await refused("PATH_NOT_FOUND", () => client.setAttributes("none", { mode: 0o600 }));
});

test("move: what is at the target is replaced only when asked for, and only if it is what was expected", async () => {
  const { client } = world;
  await put("from", "moved");
  await put("target", "in the way");
  await refused("ALREADY_EXISTS", () => client.move("from", "target"));
  const stale = { overwrite: true, targetPrecondition: { ifRevision: 7 } };
  await refused("PRECONDITION_FAILED", () => client.move("from", "target", stale));
  await refused("PRECONDITION_FAILED", () => client.move("from", "x", { ifRevision: 7 }));
  const { result, sourceRevision } = await client.move("from", "target", {
    ...stale,
    targetPrecondition: { ifRevision: 1 },
    ifRevision: 1,
  });
  assert.deepEqual([result.file?.path, result.backupRevision], ["target", 1n]);
  assert.deepEqual([sourceRevision?.path, sourceRevision?.revision], ["from", 2n]);
  assert.equal(await text("target"), "moved");
  await refused("PATH_NOT_FOUND", () => client.move("from", "x"));
});

test("copy: the live file or one of its revisions", async () => {
  const { client } = world;
  await put("original", "one");
  await put("original", "two");
  await client.copy("original", "copies/live");
  await client.copy("original", "copies/first", { revision: 1, ifRevision: 2 });
  assert.deepEqual([await text("copies/live"), await text("copies/first")], ["two", "one"]);
  await refused("ALREADY_EXISTS", () => client.copy("original", "copies/live"));
  const stale = { overwrite: true, targetPrecondition: { etag: '"stale"' } };
  await refused("PRECONDITION_FAILED", () => client.copy("original", "copies/live", stale));
  await refused("BACKUP_VERSION", () => client.copy("original", "x", { revision: 9 }));
  const { backupRevision } = await client.copy("original", "copies/first", { overwrite: true });
  assert.equal(backupRevision, 1n);
});

test("directories are made, moved and removed whole", async () => {
  const { client } = world;
  const made = await client.makeDirectory("dir/deep", { mode: 0o700 });
  assert.deepEqual([made.file?.path, made.file?.mode], ["dir/deep", 0o700]);
  await refused("ALREADY_EXISTS", () => client.makeDirectory("dir/deep"));
  assert.equal((await client.makeDirectory("dir/deep", { allowExisting: true })).revision, undefined);
  await put("dir/deep/file", "content");
  assert.equal((await client.move("dir", "moved")).result.file?.path, "moved");
  assert.equal(await text("moved/deep/file"), "content");
  await refused("PATH_INVALID", () => client.remove("moved"));
  await client.remove("moved", { recursive: true });
  await refused("PATH_NOT_FOUND", () => client.remove("moved", { recursive: true }));
  await client.rollback("moved/deep/file", 1);
  assert.equal(await text("moved/deep/file"), "content");
});

test("I17: a transaction's items are in the order of its steps, each about its own path", async () => {
  const { client } = world;
  for (const name of ["append", "patch", "gone", "move", "copy", "attr", "check"]) await put(`t/${name}`, "0123");
  await put("t/back", "first");
  await put("t/back", "second");
  const build = (tx: Transaction) =>
    tx
      .check("t/check", { ifRevision: 1 })
      .write("t/write", bytes("w"), { ifRevision: 0, mode: 0o600 })
      .append("t/append", bytes("b"), { ifRevision: 1 })
      .patch("t/patch", [{ offset: 1, length: 2, data: bytes("-") }])
      .remove("t/gone", { ifRevision: 1 })
      .move("t/move", "t/moved", { targetPrecondition: { ifRevision: 0 } })
      .copy("t/copy", "t/copied", { revision: 1 })
      .rollback("t/back", 1, { ifRevision: 2 })
      .attributes("t/attr", { mode: 0o640, setXattrs: { tag: bytes("x") } });
  const stale = build(new Transaction()).check("t/none", { ifRevision: 3 });
  const error = await refused("PRECONDITION_FAILED", () => client.transaction(stale));
  assert.equal(error.metadata.path, "t/none");

  const checked = await client.transaction(build, { validateOnly: true });
  assert.deepEqual([checked.result.validatedOnly, checked.items.length], [true, 9]);
  const done = await client.transaction(build, { requestId: "tx-1", labels: { by: "test" } });
  const lines = done.items.map(({ path: about, file, revision, backupRevision }) => {
    if (file !== undefined) assert.equal(file.path, about);
    if (revision !== undefined) assert.equal(revision.path, about);
    const kind = revision === undefined ? "-" : RevisionKind[revision.kind];
    return `${about} ${kind} ${revision?.revision ?? "-"} ${backupRevision} ${file?.sizeBytes ?? "-"}`;
  });
  assert.deepEqual(lines, [
    "t/check - - 0 -",
    "t/write WRITE 1 0 1",
    "t/append APPEND 2 1 5",
    "t/patch PATCH 2 1 3",
    "t/gone DELETE 2 1 -",
    "t/moved MOVE 1 0 4",
    "t/copied COPY 1 0 4",
    "t/back ROLLBACK 3 2 5",
    "t/attr ATTRIBUTES 2 1 4",
  ]);
  const attributes = done.items.at(-1)?.file;
  assert.deepEqual([attributes?.mode, attributes?.xattrs.tag], [0o640, bytes("x")]);
  const names = ["write", "append", "patch", "moved", "copied", "back"];
  assert.deepEqual(await Promise.all(names.map((name) => text(`t/${name}`))), [
    "w",
    "0123b",
    "0-3",
    "0123",
    "0123",
    "first",
  ]);
  assert.deepEqual(done.items[1]?.revision?.labels, { by: "test" });
  const again = await client.transaction(build(new Transaction()).steps, { requestId: "tx-1", labels: { by: "test" } });
  assert.equal(again.result.replayed, true);
  assert.deepEqual(again.items, done.items);
});

test("transactions that meet on a path: one wins, of the other nothing is there", async () => {
  const { client } = world;
  await put("meet/shared", "0");
  const rival = (name: string) =>
    client.transaction([
      { action: "write", path: `meet/${name}`, data: bytes(name) },
      { action: "write", path: "meet/shared", data: bytes(name), ifRevision: 1 },
    ]);
  const ends = await Promise.allSettled(["a", "b", "c"].map(rival));
  const won = ends.flatMap((end, at) => (end.status === "fulfilled" ? [["a", "b", "c"][at]!] : []));
  assert.equal(won.length, 1);
  assert.equal(await text("meet/shared"), won[0]);
  for (const end of ends)
    if (end.status === "rejected") assert.ok(isReason(end.reason, "PRECONDITION_FAILED"), String(end.reason));
  const names = [];
  for await (const file of client.list("meet")) names.push(file.path);
  assert.deepEqual(names, [`meet/${won[0]}`, "meet/shared"]);
});

test("what is no transaction is refused, and never taken for a check", async () => {
  const { client } = world;
  await put("typo", "x");
  const typo = { action: "wirte", path: "typo", data: bytes("y"), ifRevision: 1 } as unknown as TransactionStep;
  await assert.rejects(client.transaction([typo]), /"wirte" is no action/);
  await assert.rejects(
    client.transaction(async (tx) => tx.remove("typo")),
    /built at once/,
  );
  await refused("ARGUMENT_INVALID", () => client.transaction([]));
  await refused("ARGUMENT_INVALID", () => client.transaction((tx) => tx.check("typo", { ifRevision: 1 })));
  const half = Buffer.alloc(3 * 1024 * 1024);
  const large = (tx: Transaction) => tx.write("large/a", half).append("large/b", half);
  assert.match((await refused("ARGUMENT_INVALID", () => client.transaction(large))).message, /1048576/);
});

test("each change is repeated with one request id while the service is UNAVAILABLE", async (t) => {
  const ends = Cleanup.of(t);
  const fake = await FakeServer.start(ends);
  const client = new SafefileClient({ address: fake.address, retry: { backoffMsMin: 1 } });
  ends.defer(() => client.close());
  const busy = fault(14, "RECOVERY_STATE", "replaying", { metadata: { outcome: "NOT_COMMITTED" } });
  const no = fault(10, "LOCK_TIMEOUT", "locked", { metadata: { outcome: "NOT_COMMITTED" } });
  const changes: [string, () => Promise<unknown>][] = [
    ["AppendFile", () => client.append("a", bytes("x"))],
    ["PatchFile", () => client.patch("a", [{ offset: 0 }])],
    ["SetAttributes", () => client.setAttributes("a", { mode: 0o600 })],
    ["MoveFile", () => client.move("a", "b")],
    ["CopyFile", () => client.copy("a", "b")],
    ["MakeDirectory", () => client.makeDirectory("a")],
    ["ExecuteTransaction", () => client.transaction((tx) => tx.remove("a"))],
    ["DeleteFile", () => client.remove("a", { recursive: true })],
  ];
  for (const [method, change] of changes) {
    fake.plant(
      method,
      (_call, reply) => reply(busy),
      (_call, reply) => reply(no),
    );
    await assert.rejects(change(), (error) => isReason(error, "LOCK_TIMEOUT"), method);
    const ids = fake.calls(method).map(({ requestId }) => requestId);
    assert.equal(ids.length, 2, method);
    assert.match(ids[0]!, /^[0-9a-f-]{36}$/);
    assert.equal(ids[0], ids[1], `${method} was repeated with another request id`);
  }
  let updateTime: unknown;
  fake.plant("SetAttributes", (call, reply) => {
    updateTime = call.request.updateTime;
    reply(null, { result: {} });
  });
  await client.setAttributes("a", { modifiedTime: { seconds: 1n, nanos: 123_456_789 } });
  assert.partialDeepStrictEqual(updateTime, { seconds: 1n, nanos: 123_456_789 });
  assert.deepEqual(fake.unhit, []);
});
