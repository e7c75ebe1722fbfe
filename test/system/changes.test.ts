import assert from "node:assert/strict";
import { chmod, chown, lstat, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import type { MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { type MutationResult, RevisionKind } from "../../services/gen/safefile/v1/common_pb.js";
import { FileOpsService, type TransactionOperationSchema } from "../../services/gen/safefile/v1/file_ops_service_pb.js";
import { RecoveryService } from "../../services/gen/safefile/v1/recovery_service_pb.js";
import { Cleanup } from "../cluster/cleanup.js";
import { Asking } from "./asking.js";
import { ask } from "./raw.js";
import { startWorld, type World } from "./world.js";

type Step = MessageInitShape<typeof TransactionOperationSchema>;

const files = FileOpsService.method;
const cleanup = new Cleanup();
let world: World;
before(async () => {
  world = await startWorld(cleanup);
});
after(() => cleanup.end());

const at = (name: string) => path.join(world.volume, name);
const bytes = (text: string) => Buffer.from(text);
const text = (name: string) => readFile(at(name), "utf8");
const modeOf = async (name: string) => (await lstat(at(name))).mode & 0o7777;

const { call, refusal, history } = new Asking(() => world);

const write = async (name: string, content: string | Buffer, options = {}) =>
  (await call(files.writeFile, { path: name, data: Buffer.from(content as string), options })).result as MutationResult;

test("append adds to what is there, creates what is not, and says where", async () => {
  const made = await call(files.appendFile, { path: "log", data: bytes("one\n"), mode: 0o600 });
  assert.equal(made.offset, 0n);
  const next = await call(files.appendFile, { path: "log", data: bytes("two\n"), options: { requestId: "append-2" } });
  assert.equal(next.offset, 4n);
  const again = await call(files.appendFile, { path: "log", data: bytes("two\n"), options: { requestId: "append-2" } });
  assert.deepEqual([again.offset, again.result?.replayed], [4n, true]);
  assert.equal(await text("log"), "one\ntwo\n");
  assert.equal(await modeOf("log"), 0o600);
  assert.deepEqual(await history("log"), ["2 APPEND 8", "1 APPEND 4"]);
  assert.equal(await refusal(files.appendFile, { path: "log", data: bytes("") }), "ARGUMENT_INVALID");
  const options = { requestId: "append-2" };
  assert.equal(await refusal(files.appendFile, { path: "log", data: bytes("x"), options }), "REQUEST_ID_REUSED");
});

test("append and patch of a file larger than a record: streamed through the store, exact to the byte", async () => {
  const large = Buffer.alloc(700_000, "abcdefghij");
  await write("large", large);
  const { offset } = await call(files.appendFile, { path: "large", data: bytes("END") });
  assert.equal(offset, 700_000n);
  const edits = [
    { offset: 0n, length: 0n, data: bytes("BEGIN") },
    { offset: 300_000n, length: 10n, data: bytes("") },
    { offset: 699_999n, length: 2n, data: bytes("-|-") },
    { offset: 700_003n, length: 0n, data: bytes("!") },
  ];
  await call(files.patchFile, { path: "large", edits });
  const whole = Buffer.concat([large, bytes("END")]);
  const wanted = Buffer.concat([
    bytes("BEGIN"),
    whole.subarray(0, 300_000),
    whole.subarray(300_010, 699_999),
    bytes("-|-"),
    whole.subarray(700_001),
    bytes("!"),
  ]);
  assert.ok((await readFile(at("large"))).equals(wanted));
  assert.deepEqual(await history("large"), [`3 PATCH ${wanted.length}`, "2 APPEND 700003", "1 WRITE 700000"]);
});

test("patch replaces, inserts and removes by the offsets before any edit; what does not fit is refused", async () => {
  await write("patched", "0123456789");
  const edit = (offset: number, length: number, data: string) => ({
    offset: BigInt(offset),
    length: BigInt(length),
    data: bytes(data),
  });
  await call(files.patchFile, { path: "patched", edits: [edit(0, 2, "ab"), edit(5, 0, "--"), edit(8, 2, "")] });
  assert.equal(await text("patched"), "ab234--567");
  const path = "patched";
  assert.equal(await refusal(files.patchFile, { path, edits: [edit(11, 0, "x")] }), "ARGUMENT_INVALID");
  assert.equal(await refusal(files.patchFile, { path, edits: [edit(4, 4, ""), edit(6, 1, "")] }), "ARGUMENT_INVALID");
  assert.equal(await refusal(files.patchFile, { path, edits: [] }), "ARGUMENT_INVALID");
  const sha256 = Buffer.alloc(32);
  assert.equal(await refusal(files.patchFile, { path, edits: [edit(0, 1, "z")], sha256 }), "CHECKSUM_MISMATCH");
  assert.equal(await refusal(files.patchFile, { path: "none", edits: [edit(0, 0, "z")] }), "PATH_NOT_FOUND");
});

test("attributes are a revision of their own; owner and user xattrs outlive every later change", async () => {
  await write("attr", "content");
  const first = await call(files.setAttributes, {
    path: "attr",
    mode: 0o640,
    updateTime: { seconds: 1_600_000_000n, nanos: 123_000_000 },
    setXattrs: { tag: bytes("one"), gone: bytes("x") },
  });
  assert.equal(first.result?.revision?.kind, RevisionKind.ATTRIBUTES);
  assert.equal(await modeOf("attr"), 0o640);
  assert.equal((await lstat(at("attr"))).mtimeMs, 1_600_000_000_123);
  await call(files.setAttributes, { path: "attr", removeXattrs: ["gone", "never-there"] });
  const { file } = await call(files.statFile, { path: "attr" });
  assert.deepEqual(Object.keys(file?.xattrs ?? {}), ["tag"]);
  assert.equal(file?.updateTime?.seconds, 1_600_000_000n, "only what was asked for changes");
  await chown(at("attr"), 1234, 2345);
  await write("attr", "content again");
  const { uid, gid } = await lstat(at("attr"));
  assert.deepEqual([uid, gid], [1234, 2345], "given away from outside: kept");
  assert.deepEqual((await call(files.statFile, { path: "attr" })).file?.xattrs.tag, bytes("one"));
  const kinds = (await history("attr")).map((line) => line.split(" ")[1]);
  assert.deepEqual(kinds, ["WRITE", "EXTERNAL", "ATTRIBUTES", "ATTRIBUTES", "WRITE"]);
  assert.equal(await refusal(files.setAttributes, { path: "attr" }), "ARGUMENT_INVALID");
  assert.equal(await refusal(files.setAttributes, { path: "none", mode: 0o600 }), "PATH_NOT_FOUND");
  assert.equal(await refusal(files.setAttributes, { path: "attr", mode: 0o4755 }), "ARGUMENT_INVALID");
});

test("a file moves with its content and attributes; both ends have a history", async () => {
  await write("from", "moved");
  await call(files.setAttributes, { path: "from", mode: 0o600, setXattrs: { tag: bytes("t") } });
  const { mtimeMs } = await lstat(at("from"));
  const moved = await call(files.moveFile, { path: "from", targetPath: "new/to", options: { requestId: "move-1" } });
  assert.equal(moved.result?.file?.path, "new/to");
  assert.equal(moved.sourceRevision?.revision, 3n);
  assert.equal(await text("new/to"), "moved");
  assert.deepEqual([await modeOf("new/to"), (await lstat(at("new/to"))).mtimeMs], [0o600, mtimeMs]);
  await assert.rejects(lstat(at("from")), { code: "ENOENT" });
  assert.deepEqual(await history("from"), ["3 MOVE 0", "2 ATTRIBUTES 5", "1 WRITE 5"]);
  assert.deepEqual(await history("new/to"), ["1 MOVE 5"]);
  const again = await call(files.moveFile, { path: "from", targetPath: "new/to", options: { requestId: "move-1" } });
  assert.equal(again.result?.replayed, true);
  assert.equal(again.result?.operationId, moved.result?.operationId);
  await write("other", "in the way");
  assert.equal(await refusal(files.moveFile, { path: "new/to", targetPath: "other" }), "ALREADY_EXISTS");
  assert.equal(await refusal(files.moveFile, { path: "from", targetPath: "x" }), "PATH_NOT_FOUND");
  assert.equal(await refusal(files.moveFile, { path: "other", targetPath: "other" }), "ARGUMENT_INVALID");
  const options = { precondition: { etag: '"stale"' } };
  assert.equal(await refusal(files.moveFile, { path: "other", targetPath: "y", options }), "PRECONDITION_FAILED");
  const targetPrecondition = { ifRevision: 7n };
  const conditional = { path: "new/to", targetPath: "other", overwrite: true, targetPrecondition };
  assert.equal(await refusal(files.moveFile, conditional), "PRECONDITION_FAILED");
  const replaced = await call(files.moveFile, { ...conditional, targetPrecondition: { ifRevision: 1n } });
  assert.equal(replaced.result?.backupRevision, 1n);
  assert.equal(await text("other"), "moved");
});

test("a directory moves and is deleted whole, as one operation", async () => {
  await write("tree/a.txt", "a");
  await write("tree/sub/b.txt", "b");
  await writeFile(at("tree/sub/outside.txt"), "from outside");
  await mkdir(at("tree/empty"));
  await chmod(at("tree/empty"), 0o700);
  const moved = await call(files.moveFile, { path: "tree", targetPath: "wood", options: { requestId: "tree-1" } });
  assert.equal(moved.result?.file?.path, "wood");
  await assert.rejects(lstat(at("tree")), { code: "ENOENT" });
  assert.equal(await text("wood/sub/b.txt"), "b");
  assert.equal(await text("wood/sub/outside.txt"), "from outside");
  assert.equal(await modeOf("wood/empty"), 0o700);
  assert.deepEqual(await history("tree/sub/outside.txt"), ["2 MOVE 0", "1 EXTERNAL 12"]);
  const again = await call(files.moveFile, { path: "tree", targetPath: "wood", options: { requestId: "tree-1" } });
  assert.equal(again.result?.replayed, true);
  assert.equal(await refusal(files.moveFile, { path: "wood", targetPath: "wood/in" }), "ARGUMENT_INVALID");
  assert.equal(await refusal(files.deleteFile, { path: "wood" }), "PATH_INVALID");
  const options = { requestId: "tree-2" };
  const removed = await call(files.deleteFile, { path: "wood", recursive: true, options });
  await assert.rejects(lstat(at("wood")), { code: "ENOENT" });
  const repeated = await call(files.deleteFile, { path: "wood", recursive: true, options });
  assert.deepEqual([repeated.result?.replayed, repeated.result?.operationId], [true, removed.result?.operationId]);
  assert.equal(await refusal(files.deleteFile, { path: "wood", recursive: true }), "PATH_NOT_FOUND");
  await call(RecoveryService.method.rollbackFile, { path: "wood/sub/b.txt", revision: 1n });
  assert.equal(await text("wood/sub/b.txt"), "b");
  await symlink("/etc", at("wood/link"));
  assert.equal(await refusal(files.deleteFile, { path: "wood", recursive: true }), "PATH_INVALID");
});

test("copies: the live file, a revision, a file that somebody outside wrote", async () => {
  await write("original", "one");
  await write("original", "two");
  await call(files.copyFile, { path: "original", targetPath: "copy" });
  assert.equal(await text("copy"), "two");
  assert.deepEqual(await history("copy"), ["1 COPY 3"]);
  await call(files.copyFile, { path: "original", targetPath: "copy", revision: 1n, overwrite: true });
  assert.equal(await text("copy"), "one");
  const foreign = Buffer.alloc(300_000, "foreign");
  await writeFile(at("foreign"), foreign);
  await chmod(at("foreign"), 0o751);
  await call(files.copyFile, { path: "foreign", targetPath: "copy", overwrite: true });
  assert.ok((await readFile(at("copy"))).equals(foreign));
  assert.equal(await modeOf("copy"), 0o751);
  assert.equal(await refusal(files.copyFile, { path: "original", targetPath: "copy" }), "ALREADY_EXISTS");
  assert.equal(await refusal(files.copyFile, { path: "none", targetPath: "x" }), "PATH_NOT_FOUND");
  assert.equal(await refusal(files.copyFile, { path: "original", targetPath: "x", revision: 9n }), "BACKUP_VERSION");
  const options = { precondition: { ifRevision: 1n } };
  assert.equal(await refusal(files.copyFile, { path: "original", targetPath: "x", options }), "PRECONDITION_FAILED");
  const first = await call(files.copyFile, { path: "original", targetPath: "kept", options: { requestId: "copy-1" } });
  await call(files.deleteFile, { path: "original" });
  const again = await call(files.copyFile, { path: "original", targetPath: "kept", options: { requestId: "copy-1" } });
  assert.deepEqual([again.result?.replayed, again.result?.operationId], [true, first.result?.operationId]);
});

test("directories are made with their parents, and are there or not", async () => {
  const made = await call(files.makeDirectory, { path: "made/deep/er", mode: 0o770 });
  assert.equal(made.result?.file?.mode, 0o770);
  assert.equal(await modeOf("made/deep/er"), 0o770);
  assert.equal(await modeOf("made"), 0o755);
  assert.equal(await refusal(files.makeDirectory, { path: "made/deep/er" }), "ALREADY_EXISTS");
  const there = await call(files.makeDirectory, { path: "made/deep/er", allowExisting: true });
  assert.deepEqual([there.result?.file?.path, there.result?.revision], ["made/deep/er", undefined]);
  await write("made/file", "x");
  assert.equal(await refusal(files.makeDirectory, { path: "made/file", allowExisting: true }), "ALREADY_EXISTS");
  assert.equal(await refusal(files.makeDirectory, { path: "made/file/below" }), "PATH_INVALID");
});

test("I17: a transaction commits all of its changes or none", async () => {
  await write("t/append", "a");
  await write("t/patch", "0123");
  await write("t/delete", "d");
  await write("t/move", "m");
  await write("t/copy", "c");
  await write("t/back", "first");
  await write("t/back", "second");
  await write("t/attr", "x");
  await write("t/check", "ok");
  const operations: Step[] = [
    { path: "t/write", action: { case: "write" as const, value: { data: bytes("w") } } },
    { path: "t/append", action: { case: "append" as const, value: { data: bytes("b") } } },
    {
      path: "t/patch",
      action: { case: "patch" as const, value: { edits: [{ offset: 1n, length: 2n, data: bytes("-") }] } },
    },
    { path: "t/delete", action: { case: "delete" as const, value: {} } },
    { path: "t/move", action: { case: "move" as const, value: { targetPath: "t/moved" } } },
    { path: "t/copy", action: { case: "copy" as const, value: { targetPath: "t/copied" } } },
    { path: "t/back", action: { case: "rollback" as const, value: { revision: 1n } } },
    { path: "t/attr", action: { case: "attributes" as const, value: { mode: 0o600 } } },
    { path: "t/check", precondition: { ifRevision: 1n } },
  ];
  const refused = [...operations, { path: "t/none", precondition: { ifRevision: 3n } }];
  assert.equal(await refusal(files.executeTransaction, { operations: refused }), "PRECONDITION_FAILED");
  const done = await call(files.executeTransaction, { operations, options: { requestId: "tx-1" } });
  assert.equal(done.items.length, operations.length);
  assert.deepEqual(
    done.items.map(({ file, revision }) => `${file?.path ?? "-"} ${revision ? RevisionKind[revision.kind] : "-"}`),
    [
      "t/write WRITE",
      "t/append APPEND",
      "t/patch PATCH",
      "- DELETE",
      "t/moved MOVE",
      "t/copied COPY",
      "t/back ROLLBACK",
      "t/attr ATTRIBUTES",
      "- -",
    ],
  );
  const names = await readdir(at("t"));
  assert.deepEqual(names.sort(), ["append", "attr", "back", "check", "copied", "copy", "moved", "patch", "write"]);
  assert.deepEqual(await Promise.all(["append", "patch", "moved", "copied", "back"].map((name) => text(`t/${name}`))), [
    "ab",
    "0-3",
    "m",
    "c",
    "first",
  ]);
  const again = await call(files.executeTransaction, { operations, options: { requestId: "tx-1" } });
  assert.equal(again.result?.replayed, true);
  assert.deepEqual(again.items, done.items);
  const twice = [operations[0]!, operations[0]!];
  assert.equal(await refusal(files.executeTransaction, { operations: twice }), "ARGUMENT_INVALID");
  assert.equal(await refusal(files.executeTransaction, { operations: [{ path: "t/check" }] }), "ARGUMENT_INVALID");
});

test("a transaction of 1,000 changes is one record, and more are refused", async () => {
  const operations: Step[] = Array.from({ length: 1000 }, (_, index) => ({
    path: `many/${index % 10}/${index}`,
    action: { case: "write" as const, value: { data: bytes(`content ${index}`) } },
  }));
  const done = await call(files.executeTransaction, { operations });
  assert.equal(new Set(done.items.map(({ revision }) => revision?.operationId)).size, 1);
  assert.equal(await text("many/9/999"), "content 999");
  const more = [...operations, { path: "many/x", action: operations[0]!.action }];
  assert.equal(await refusal(files.executeTransaction, { operations: more }), "ARGUMENT_INVALID");
  const moved = await call(files.executeTransaction, {
    operations: operations.map(
      ({ path: name }): Step => ({
        path: name,
        action: { case: "move" as const, value: { targetPath: `moved/${name}` } },
      }),
    ),
  });
  assert.equal(moved.items.length, 1000);
  assert.equal(await text("moved/many/9/999"), "content 999");
});

test("many writes on one stream, each answered by its request id; one that fails ends nothing", async () => {
  const requests = Array.from({ length: 300 }, (_, index) => ({
    write: {
      path: `stream/${index % 7}/${index}`,
      data: bytes(`content ${index}`),
      options: { requestId: `stream-${index}`, precondition: index === 100 ? { ifRevision: 5n } : undefined },
    },
  }));
  const { code, messages, message } = await world.raw.send(ask(files.writeFiles, ...requests));
  assert.equal(code, "OK", message);
  const answers = messages as MessageShape<typeof files.writeFiles.output>[];
  assert.equal(answers.length, 300);
  for (const { requestId, answer } of answers) {
    const isRefused = requestId === "stream-100";
    assert.equal(answer.case, isRefused ? "error" : "result", requestId);
  }
  assert.equal(await text("stream/5/299"), "content 299");
  const unnamed = await world.raw.send(ask(files.writeFiles, { write: { path: "stream/x", data: bytes("x") } }));
  assert.deepEqual([unnamed.code, unnamed.fields], ["INVALID_ARGUMENT", ["write.options.request_id"]]);
});
