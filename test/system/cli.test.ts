import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { chmod, mkdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { jsonLines, safefile, tempDir } from "../clients/cli.js";
import { Cleanup } from "../cluster/cleanup.js";
import { startRedis } from "../cluster/redis.js";
import { startReplica } from "../cluster/replica.js";
import { snapshotTree, tempVolume } from "../cluster/volume.js";

const MIB = 1024 * 1024;

test("the life of a file, by commands: put, stat, ls, log, cat, rollback, rm, and back again", async (t) => {
  const { run, json, dir, volume } = await start(t);
  await writeFile(path.join(dir, "note"), "one");
  await chmod(path.join(dir, "note"), 0o600);
  assert.match((await run("put", "note", "docs/note")).stdout, /^docs\/note is revision 1\n$/);
  assert.equal(await readFile(path.join(volume, "docs/note"), "utf8"), "one");

  await writeFile(path.join(dir, "note"), "two");
  const second = await json("put", "note", "docs/note", "--label", "by=test", "--if-revision", "1");
  assert.equal(second.revision.revision, 2);
  assert.equal(second.backupRevision, 1);
  assert.deepEqual(second.revision.labels, { by: "test" });
  assert.match(second.traceId, /^[0-9a-f]{32}$/);
  assert.match((await run("put", "note", "docs/note", "--if-changed")).stdout, /unchanged/);

  const found = await json("stat", "docs/note");
  assert.equal(found.revision, 2);
  assert.equal(found.mode, "0600");
  assert.equal(found.sha256, createHash("sha256").update("two").digest("hex"));
  assert.equal((await run("ls")).stdout, "docs/\n");
  assert.match((await run("ls", "-l", "docs")).stdout, /^- 0600 +3 B +r2 \S+ note\n$/);
  assert.deepEqual(
    jsonLines((await run("--json", "ls", "-r")).stdout).map((entry) => entry.path),
    ["docs", "docs/note"],
  );

  assert.equal((await run("cat", "docs/note", "--revision", "1")).stdout, "one");
  assert.match((await run("rollback", "docs/note", "1")).stdout, /revision 3, with the content of 1/);
  assert.equal((await run("cat", "docs/note")).stdout, "one");
  assert.match((await run("rm", "docs/note")).stdout, /undo with `safefile rollback docs\/note 3`/);
  assert.equal((await run("cat", "docs/note")).code, 3);
  assert.equal((await run("rollback", "docs/note", "3")).code, 0);
  const log = jsonLines((await run("--json", "log", "docs/note")).stdout);
  assert.deepEqual(
    log.map(({ revision, kind }) => [revision, kind]),
    [
      [5, "rollback"],
      [4, "delete"],
      [3, "rollback"],
      [2, "write"],
      [1, "write"],
    ],
  );
});

test("errors of the service: exit codes, and sentences that say what happened to the file", async (t) => {
  const { run, json, dir, volume } = await start(t);
  await writeFile(path.join(dir, "a"), "a");
  assert.equal((await run("put", "a", "a")).code, 0);
  const before = await snapshotTree(volume, { ignore: [".safefile"] });
  for (const [code, reason, args] of [
    [3, "PATH_NOT_FOUND", ["stat", "absent"]],
    [3, "BACKUP_VERSION", ["cat", "a", "--revision", "9"]],
    [4, "ALREADY_EXISTS", ["put", "a", "a", "--if-revision", "0"]],
    [4, "PRECONDITION_FAILED", ["put", "a", "a", "--if-revision", "7"]],
    [4, "PRECONDITION_FAILED", ["rm", "a", "--etag", '"other"']],
    [2, "PATH_INVALID", ["put", "a", "../a"]],
    [2, "PATH_INVALID", ["put", "a", ".safefile/a"]],
    [3, "VOLUME_UNKNOWN", ["ls", "--volume", "other"]],
  ] as const) {
    const { code: found, stderr } = await run("--json", ...args);
    const { error } = JSON.parse(stderr);
    assert.equal(error.reason, reason, args.join(" "));
    assert.equal(found, code, args.join(" "));
  }
  assert.match(
    (await run("put", "a", "a", "--if-revision", "7")).stderr,
    /Nothing was changed.*\[PRECONDITION_FAILED\]/,
  );
  assert.deepEqual(await snapshotTree(volume, { ignore: [".safefile"] }), before);

  const first = await json("put", "a", "b", "--request-id", "once");
  const again = await json("put", "a", "b", "--request-id", "once");
  assert.equal(again.operationId, first.operationId);
  assert.equal(again.replayed, true);
});

test("incidents and events tell what went wrong, once and as it happens", async (t) => {
  const { run, dir, volume, address } = await start(t);
  await writeFile(path.join(dir, "a"), "ours");
  assert.equal((await run("put", "a", "a")).code, 0);
  assert.equal((await run("incidents")).stdout, "");
  assert.equal((await run("events")).code, 2);
  const follow = (text: RegExp, ...args: string[]) =>
    safefile([...args, "events", "--follow"], { address, cwd: dir, interruptAt: text });
  const begun = await follow(/heartbeat/, "--json");
  assert.equal(begun.code, 0);
  const [{ resumeToken }] = jsonLines(begun.stdout) as [{ resumeToken: string }];
  await writeFile(path.join(volume, "a"), "theirs");
  await writeFile(path.join(dir, "a"), "ours again");
  assert.equal((await run("put", "a", "a")).code, 0);

  const args = ["--json", "events", "--follow", "--severity", "warning", "--resume-token", resumeToken];
  const seen = await safefile(args, { address, cwd: dir, interruptAt: /external_change/ });
  const [event] = jsonLines(seen.stdout).filter((each) => each.event === "incident");
  assert.equal(event?.severity, "warning");
  const [incident] = jsonLines((await run("--json", "incidents")).stdout);
  assert.deepEqual(event?.incident, incident);
  assert.deepEqual([incident?.kind, incident?.path, incident?.revision], ["external_change", "a", 2]);
  assert.match((await run("incidents")).stdout, /^\S+ {2}over {2}external_change +a had been changed from outside/);
  assert.equal((await run("incidents", "--unresolved")).stdout, "");
});

test("large files go through whole, with their mode, and there is room for a pipe", async (t) => {
  const { run, dir, address } = await start(t);
  const bytes = randomBytes(9 * MIB + 17);
  await writeFile(path.join(dir, "large"), bytes);
  await chmod(path.join(dir, "large"), 0o750);
  assert.equal((await run("put", "large", "large")).code, 0);
  assert.equal((await run("get", "large", "copy")).code, 0);
  assert.ok((await readFile(path.join(dir, "copy"))).equals(bytes));
  assert.equal((await stat(path.join(dir, "copy"))).mode & 0o777, 0o750);
  assert.equal((await safefile(["put", "-", "piped"], { address, stdin: bytes })).code, 0);
  assert.ok(Buffer.from((await run("get", "piped", "-")).stdout, "latin1").equals(bytes));
});

test("a tree: put, put again, changed, and restored to how it was", async (t) => {
  const { run, json, dir } = await start(t);
  const tree = path.join(dir, "tree");
  await mkdir(path.join(tree, "deep/er"), { recursive: true });
  for (let at = 0; at < 60; at++) await writeFile(path.join(tree, at % 2 ? "deep" : "deep/er", `f${at}`), `was ${at}`);
  await writeFile(path.join(tree, "big"), randomBytes(2 * MIB));
  await symlink("big", path.join(tree, "link"));
  const first = jsonLines((await run("--json", "put", "-r", "tree", "t")).stdout).at(-1)!;
  assert.equal(first.written, 61);
  assert.equal(first.skippedSymlinks, 1);

  // The same run again is answered from what it did.
  const rerun = await run("put", "-r", "tree", "t", "--request-id", String(first.requestId));
  assert.equal(rerun.code, 0);
  assert.equal((await json("stat", "t/deep/f1")).revision, 1);
  assert.match((await run("put", "-r", "tree", "t", "--if-changed")).stdout, /^0 files written, 61 unchanged/);

  const point = (await json("stat", "t/deep/er/f58")).operationId;
  const then = new Date();
  await sleep(50);
  await writeFile(path.join(dir, "f1"), "is now");
  await run("put", "f1", "t/deep/f1");
  await run("rm", "t/big");
  await run("put", "f1", "t/extra");
  assert.notEqual(point, "");

  const args = ["restore", "t", "--tree", "--as-of", then.toISOString(), "--delete-extra"];
  const plan = await run(...args, "--dry-run");
  assert.equal(plan.code, 0, plan.stderr);
  assert.match(plan.stdout, /^would restore t\/deep\/f1 to revision 1$/m);
  assert.match(plan.stdout, /^would delete t\/extra$/m);
  assert.equal((await run("cat", "t/deep/f1")).stdout, "is now");

  const events = jsonLines((await run("--json", ...args)).stdout);
  const end = events.at(-1)!;
  assert.equal(end.state, "succeeded");
  assert.equal(end.filesRestored, 2);
  assert.equal(end.filesDeleted, 1);
  assert.equal((await run("get", "-r", "t", "back")).code, 0);
  await rm(path.join(tree, "link"));
  const contents = async (root: string) =>
    [...(await snapshotTree(root))].map(([name, { mode, sha256 }]) => [name, mode, sha256]);
  assert.deepEqual(await contents(path.join(dir, "back")), await contents(tree));

  const elsewhere = await run("restore", "t/deep/f1", "--as-of", then.toISOString(), "--to", "f1.then", "--progress");
  assert.equal(elsewhere.code, 0);
  assert.match(elsewhere.stderr, /100%/);
  assert.equal((await run("cat", "f1.then")).stdout, "was 1");
});

test("rebuild-index and doctor, on the volume of a replica that runs", async (t) => {
  const { json, run, dir, volume } = await start(t);
  await writeFile(path.join(dir, "a"), "a");
  await run("put", "a", "a");
  await run("put", "a", "a");
  const rebuilt = await json("rebuild-index");
  assert.equal(rebuilt.paths, 1);
  assert.equal(rebuilt.revisions, 2);
  const before = await snapshotTree(volume, { ignore: [".safefile"] });
  const examined = await json("doctor", volume);
  assert.notEqual(examined.result, "fail");
  assert.deepEqual(await snapshotTree(volume, { ignore: [".safefile"] }), before);
});

async function start(t: TestContext) {
  const cleanup = Cleanup.of(t);
  const [volume, redis, dir] = await Promise.all([tempVolume(cleanup), startRedis({ cleanup }), tempDir(cleanup)]);
  const { address } = await startReplica({ cleanup, volume, redis: [redis.url] });
  const run = (...args: string[]) => safefile(args, { address, cwd: dir });
  const json = async (...args: string[]) => {
    const { stdout, stderr } = await run("--json", ...args);
    assert.notEqual(stdout, "", stderr);
    return JSON.parse(stdout);
  };
  return { address, volume, dir, run, json };
}
