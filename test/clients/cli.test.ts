import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import test, { type TestContext } from "node:test";
import * as grpc from "@grpc/grpc-js";
import { Cleanup } from "../cluster/cleanup.js";
import { freePort } from "../cluster/redis.js";
import { jsonLines, safefile, tempDir } from "./cli.js";
import { FakeServer, type Handler } from "./fake-server.js";
import { fault } from "./fault.js";

test("--help lists commands and exit codes; wrong usage exits 2 and says what is wrong", async (t) => {
  const { run } = await start(t);
  const help = await run("--help");
  assert.equal(help.code, 0);
  for (const word of [
    "put",
    "get",
    "cat",
    "ls",
    "stat",
    "log",
    "rm",
    "rollback",
    "append",
    "patch",
    "mv",
    "cp",
    "mkdir",
    "chmod",
    "attr",
    "tx",
    "restore",
    "rebuild-index",
    "doctor",
  ]) {
    assert.match(help.stdout, new RegExp(`^ {2}${word}\\b`, "m"));
  }
  assert.match(help.stdout, /6 {2}the outcome is unknown/);
  for (const [args, says] of [
    [["frobnicate"], /unknown command/],
    [["put", "a"], /missing required argument 'path'/],
    [["rollback", "a", "x"], /whole number/],
    [["rollback", "a", "0"], /from 1/],
    [["put", "a", "b", "--mode", "999"], /octal/],
    [["put", "a", "b", "--label", "x"], /key=value/],
    [["get", "a", "b", "--parallel", "1000"], /At most 64/],
    [["restore", "a", "--as-of", "tomorrow"], /RFC|how long ago/],
    [["restore", "a", "--overwrite", "perhaps"], /Allowed choices/],
    [["restore", "a"], /--as-of/],
    [["restore", "a", "--as-of", "1m", "--as-of-operation", "x"], /either/],
    [["get", "a", "-", "-r"], /stdout/],
    [["cat", "/"], /names no file/],
  ] as const) {
    const { code, stderr } = await run(...args);
    assert.equal(code, 2, `${args.join(" ")}: ${stderr}`);
    assert.match(stderr, says);
  }
});

for (const [code, status, reason, outcome] of [
  [3, grpc.status.NOT_FOUND, "PATH_NOT_FOUND", undefined],
  [3, grpc.status.NOT_FOUND, "BACKUP_VERSION", "NOT_COMMITTED"],
  [4, grpc.status.ABORTED, "PRECONDITION_FAILED", "NOT_COMMITTED"],
  [4, grpc.status.ALREADY_EXISTS, "ALREADY_EXISTS", "NOT_COMMITTED"],
  [4, grpc.status.ABORTED, "LOCK_FENCED", "NOT_COMMITTED"],
  [4, grpc.status.DEADLINE_EXCEEDED, "LOCK_TIMEOUT", "NOT_COMMITTED"],
  [4, grpc.status.FAILED_PRECONDITION, "DIRECTORY_NOT_EMPTY", "NOT_COMMITTED"],
  [5, grpc.status.UNAVAILABLE, "LOCK_UNAVAILABLE", "NOT_COMMITTED"],
  [6, grpc.status.UNKNOWN, "OUTCOME_UNKNOWN", "UNKNOWN"],
  [6, grpc.status.INTERNAL, "INTERNAL", "UNKNOWN"],
  [2, grpc.status.INVALID_ARGUMENT, "PATH_INVALID", "NOT_COMMITTED"],
  [1, grpc.status.INVALID_ARGUMENT, "CONTENT_REJECTED", "NOT_COMMITTED"],
  [1, grpc.status.RESOURCE_EXHAUSTED, "VOLUME_FULL", "NOT_COMMITTED"],
  [1, grpc.status.UNIMPLEMENTED, "NOT_IMPLEMENTED", "NOT_COMMITTED"],
] as const) {
  test(`${reason} with ${outcome ?? "no outcome"} exits ${code}, for people and for programs`, async (t) => {
    const { fake, run } = await start(t);
    const metadata = { path: "a", ...(outcome === undefined ? {} : { outcome }) };
    // Longer than the client repeats.
    const says = fault(status, reason, "It did not work.", { metadata, retryAfterMs: 60_000 });
    fake.plant(
      "DeleteFile",
      (_call, reply) => reply(says),
      (_call, reply) => reply(says),
    );
    const plain = await run("rm", "a", "--request-id", "mine");
    assert.equal(plain.code, code);
    assert.match(plain.stderr, new RegExp(`^safefile: It did not work\\. \\[${reason}\\]`));
    assert.equal(plain.stdout, "");
    if (outcome === "UNKNOWN") assert.match(plain.stderr, /--request-id mine/);
    const { stdout, stderr } = await run("--json", "rm", "a", "--request-id", "mine");
    assert.equal(stdout, "");
    const { error } = JSON.parse(stderr);
    assert.equal(error.exitCode, code);
    assert.equal(error.reason, reason);
    assert.equal(error.code, grpc.status[status]);
    assert.equal(error.path, "a");
    assert.equal(error.requestId, "mine");
  });
}

