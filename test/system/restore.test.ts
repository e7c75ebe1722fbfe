import assert from "node:assert/strict";
import { lstat, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { RestoreAction, type RestoreOptions, type RestoreProgress, RestoreState, RevisionKind } from "@safefile/client";
import { Cleanup } from "../cluster/cleanup.js";
import { snapshotTree } from "../cluster/volume.js";
import { startWorld, stateOf, type World } from "./world.js";

const cleanup = new Cleanup();
let world: World;
before(async () => {
  world = await startWorld(cleanup);
});
after(() => cleanup.end());

const at = (name: string) => path.join(world.volume, name);
const write = (name: string, content: string, mode?: number) =>
  world.client.write(name, Buffer.from(content), mode === undefined ? {} : { mode });

/** Restores and waits; items as "ACTION path", sorted. */
async function restore(from: string, options: RestoreOptions): Promise<{ items: string[]; end: RestoreProgress }> {
  const { restoreId } = await world.client.startRestore(from, options);
  const items: string[] = [];
  let end: RestoreProgress | undefined;
  for await (const { event } of world.client.watchRestore(restoreId)) {
    if (event.case === "item") items.push(`${RestoreAction[event.value.action]} ${event.value.path}`);
    if (event.case === "progress") end = event.value;
  }
  assert.ok(end !== undefined, "a watch ends with how it ended");
  assert.equal(end.counting, false);
  assert.equal(end.filesDone, end.filesTotal);
  assert.equal(end.filesDone, end.filesRestored + end.filesSkipped + end.filesDeleted + end.filesFailed);
  assert.equal(end.filesDone, BigInt(items.length));
  return { items: items.sort(), end };
}

/** Contents of all files at and below a directory, by path relative to it; symlinks and the like are left out. */
async function contents(directory: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const [name, { type }] of await snapshotTree(at(directory)))
    if (type === "file") found[name] = await readFile(at(`${directory}/${name}`), "utf8");
  return found;
}

/** A tree at a point: then everything in it changes. Returns the operation of the point. */
async function treeThatChanged(root: string): Promise<{ operation: string; time: Date; then: Record<string, string> }> {
  await write(`${root}/kept.txt`, "kept");
  await write(`${root}/changed.txt`, "before", 0o640);
  await write(`${root}/deep/deleted.txt`, "deleted later");
  await write(`${root}/.hidden`, "dot");
  await write(`${root}/gone.txt`, "deleted before");
  await world.client.remove(`${root}/gone.txt`);
  const { operationId, revision } = await write(`${root}/last.txt`, "last");
  const then = await contents(root);
  const { seconds, nanos } = revision!.createTime!;
  const time = new Date(Number(seconds) * 1_000 + nanos / 1e6);
  // The clock of the restore has milliseconds: what comes now must be at least one later.
  while (Date.now() <= time.getTime()) await new Promise((resolve) => setTimeout(resolve, 1));
  await write(`${root}/changed.txt`, "after", 0o600);
  await world.client.remove(`${root}/deep/deleted.txt`);
  await write(`${root}/new.txt`, "new");
  await write(`${root}/gone.txt`, "made again");
  return { operation: operationId, time, then };
}

const point = (operation: string) => ({ asOf: { operation }, tree: true }) as const;

test("a tree is restored as of a time and as of an operation, file by file, each as a revision", async () => {
  for (const by of ["time", "operation"] as const) {
    const root = `as-of-${by}`;
    const { operation, time, then } = await treeThatChanged(root);
    const { items, end } = await restore(root, { tree: true, asOf: by === "time" ? time : { operation } });
    assert.equal(end.state, RestoreState.SUCCEEDED);
    const restored = ["changed.txt", "deep/deleted.txt"].map((name) => `RESTORED ${root}/${name}`);
    const unchanged = [".hidden", "kept.txt", "last.txt"].map((name) => `UNCHANGED ${root}/${name}`);
    assert.deepEqual(items, [...restored, ...unchanged].sort());
    assert.deepEqual(await contents(root), { ...then, "new.txt": "new", "gone.txt": "made again" });
    assert.equal((await lstat(at(`${root}/changed.txt`))).mode & 0o777, 0o640);
    const { revision } = await world.client.readRevision(`${root}/changed.txt`, 0);
    assert.deepEqual([revision.revision, RevisionKind[revision.kind], revision.sourceRevision], [3n, "RESTORE", 1n]);
  }
});

