import assert from "node:assert/strict";
import { type FilePath, pathHash } from "../../services/model/path.js";
import {
  codeOf,
  type LiveName,
  type Name,
  NotPlainError,
  type Stat,
  type Volume,
} from "../../services/volume/volume.js";

/** What somebody does to the tree without asking the volume. */
export interface Outside {
  write(path: string, content: string): Promise<void>;
  symlink(path: string, target: string): Promise<void>;
  special(path: string): Promise<void>;
  makeDirectory(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
}

/** A volume of its own for each rule. */
export interface Ground {
  readonly volume: Volume;
  readonly outside: Outside;
  /** Whether this process may give files away. */
  readonly mayGive: boolean;
}

export type Rule = (ground: Ground) => Promise<void>;

const path = (text: string): FilePath => text as FilePath;
const fails = (call: Promise<unknown>, code: string): Promise<void> =>
  assert.rejects(call, (error: unknown) => {
    assert.equal(codeOf(error), code, String(error));
    return true;
  });
const notPlain = (call: Promise<unknown>, what: NotPlainError["what"]): Promise<void> =>
  assert.rejects(call, (error: unknown) => {
    assert(error instanceof NotPlainError, String(error));
    assert.equal(error.what, what);
    return true;
  });

async function put(volume: Volume, name: Name, content: string): Promise<void> {
  await using handle = await volume.create(name);
  await handle.write(Buffer.from(content), 0);
}

async function statOf(volume: Volume, name: Name): Promise<Stat> {
  const stats = await volume.stat(name);
  assert(stats, `${name.at} is not there`);
  return stats;
}

async function liveText(volume: Volume, text: string): Promise<string | undefined> {
  await using live = await volume.locate(path(text));
  return await volume.readSmall(live);
}

/** Everything that the layers above rely on, by what it says. The real volume and the fake keep the same. */
export const RULES: Readonly<Record<string, Rule>> = {
  "create makes a new file or fails": async ({ volume, outside }) => {
    const name = volume.control("one");
    await put(volume, name, "first");
    await fails(volume.create(name), "EEXIST");
    assert.equal(await volume.readSmall(name), "first");
    await fails(volume.create(volume.control("none/one")), "ENOENT");
    await fails(volume.create(volume.control("one/two")), "ENOTDIR");
    await outside.symlink("dangling", "nowhere");
    await using live = await volume.locate(path("dangling"));
    await fails(volume.create(live), "EEXIST");
  },

  "rename moves, replaces files, and fails without its source": async ({ volume }) => {
    const [one, two, three] = [volume.control("one"), volume.control("two"), volume.control("three")];
    await fails(volume.rename(one, two), "ENOENT");
    await put(volume, one, "first");
    await put(volume, two, "second");
    const { inode } = await statOf(volume, one);
    await volume.rename(one, two);
    assert.equal(await volume.stat(one), undefined);
    assert.equal((await statOf(volume, two)).inode, inode);
    assert.equal(await volume.readSmall(two), "first");
    await fails(volume.rename(one, two), "ENOENT");
    assert.equal(await volume.readSmall(two), "first");
    await fails(volume.rename(two, volume.control("none/two")), "ENOENT");
    await fails(volume.rename(volume.control("none/two"), three), "ENOENT");
    await fails(volume.rename(volume.control("two/in"), three), "ENOTDIR");
  },

  "rename between kinds is as Linux has it": async ({ volume }) => {
    const [file, empty, full, other] = ["file", "empty", "full", "other"].map((each) => volume.control(each)) as [
      Name,
      Name,
      Name,
      Name,
    ];
    await put(volume, file, "file");
    for (const directory of [empty, full, other]) await volume.makeDirectory(directory);
    await put(volume, volume.control("full/leaf"), "leaf");
    await fails(volume.rename(file, empty), "EISDIR");
    await fails(volume.rename(empty, file), "ENOTDIR");
    await assert.rejects(volume.rename(empty, full), (error: unknown) =>
      ["ENOTEMPTY", "EEXIST"].includes(codeOf(error) ?? ""),
    );
    await fails(volume.rename(full, volume.control("full/deeper")), "EINVAL");
    await volume.rename(full, empty);
    assert.deepEqual(await volume.list(empty), ["leaf"]);
    assert.equal(await volume.stat(full), undefined);
    await volume.rename(other, full);
    assert.deepEqual(await volume.list(full), []);
  },

  "rename between two names of one file does nothing": async ({ volume }) => {
    const [one, two] = [volume.control("one"), volume.control("two")];
    await put(volume, one, "same");
    await volume.link(one, two);
    await volume.rename(one, two);
    assert.equal((await statOf(volume, one)).links, 2);
    assert.equal((await statOf(volume, two)).links, 2);
  },

  "link gives a second name and never replaces": async ({ volume }) => {
    const [one, two, three] = [volume.control("one"), volume.control("two"), volume.control("three")];
    await fails(volume.link(one, two), "ENOENT");
    await put(volume, one, "first");
    await put(volume, three, "third");
    const before = await statOf(volume, one);
    await volume.link(one, two);
    const after = await statOf(volume, two);
    assert.equal(after.inode, before.inode);
    assert.equal(after.links, 2);
    assert(after.ctimeNs > before.ctimeNs, "a link changes the change time");
    assert.equal(after.mtimeNs, before.mtimeNs);
    await fails(volume.link(one, three), "EEXIST");
    await fails(volume.link(one, two), "EEXIST");
    await fails(volume.link(one, volume.control("none/two")), "ENOENT");
    await volume.unlink(one);
    assert.equal((await statOf(volume, two)).links, 1);
    await volume.rename(three, two);
    assert.equal((await statOf(volume, two)).links, 1);
    await volume.makeDirectory(volume.control("directory"));
    await fails(volume.link(volume.control("directory"), volume.control("four")), "EPERM");
  },

  "unlink, mkdir, rmdir and list": async ({ volume }) => {
    const directory = volume.control("directory");
    const leaf = volume.control("directory/leaf");
    assert.equal(await volume.list(directory), undefined);
    await fails(volume.removeDirectory(directory), "ENOENT");
    await volume.makeDirectory(directory);
    await fails(volume.makeDirectory(directory), "EEXIST");
    await fails(volume.makeDirectory(volume.control("none/deep")), "ENOENT");
    await fails(volume.unlink(leaf), "ENOENT");
    await put(volume, leaf, "leaf");
    await assert.rejects(volume.removeDirectory(directory), (error: unknown) =>
      ["ENOTEMPTY", "EEXIST"].includes(codeOf(error) ?? ""),
    );
    await fails(volume.removeDirectory(leaf), "ENOTDIR");
    await fails(volume.unlink(directory), "EISDIR");
    await fails(volume.list(leaf), "ENOTDIR");
    await put(volume, volume.control("directory/leaves"), "more");
    assert.deepEqual((await volume.list(directory))?.sort(), ["leaf", "leaves"]);
    await volume.unlink(leaf);
    await volume.unlink(volume.control("directory/leaves"));
    await volume.removeDirectory(directory);
    assert.equal(await volume.stat(directory), undefined);
  },

  "stat tells what is there": async ({ volume, outside }) => {
    const name = volume.control("one");
    assert.equal(await volume.stat(name), undefined);
    assert.equal(await volume.stat(volume.control("none/one")), undefined);
    await put(volume, name, "12345");
    assert.equal(await volume.stat(volume.control("one/two")), undefined);
    const stats = await statOf(volume, name);
    assert.equal(stats.type, "file");
    assert.equal(stats.sizeBytes, 5);
    assert.equal(stats.mode, 0o600);
    assert.equal(stats.links, 1);
    await put(volume, volume.control("two"), "");
    assert.notEqual((await statOf(volume, volume.control("two"))).inode, stats.inode);
    assert.equal((await statOf(volume, volume.control("."))).type, "directory");
    await outside.symlink("link", "nowhere");
    await outside.special("fifo");
    await outside.makeDirectory("directory");
    const types = (await volume.listLive("")).sort((left, right) => (left.name < right.name ? -1 : 1));
    assert.deepEqual(types, [
      { name: "directory", type: "directory" },
      { name: "fifo", type: "other" },
      { name: "link", type: "symlink" },
    ]);
    for (const { name: each, type } of types) {
      await using live = await volume.locate(path(each));
      assert.equal((await volume.stat(live))?.type, type);
    }
  },

  "attributes are set, and change the change time": async ({ volume, mayGive }) => {
    const name = volume.control("one");
    await using handle = await volume.create(name);
    await handle.write(Buffer.from("text"), 0);
    const before = await handle.stat();
    const owner = mayGive ? { uid: 1234, gid: 4321 } : before.owner;
    const xattrs = { note: Buffer.from("a\0b"), other: Buffer.from("") };
    await handle.setAttributes({ mode: 0o640, mtimeNs: 1_234_567_890_123_456_000n, owner, xattrs });
    const after = await handle.stat();
    assert.equal(after.mode, 0o640);
    // Times go through a double of seconds on their way to the kernel.
    const offNs = after.mtimeNs - 1_234_567_890_123_456_000n;
    assert(offNs > -1_000_000n && offNs < 1_000_000n, `the modification time is off by ${offNs} ns`);
    assert.deepEqual(after.owner, owner);
    assert(after.ctimeNs > before.ctimeNs);
    assert.equal(after.inode, before.inode);
    const found = await volume.xattrs(name);
    assert.deepEqual(Object.keys(found).sort(), ["note", "other"]);
    assert.deepEqual(Buffer.from(found.note as Uint8Array), xattrs.note);
    assert.deepEqual(await volume.xattrs(volume.control("none")), {});
    const other = volume.control("two");
    await put(volume, other, "");
    assert.deepEqual(await volume.xattrs(other), {});
  },

  "writing, replacing and renaming are seen in times": async ({ volume }) => {
    const [one, two] = [volume.control("one"), volume.control("two")];
    await put(volume, one, "first");
    const before = await statOf(volume, one);
    await volume.rename(one, two);
    const renamed = await statOf(volume, two);
    assert(renamed.ctimeNs > before.ctimeNs, "a rename changes the change time");
    assert.equal(renamed.mtimeNs, before.mtimeNs);
    await using handle = await volume.openWrite(two);
    await handle.write(Buffer.from("x"), 0);
    const written = await handle.stat();
    assert(written.mtimeNs > renamed.mtimeNs && written.ctimeNs > renamed.ctimeNs);
    await volume.touch(two);
    assert((await statOf(volume, two)).ctimeNs > written.ctimeNs);
    await fails(volume.touch(one), "ENOENT");
  },

  "writes go to positions, holes are zeros, truncate cuts and extends": async ({ volume }) => {
    await using handle = await volume.create(volume.control("one"));
    await handle.write(Buffer.from("world"), 6);
    await handle.write(Buffer.from("hello"), 0);
    const buffer = Buffer.alloc(20, "#");
    assert.equal(await handle.read(buffer, 0), 11);
    assert.equal(buffer.toString("latin1"), "hello\0world#########");
    await handle.writeAll([Buffer.from("-"), Buffer.from(""), Buffer.from("WORLD!")], 5);
    assert.equal(await handle.read(buffer, 0), 12);
    assert.equal(buffer.toString("latin1", 0, 12), "hello-WORLD!");
    assert.equal(await handle.read(buffer, 12), 0);
    assert.equal(await handle.read(buffer, 1000), 0);
    await handle.truncate(3);
    await handle.truncate(5);
    assert.equal(await handle.read(buffer, 0), 5);
    assert.equal(buffer.toString("latin1", 0, 5), "hel\0\0");
    await handle.sync();
    assert.equal((await handle.stat()).sizeBytes, 5);
  },

  "an open file outlives its names": async ({ volume }) => {
    const [one, two] = [volume.control("one"), volume.control("two")];
    await put(volume, one, "first");
    await put(volume, two, "second");
    await using replaced = await volume.openRead(one);
    await volume.rename(two, one);
    const buffer = Buffer.alloc(10);
    assert.equal(buffer.toString("utf8", 0, await replaced.read(buffer, 0)), "first");
    assert.equal((await replaced.stat()).links, 0);
    await using unlinked = await volume.openWrite(one);
    await volume.unlink(one);
    await unlinked.write(Buffer.from("SE"), 0);
    assert.equal(buffer.toString("utf8", 0, await unlinked.read(buffer, 0)), "SEcond");
    assert.equal(await volume.stat(one), undefined);
  },

  "only plain files are opened": async ({ volume, outside }) => {
    await outside.write("plain", "plain");
    await outside.symlink("link", "plain");
    await outside.special("fifo");
    await outside.makeDirectory("directory");
    const of = (text: string): Promise<LiveName> => volume.locate(path(text));
    await using link = await of("link");
    await using fifo = await of("fifo");
    await using directory = await of("directory");
    await using none = await of("none");
    await notPlain(volume.openRead(link), "symlink");
    await notPlain(volume.openWrite(link), "symlink");
    await notPlain(volume.openRead(fifo), "special");
    await notPlain(volume.openRead(directory), "directory");
    await notPlain(volume.openWrite(directory), "directory");
    await fails(volume.openRead(none), "ENOENT");
    await notPlain(volume.copyDurably(link, volume.control("copy")), "symlink");
    await notPlain(volume.copyDurably(directory, volume.control("copy")), "directory");
    await fails(volume.copyDurably(none, volume.control("copy")), "ENOENT");
  },

  "what is opened for reading cannot be written": async ({ volume }) => {
    const name = volume.control("one");
    await put(volume, name, "first");
    await using handle = await volume.openRead(name);
    await fails(handle.write(Buffer.from("x"), 0), "EBADF");
  },

  "locate holds the parent directory and follows nothing": async ({ volume, outside }) => {
    await fails(volume.locate(path("a/b/file")), "ENOENT");
    await outside.makeDirectory("a");
    await outside.makeDirectory("a/b");
    await outside.symlink("a/link", "b");
    await outside.write("a/plain", "plain");
    await notPlain(volume.locate(path("a/link/file")), "symlink");
    await notPlain(volume.locate(path("a/plain/file")), "not-a-directory");
    await notPlain(volume.locateWithParents(path("a/link/deep/file")), "symlink");
    await notPlain(volume.locateWithParents(path("a/plain/file")), "not-a-directory");
    await notPlain(volume.listLive(path("a/link")), "symlink");
    await fails(volume.listLive(path("a/none")), "ENOENT");
    await using live = await volume.locate(path("a/b/file"));
    assert.equal(live.path, "a/b/file");
    await put(volume, live, "text");
    assert.equal(await liveText(volume, "a/b/file"), "text");
    // The name goes along with its directory, and dies with it.
    await outside.rename("a/b", "moved");
    assert.equal(await volume.readSmall(live), "text");
    assert.equal(await liveText(volume, "moved/file"), "text");
    await volume.unlink(live);
    await outside.remove("moved");
    assert.equal(await volume.stat(live), undefined);
    await fails(volume.create(live), "ENOENT");
    const staged = volume.control("staged");
    await put(volume, staged, "staged");
    await fails(volume.rename(staged, live), "ENOENT");
    await fails(volume.link(staged, live), "ENOENT");
    await fails(volume.makeDirectory(live), "ENOENT");
    assert.equal(await volume.readSmall(staged), "staged");
  },

  "missing parents are made, and removed again when empty": async ({ volume, outside }) => {
    await outside.makeDirectory("a");
    const { live, made } = await volume.locateWithParents(path("a/b/c/file"));
    await using held = live;
    assert.deepEqual(made, ["a/b", "a/b/c"]);
    await put(volume, held, "text");
    const again = await volume.locateWithParents(path("a/b/c/other"));
    await again.live[Symbol.asyncDispose]();
    assert.deepEqual(again.made, []);
    await volume.removeEmpty(made);
    assert.equal(await liveText(volume, "a/b/c/file"), "text");
    await volume.unlink(held);
    await volume.removeEmpty(made);
    await volume.removeEmpty(made);
    assert.deepEqual(await volume.listLive(path("a")), []);
  },

  "the control directory is in no listing": async ({ volume, outside }) => {
    await outside.write("file", "text");
    await volume.makeDirectory(volume.control("directory"));
    assert.deepEqual(await volume.listLive(""), [{ name: "file", type: "file" }]);
  },

  "createWith and readSmall": async ({ volume }) => {
    const name = volume.control("one");
    assert.equal(await volume.readSmall(name), undefined);
    await volume.createWith(name, "text", true);
    assert.equal(await volume.readSmall(name), "text");
    await fails(volume.createWith(name, "other", false), "EEXIST");
    await fails(volume.createWith(volume.control("none/one"), "other", false), "ENOENT");
    await volume.createWith(volume.control("empty"), "", false);
    assert.equal(await volume.readSmall(volume.control("empty")), "");
    await volume.makeDirectory(volume.control("directory"));
    await notPlain(volume.readSmall(volume.control("directory")), "directory");
  },

  "copies are files of their own": async ({ volume }) => {
    const [one, copy, target] = [volume.control("one"), volume.control("copy"), volume.control("target")];
    await using source = await volume.create(one);
    await source.write(Buffer.alloc(10_000, "x"), 0);
    await source.setAttributes({ mode: 0o604, mtimeNs: 0n });
    await volume.copyDurably(one, copy);
    await fails(volume.copyDurably(one, copy), "EEXIST");
    const stats = await statOf(volume, copy);
    assert.equal(stats.mode, 0o604);
    assert.notEqual(stats.inode, (await source.stat()).inode);
    await using filled = await volume.create(target);
    await filled.write(Buffer.alloc(20_000, "y"), 0);
    await filled.copyFrom(one);
    await source.write(Buffer.from("changed"), 0);
    for (const name of [copy, target]) {
      const bytes = Buffer.alloc(30_000);
      await using handle = await volume.openRead(name);
      assert.equal(await handle.read(bytes, 0), 10_000);
      assert(bytes.subarray(0, 10_000).equals(Buffer.alloc(10_000, "x")));
    }
    assert.equal((await filled.stat()).mode, 0o604);
    await fails(filled.copyFrom(volume.control("none")), "ENOENT");
  },

  "reserving space leaves what was there": async ({ volume }) => {
    await using handle = await volume.create(volume.control("one"));
    await handle.write(Buffer.from("text"), 0);
    await handle.reserve(0);
    await handle.reserve(3);
    assert.equal((await handle.stat()).sizeBytes, 4);
    const buffer = Buffer.alloc(4);
    await handle.read(buffer, 0);
    assert.equal(buffer.toString(), "text");
  },

  "syncing takes files, directories and everything": async ({ volume }) => {
    const directory = volume.control("directory");
    await volume.makeDirectory(directory);
    await volume.syncDirectory(directory);
    await volume.syncDirectory(volume.control("."));
    await fails(volume.syncDirectory(volume.control("none")), "ENOENT");
    await put(volume, volume.control("file"), "text");
    await fails(volume.syncDirectory(volume.control("file")), "ENOTDIR");
    await volume.syncAll();
  },

  "long and many names": async ({ volume }) => {
    const long = "n".repeat(200);
    const names = Array.from({ length: 50 }, (_, at) => `${pathHash(path(`${at}`))}.${long}`);
    await volume.makeDirectory(volume.control("many"));
    for (const name of names) await volume.createWith(volume.control(`many/${name}`), name, false);
    assert.deepEqual((await volume.list(volume.control("many")))?.sort(), names.toSorted());
  },
};