test("nobody listens: exit 5, and how to start a replica", async () => {
  const address = `127.0.0.1:${await freePort()}`;
  const { code, stderr } = await safefile(["ls"], { address });
  assert.equal(code, 5);
  assert.match(stderr, /No Safefile replica answers/);
  assert.match(stderr, /make run/);
  assert.ok(stderr.includes(address));
});

test("a file goes there and back, also through pipes, and leaves nothing half written", async (t) => {
  const { fake, run, dir } = await start(t);
  const bytes = randomBytes(3 * 1024 * 1024);
  await writeFile(path.join(dir, "large"), bytes, { mode: 0o640 });
  const put = await run("put", "large", "docs/");
  assert.equal(put.stdout, "docs/large is revision 1\n");
  assert.equal(fake.head("docs/large")!.mode, 0o640);
  assert.match((await run("put", "large", "docs/large", "--if-changed")).stdout, /unchanged/);
  // The first asks how much of it is there from before.
  assert.equal(fake.calls("UploadFile").length, 2);
  assert.equal((await run("get", "docs/large", "back/copy")).code, 0);
  assert.ok((await readFile(path.join(dir, "back/copy"))).equals(bytes));
  assert.equal((await stat(path.join(dir, "back/copy"))).mode & 0o777, 0o640);
  assert.ok(Buffer.from((await run("get", "docs/large", "-")).stdout, "latin1").equals(bytes));
  assert.equal((await safefile(["put", "-", "in"], { address: fake.address, stdin: "piped" })).code, 0);
  assert.equal((await run("cat", "in")).stdout, "piped");

  fake.plant("ReadFile", (call) => {
    call.write({ part: { case: "header", value: { offset: 0n, sizeBytes: 6n } } });
    call.write({ part: { case: "chunk", value: { data: Buffer.from("abc"), offset: 0n } } });
    call.end();
  });
  await writeFile(path.join(dir, "kept"), "before");
  const cut = await run("get", "docs/large", "kept");
  assert.equal(cut.code, 1);
  assert.match(cut.stderr, /cut short/);
  assert.equal(await readFile(path.join(dir, "kept"), "utf8"), "before");
  assert.deepEqual((await readdir(dir)).sort(), ["back", "kept", "large"]);
});

test("documents for programs: stat, put, log, ls, rm, rollback", async (t) => {
  const { fake, run } = await start(t);
  fake.put("a", "one", 0o600);
  fake.put("a", "two");
  fake.put("b", "other");
  const json = async (...args: string[]) => JSON.parse((await run("--json", ...args)).stdout);
  const stat = await json("stat", "a");
  assert.equal(stat.type, "file");
  assert.equal(stat.sizeBytes, 3);
  assert.equal(stat.mode, "0644");
  assert.equal(stat.revision, 2);
  assert.equal(stat.updateTime, "1970-01-01T00:00:00.000Z");
  assert.match(stat.sha256, /^[0-9a-f]{64}$/);
  assert.deepEqual(
    jsonLines((await run("--json", "log", "a")).stdout).map(({ revision, kind }) => [revision, kind]),
    [
      [2, "write"],
      [1, "write"],
    ],
  );
  assert.deepEqual(
    jsonLines((await run("ls", "--json")).stdout).map((entry) => entry.path),
    ["a", "b"],
  );
  const rolled = await json("rollback", "a", "1", "--if-revision", "2");
  assert.equal(rolled.revision.kind, "rollback");
  assert.equal(rolled.backupRevision, 2);
  assert.equal((await json("rm", "b")).file, null);
  assert.equal((await run("cat", "a", "--revision", "2")).stdout, "two");
});