test("a restore that is run again finds nothing left to do", async () => {
  const { operation } = await treeThatChanged("again");
  await restore("again", { ...point(operation), deleteExtra: true });
  const state = await stateOf(world.volume);
  const { items, end } = await restore("again", { ...point(operation), deleteExtra: true });
  assert.equal(end.state, RestoreState.SUCCEEDED);
  assert.ok(
    items.every((item) => item.startsWith("UNCHANGED ")),
    items.join(),
  );
  assert.deepEqual(await stateOf(world.volume), state);
});

test("delete_extra removes what was not there then, also files the service never wrote; those stay as revisions", async () => {
  const { operation, then } = await treeThatChanged("extra");
  await writeFile(at("extra/deep/stranger.txt"), "never managed");
  await mkdir(at("extra/dir-only"));
  await symlink("kept.txt", at("extra/link"));
  const { items } = await restore("extra", { ...point(operation), deleteExtra: true });
  assert.deepEqual(
    items.filter((item) => item.startsWith("DELETED")),
    ["DELETED extra/deep/stranger.txt", "DELETED extra/gone.txt", "DELETED extra/new.txt"],
  );
  assert.deepEqual(await contents("extra"), then);
  assert.ok((await lstat(at("extra/link"))).isSymbolicLink());
  const back = await world.client.rollback("extra/deep/stranger.txt", 1);
  assert.equal(back.revision?.sourceRevision, 1n);
  assert.equal(await readFile(at("extra/deep/stranger.txt"), "utf8"), "never managed");
});

test("I16: delete_extra with a glob touches only what the glob selects", async () => {
  const { operation } = await treeThatChanged("chosen");
  await writeFile(at("chosen/stranger.log"), "never managed");
  const { items } = await restore("chosen", {
    ...point(operation),
    deleteExtra: true,
    include: ["**/*.{txt,log}"],
    exclude: ["gone.txt", "deep/**"],
  });
  assert.deepEqual(items, [
    "DELETED chosen/new.txt",
    "DELETED chosen/stranger.log",
    "RESTORED chosen/changed.txt",
    "UNCHANGED chosen/kept.txt",
    "UNCHANGED chosen/last.txt",
  ]);
  assert.equal(await readFile(at("chosen/gone.txt"), "utf8"), "made again");
  await assert.rejects(lstat(at("chosen/deep/deleted.txt")), { code: "ENOENT" });
});

const GLOBS: readonly (readonly [glob: string, selected: readonly string[]])[] = [
  ["*", ["a.txt", "b.md", ".dot"]],
  ["*.txt", ["a.txt"]],
  ["**/*.txt", ["a.txt", "d/c.txt", "d/e/f.txt"]],
  ["d/**", ["d/c.txt", "d/e/f.txt"]],
  ["d/*", ["d/c.txt"]],
  ["?.md", ["b.md"]],
  ["[ab].*", ["a.txt", "b.md"]],
  ["{a,b}.*", ["a.txt", "b.md"]],
  [".dot", [".dot"]],
  ["nothing", []],
];

test("globs select as they are described", async () => {
  for (const name of ["a.txt", "b.md", ".dot", "d/c.txt", "d/e/f.txt"]) await write(`globs/${name}`, name);
  const { operationId } = await write("globs-end.txt", "end");
  for (const [glob, selected] of GLOBS) {
    const { items } = await restore("globs", { ...point(operationId), include: [glob], dryRun: true });
    assert.deepEqual(items, selected.map((name) => `UNCHANGED globs/${name}`).sort(), glob);
  }
});

