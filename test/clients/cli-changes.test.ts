import assert from "node:assert/strict";
import { lstat, mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { Cleanup } from "../cluster/cleanup.js";
import { startRedis } from "../cluster/redis.js";
import { startReplica } from "../cluster/replica.js";
import { snapshotTree, tempVolume } from "../cluster/volume.js";
import { type CliOptions, safefile, tempDir } from "./cli.js";

test("append and patch: from stdin, a file, flags and a document; each says how to undo it", async (t) => {
  const { run, json, feed, text, dir } = await start(t);
  assert.match(
    (await feed("one\n", "append", "log", "--mode", "600")).stdout,
    /^log is revision 1; 4 bytes were added at 0\n$/,
  );
  await writeFile(path.join(dir, "more"), "two\n");
  const second = await run("append", "log", "more", "--if-revision", "1");
  assert.match(second.stdout, /^log is revision 2; revision 1 holds what was there before; 4 bytes were added at 4\n$/);
  assert.equal(await text("log"), "one\ntwo\n");
  const third = await json("append", "log", "more", "--request-id", "third");
  assert.deepEqual([third.offset, third.file.mode, third.revision.kind], [8, "0600", "append"]);
  const again = await run("append", "log", "more", "--request-id", "third");
  assert.match(again.stdout, /\(already done by an earlier call\); 4 bytes were added at 8/);

  const patched = await run("patch", "log", "--edit", "0:3:1:1", "--edit", "4:3:", "--edit", "12:0:end\n");
  assert.match(patched.stdout, /^log is revision 4; revision 3 holds/);
  assert.equal(await text("log"), "1:1\n\ntwo\nend\n");
  const document = JSON.stringify([
    { offset: 0, length: 4, base64: Buffer.from("é").toString("base64") },
    { offset: 5, length: 8 },
  ]);
  assert.equal((await feed(document, "patch", "log")).code, 0);
  assert.equal(await text("log"), "é\n");
  await writeFile(path.join(dir, "edits.json"), JSON.stringify([{ offset: 3, text: "last\n" }]));
  assert.equal((await run("patch", "log", "edits.json")).code, 0);
  assert.equal(await text("log"), "é\nlast\n");
});

test("mv, cp, mkdir and rm -r: directories too, and nothing is replaced unless it is said", async (t) => {
  const { run, json, feed, text } = await start(t);
  await feed("one", "put", "-", "a");
  await feed("two", "put", "-", "a");
  await feed("other", "put", "-", "b");
  assert.equal((await run("cp", "a", "b")).code, 4);
  assert.equal((await run("cp", "a", "b", "-f", "--if-target-revision", "7")).code, 4);
  assert.match(
    (await run("cp", "a", "b", "-f", "--if-target-revision", "1")).stdout,
    /^b is revision 2; revision 1 holds/,
  );
  assert.equal((await run("cp", "a", "copies/", "--revision", "1")).stdout, "copies/a is revision 1\n");
  assert.equal(await text("copies/a"), "one");

  assert.equal((await run("mv", "a", "b")).code, 4);
  const moved = await json("mv", "-f", "a", "b");
  assert.deepEqual([moved.file.path, moved.backupRevision, moved.sourceRevision.revision], ["b", 2, 3]);
  assert.match((await run("mv", "copies", "kept")).stdout, /^copies is now kept/);
  assert.equal(await text("kept/a"), "one");

  assert.equal((await run("mkdir", "made/deep", "--mode", "700")).stdout, "made/deep is made\n");
  const there = await run("mkdir", "made/deep");
  assert.equal(there.code, 4);
  assert.match(there.stderr, /\[ALREADY_EXISTS\]/);
  assert.equal((await run("mkdir", "-p", "made/deep")).stdout, "made/deep is there already\n");
  assert.equal((await json("mkdir", "-p", "made/deep")).revision, null);
  assert.equal((await json("stat", "made/deep")).mode, "0700");

  assert.equal((await run("rm", "kept")).code, 2);
  const removed = await run("rm", "-r", "kept");
  assert.equal(removed.code, 0);
  assert.match(removed.stdout, /^kept is deleted/);
  const [, undo] = /undo with `safefile (.*)`/.exec(removed.stdout) ?? [];
  assert.equal((await run(...undo!.split(" "))).code, 0, `the advice does not work: ${undo}`);
  assert.equal(await text("kept/a"), "one");
  assert.equal((await run("rm", "-r", "absent")).code, 3);
});

test("chmod and attr change attributes alone, and stat shows them", async (t) => {
  const { run, json, feed, volume } = await start(t);
  await feed("content", "put", "-", "a");
  assert.match((await run("chmod", "640", "a")).stdout, /^a is revision 2/);
  const set = await run("attr", "a", "--set", "tag=one=1", "--set", "gone=x", "--mtime", "2020-02-03T04:05:06Z");
  assert.match(set.stdout, /^a is revision 3/);
  assert.equal((await run("attr", "a", "--remove", "gone", "--set", "lines=a\nb")).code, 0);
  const { mode, mtimeMs } = await lstat(path.join(volume, "a"));
  assert.deepEqual([mode & 0o777, mtimeMs], [0o640, Date.UTC(2020, 1, 3, 4, 5, 6)]);
  const shown = await json("stat", "a");
  assert.deepEqual(shown.xattrs, { tag: "one=1", lines: "a\nb" });
  assert.equal(shown.revision, 4);
  assert.match((await run("stat", "a")).stdout, /^xattr {5}tag=one=1\n/m);
  assert.match((await run("stat", "a")).stdout, /^xattr {5}lines="a\\nb"\n/m);
  assert.equal("xattrs" in JSON.parse((await run("--json", "ls")).stdout), false, "a list does not know them");
});

test("I17: tx makes all changes of a document or none", async (t) => {
  const { run, json, feed, text, dir, volume } = await start(t);
  for (const name of ["append", "patch", "gone", "move", "copy", "attr", "other"]) await feed("0123", "put", "-", name);
  await feed("first", "put", "-", "back");
  await feed("second", "put", "-", "back");
  await mkdir(path.join(dir, "release"));
  await writeFile(path.join(dir, "release/content"), "from a file");
  const steps = [
    { action: "write", path: "write", file: "content", mode: "0600", ifRevision: 0 },
    { action: "append", path: "append", text: "4" },
    { action: "patch", path: "patch", edits: [{ offset: 0, length: 2, text: "x" }] },
    { action: "remove", path: "gone" },
    { action: "move", path: "move", target: "moved", overwrite: true, targetPrecondition: { ifRevision: 0 } },
    { action: "copy", path: "copy", target: "copied", revision: 1 },
    { action: "rollback", path: "back", revision: 1 },
    {
      action: "attributes",
      path: "attr",
      mode: "0640",
      modifiedTime: "2020-02-03T04:05:06Z",
      setXattrs: { text: "x", bytes: { base64: "/w==" } },
      removeXattrs: ["absent"],
    },
  ];
  const file = path.join(dir, "release/tx.json");
  await writeFile(file, JSON.stringify([...steps, { action: "check", path: "other", ifRevision: 9 }]));
  const before = await snapshotTree(volume, { ignore: [".safefile"] });
  const conflict = await run("tx", file);
  assert.equal(conflict.code, 4);
  assert.match(conflict.stderr, /other.*Nothing was changed.*\[PRECONDITION_FAILED\]/s);
  await writeFile(file, JSON.stringify([...steps, { action: "check", path: "back/", ifRevision: 2 }]));
  assert.equal((await run("tx", file)).code, 2, "a path is changed and checked");
  await writeFile(file, JSON.stringify(steps));
  assert.match((await run("tx", file, "--dry-run")).stdout, /^8 steps would be committed\n$/);
  assert.deepEqual(await snapshotTree(volume, { ignore: [".safefile"] }), before);

  const done = await run("tx", file, "--request-id", "release", "--label", "by=test");
  assert.deepEqual(done.stdout.split("\n").slice(0, 8), [
    "write write: revision 1",
    "append append: revision 2; revision 1 holds what was there before",
    "patch patch: revision 2; revision 1 holds what was there before",
    "remove gone: revision 2; revision 1 holds what was there before",
    "move move to moved: revision 1",
    "copy copy to copied: revision 1",
    "rollback back: revision 3; revision 2 holds what was there before",
    "attributes attr: revision 2; revision 1 holds what was there before",
  ]);
  assert.deepEqual(await Promise.all(["write", "append", "patch", "moved", "copied", "back"].map(text)), [
    "from a file",
    "01234",
    "x23",
    "0123",
    "0123",
    "first",
  ]);
  const again = await json("tx", file, "--request-id", "release", "--label", "by=test");
  assert.deepEqual([again.replayed, again.items.length, again.items[4].path], [true, 8, "moved"]);
  assert.deepEqual(again.items[7].file.xattrs, { text: "x", bytes: { base64: "/w==" } });
  const piped = await feed(JSON.stringify([{ action: "write", path: "piped", text: "x" }]), "tx", "-");
  assert.match(piped.stdout, /^write piped: revision 1\n1 step committed as operation \S+\n$/);
});

test("wrong usage exits 2 and names the place; nothing is sent", async (t) => {
  const { run, feed, volume } = await start(t);
  await feed("0123", "put", "-", "a");
  const before = await snapshotTree(volume, { ignore: [".safefile"] });
  for (const [args, says] of [
    [["patch", "a", "--edit", "1:x"], /offset:length:text/],
    [["patch", "a", "edits.json", "--edit", "0:1:x"], /not both/],
    [["chmod", "888", "a"], /octal/],
    [["attr", "a"], /--set, --remove or --mtime/],
    [["attr", "a", "--set", "x"], /key=value/],
    [["attr", "a", "--mtime", "tomorrow"], /Give a time/],
    [["mv", "a", "a"], /another path than the source/],
    [["mv", "/", "b"], /names no file/],
    [["append", "a"], /nothing to add/],
  ] as const) {
    const { code, stderr } = await run(...args);
    assert.equal(code, 2, `${args.join(" ")}: ${stderr}`);
    assert.match(stderr, says);
  }
  const unknown = await feed('[{"action":"remove","path":"a","ifRevison":1}]', "tx", "-");
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /steps\[0\]\.ifRevison is not known here/);
  assert.match((await feed("{", "tx", "-")).stderr, /stdin is not JSON/);
  const large = await feed(Buffer.alloc(1024 * 1024 + 1), "append", "a");
  assert.match(large.stderr, /more than 1048576 bytes: write larger files with `safefile put`/);
  assert.equal((await run("tx", "absent.json")).code, 3);
  assert.deepEqual(await snapshotTree(volume, { ignore: [".safefile"] }), before);
  assert.match((await run("tx", "--help")).stdout, /"action": "write".*"targetPrecondition"/s);
});

async function start(t: TestContext) {
  const cleanup = Cleanup.of(t);
  const [volume, redis, dir] = await Promise.all([tempVolume(cleanup), startRedis({ cleanup }), tempDir(cleanup)]);
  const { address } = await startReplica({ cleanup, volume, redis: [redis.url] });
  const options: CliOptions = { address, cwd: dir };
  const run = (...args: string[]) => safefile(args, options);
  const feed = (stdin: string | Uint8Array, ...args: string[]) => safefile(args, { ...options, stdin });
  const json = async (...args: string[]) => {
    const { stdout, stderr } = await run("--json", ...args);
    assert.notEqual(stdout, "", stderr);
    return JSON.parse(Buffer.from(stdout, "latin1").toString());
  };
  const text = (name: string) => readFile(path.join(volume, name), "utf8");
  return { volume, dir, run, feed, json, text };
}