test("a tree is put with many at once; symlinks are counted, a failure does not stop the rest", async (t) => {
  const { fake, run, dir } = await start(t);
  await mkdir(path.join(dir, "tree/sub/empty"), { recursive: true });
  for (let at = 0; at < 40; at++) await writeFile(path.join(dir, `tree/sub/${at}`), String(at));
  await writeFile(path.join(dir, "tree/run"), "#!", { mode: 0o755 });
  await chmod(path.join(dir, "tree/run"), 0o755);
  await symlink("/etc/passwd", path.join(dir, "tree/link"));
  const fails = fault(grpc.status.ABORTED, "LOCK_TIMEOUT", "locked", { metadata: { outcome: "NOT_COMMITTED" } });
  fake.plant("WriteFile", (_call, reply) => reply(fails));

  assert.match((await run("put", "tree", "t")).stderr, /add -r/);
  const first = await run("--json", "put", "-r", "tree", "t");
  assert.equal(first.code, 4);
  const lines = jsonLines(first.stdout);
  const end = lines.at(-1)!;
  assert.equal(lines.length, 42);
  assert.equal(end.written, 40);
  assert.equal(end.failed, 1);
  assert.equal(end.skippedSymlinks, 1);
  assert.equal(end.skippedEmptyDirectories, 1);
  assert.match(JSON.parse(first.stderr).error.message, new RegExp(`--request-id ${end.requestId}`));

  const ids = new Map(fake.calls("WriteFile").map(({ requestId }, at) => [requestId, at]));
  const second = await run("put", "-r", "tree", "t", "--request-id", String(end.requestId));
  assert.equal(second.code, 0);
  assert.match(second.stdout, /^41 files written, 1 symlink skipped, 1 empty/);
  for (const { requestId } of fake.calls("WriteFile").slice(41)) assert.ok(ids.has(requestId), "another request_id");
  assert.equal(fake.head("t/run")!.mode, 0o755);
  assert.match((await run("put", "-r", "tree", "t", "--if-changed")).stdout, /^0 files written, 41 unchanged/);

  assert.equal((await run("get", "-r", "t", "copy")).code, 0);
  assert.equal(await readFile(path.join(dir, "copy/sub/7"), "utf8"), "7");
  assert.equal((await stat(path.join(dir, "copy/run"))).mode & 0o777, 0o755);
});

test("a tree is given up when the service no longer answers, and says how to go on", async (t) => {
  const { fake, run, dir } = await start(t);
  await mkdir(path.join(dir, "tree"));
  for (let at = 10; at < 60; at++) await writeFile(path.join(dir, `tree/${at}`), String(at));
  const gone = fault(grpc.status.UNAVAILABLE, "VOLUME_UNAVAILABLE", "The volume does not answer.", {
    metadata: { outcome: "NOT_COMMITTED" },
    retryAfterMs: 60_000,
  });
  // The first two get through.
  fake.plant("WriteFile", ...Array.from({ length: 2 }, () => fake.original("WriteFile")));
  fake.plant("WriteFile", ...Array.from({ length: 4 }, (): Handler => (_call, reply) => reply(gone)));
  const { code, stderr, stdout } = await run("put", "-r", "tree", "t", "--parallel", "2");
  assert.equal(code, 5, stderr);
  assert.match(stdout, /^2 files written, [23] failed/);
  assert.match(
    stderr,
    /Gave up.* after [45] of 50 files; [23] files failed\. Run the same command again with --request-id/,
  );
});

test("a server cannot make `get -r` write outside of its target", async (t) => {
  const { fake, run, dir } = await start(t);
  for (const evil of ["t/../../evil", "elsewhere", "t//x"]) {
    fake.plant("ListFiles", (_call, reply) => reply(null, { files: [{ path: evil, type: 1 }] }));
    const { code, stderr } = await run("get", "-r", "t", "copy");
    assert.equal(code, 1);
    assert.match(stderr, /not below/);
  }
  assert.deepEqual(await readdir(path.join(dir, "copy")), []);
});