test("NEVER only makes what is missing; a dry run only tells", async () => {
  const { operation, then } = await treeThatChanged("never");
  const state = await stateOf(world.volume);
  const told = await restore("never", { ...point(operation), deleteExtra: true, dryRun: true });
  assert.deepEqual(await stateOf(world.volume), state);
  const wanted = ["DELETED never/gone.txt", "DELETED never/new.txt", "RESTORED never/changed.txt"];
  assert.deepEqual(told.items.slice(0, 3), wanted);
  const done = await restore("never", { ...point(operation), overwrite: "never" });
  const kept = [".hidden", "changed.txt", "kept.txt", "last.txt"].map((name) => `KEPT never/${name}`);
  assert.deepEqual(done.items, [...kept, "RESTORED never/deep/deleted.txt"].sort());
  const now = await contents("never");
  assert.deepEqual(now, { ...then, "changed.txt": "after", "new.txt": "new", "gone.txt": "made again" });
});

test("a restore to another place makes it there and leaves the original alone", async () => {
  const { operation, then } = await treeThatChanged("origin");
  const origin = await snapshotTree(at("origin"));
  const { end } = await restore("origin", { ...point(operation), targetPath: "some/copy" });
  assert.equal(end.state, RestoreState.SUCCEEDED);
  assert.deepEqual(await contents("some/copy"), then);
  assert.equal((await lstat(at("some/copy/changed.txt"))).mode & 0o777, 0o640);
  assert.deepEqual(await snapshotTree(at("origin")), origin);
});

test("one file is restored in place, to another name, and after it and its directory are gone", async () => {
  const { operationId } = await write("single/file.txt", "then", 0o600);
  await write("single/file.txt", "now");
  const asOf = { operation: operationId };
  assert.deepEqual((await restore("single/file.txt", { asOf, targetPath: "single/old.txt" })).items, [
    "RESTORED single/old.txt",
  ]);
  assert.equal(await readFile(at("single/old.txt"), "utf8"), "then");
  assert.equal(await readFile(at("single/file.txt"), "utf8"), "now");
  assert.deepEqual((await restore("single/file.txt", { asOf })).items, ["RESTORED single/file.txt"]);
  assert.equal(await readFile(at("single/file.txt"), "utf8"), "then");
  const large = Buffer.alloc(2_000_000, 5);
  const made = await world.client.upload("lost/large.bin", large);
  await world.client.remove("lost/large.bin");
  await restore("lost/large.bin", { asOf: { operation: made.operationId } });
  assert.ok(large.equals(await readFile(at("lost/large.bin"))));
});

test("I4: a restore keeps what somebody outside made of a file before it replaces it", async () => {
  const { operationId } = await write("outside/file.txt", "then");
  await writeFile(at("outside/file.txt"), "outside");
  await restore("outside/file.txt", { asOf: { operation: operationId } });
  assert.equal(await readFile(at("outside/file.txt"), "utf8"), "then");
  const { bytes, revision } = await world.client.readRevision("outside/file.txt", 2);
  assert.deepEqual([Buffer.from(bytes).toString(), RevisionKind[revision.kind]], ["outside", "EXTERNAL"]);
});

test("a watch can be left and taken up again where it was", async () => {
  for (let number = 0; number < 30; number++) await write(`watched/${number}.txt`, "then");
  const { operationId } = await write("watched/last.txt", "then");
  for (let number = 0; number < 30; number++) await write(`watched/${number}.txt`, "now");
  const { restoreId } = await world.client.startRestore("watched", point(operationId));
  const items: string[] = [];
  let cursor = "";
  for await (const event of world.client.watchRestore(restoreId)) {
    cursor = event.cursor;
    if (event.event.case === "item") items.push(event.event.value.path);
    if (items.length === 10) break;
  }
  for await (const { event } of world.client.watchRestore(restoreId, { cursor }))
    if (event.case === "item") items.push(event.value.path);
  assert.equal(items.length, 31);
  assert.equal(new Set(items).size, 31);
});