test("progress: lines for programs, a bar where it is asked for, nothing in a pipe otherwise", async (t) => {
  const { run, dir } = await start(t);
  await writeFile(path.join(dir, "large"), randomBytes(2 * 1024 * 1024));
  assert.equal((await run("put", "large", "a")).stderr, "");
  assert.match((await run("--progress", "put", "large", "a")).stderr, /100%/);
  assert.equal((await run("--no-progress", "put", "large", "a")).stderr, "");
  const lines = (await run("--json", "--progress", "put", "large", "a")).stdout;
  assert.match(lines, /^\{"event":"progress","filesTotal":1/);
});

test("a restore is watched to its end, and its state decides the exit code", async (t) => {
  const { fake, run } = await start(t);
  const progress = (state: number, files: object) => ({
    cursor: "1",
    event: { case: "progress", value: { state, filesTotal: 2n, bytesTotal: 10n, ...files } },
  });
  const item = (value: object) => ({ cursor: "2", event: { case: "item", value } });
  const asked: { dryRun: boolean; include: string[]; point: { case: string } }[] = [];
  const starts = (call: { request: (typeof asked)[number] }, reply: (error: null, answer: object) => void) => {
    asked.push(call.request);
    reply(null, { restoreId: "R1" });
  };
  fake.plant("StartRestore", starts, starts, starts);
  fake.plant("WatchRestore", (call) => {
    call.write(progress(2, {}));
    call.write(item({ path: "t/a", action: 1, revision: 3n, sourceRevision: 1n, sizeBytes: 10n }));
    call.write(progress(3, { filesDone: 2n, filesRestored: 1n, filesSkipped: 1n, bytesDone: 10n }));
    call.end();
  });
  const args = ["restore", "t", "--tree", "--as-of", "10m", "--include", "*.a", "--include", "*.b", "--dry-run"];
  const done = await run(...args);
  assert.equal(done.code, 0);
  assert.match(done.stdout, /would restore t\/a to revision 1\n1 file would be restored, 1 needed nothing; 10 B/);
  assert.deepEqual(asked[0]!.include, ["*.a", "*.b"]);
  assert.equal(asked[0]!.dryRun, true);
  assert.equal(asked[0]!.point.case, "asOfTime");

  fake.plant("WatchRestore", (call) => {
    call.write(item({ path: "t/b", action: 5, error: { code: 10, message: "locked by another" } }));
    call.write(progress(4, { filesDone: 2n, filesRestored: 1n, filesFailed: 1n }));
    call.end();
  });
  const partly = await run("--json", "restore", "t", "--tree", "--as-of-operation", "X.1");
  assert.equal(partly.code, 1);
  const events = jsonLines(partly.stdout);
  assert.deepEqual(
    events.map(({ event }) => event),
    ["started", "item", "end"],
  );
  assert.equal(events[2]!.state, "partially_failed");
  assert.match(JSON.parse(partly.stderr).error.message, /1 file could not be restored/);

  const started = await run("restore", "t", "--as-of", "1h", "--no-watch");
  assert.equal(started.code, 0);
  assert.match(started.stdout, /safefile watch-restore R1/);

  // Ends without saying how: not taken for success.
  assert.equal((await run("watch-restore", "R1")).code, 1);
  fake.plant("WatchRestore", (call) => void call.write(progress(2, {})));
  const left = await safefile(["--json", "--progress", "watch-restore", "R1"], {
    address: fake.address,
    interruptAt: /progress/,
  });
  assert.equal(left.code, 1);
  assert.match(left.stderr, /goes on without you/);
  assert.deepEqual(fake.unhit, []);
});

async function start(t: TestContext) {
  const cleanup = Cleanup.of(t);
  const fake = await FakeServer.start(cleanup);
  const dir = await tempDir(cleanup);
  const run = (...args: string[]) => safefile(args, { address: fake.address, cwd: dir });
  return { fake, dir, run };
}
