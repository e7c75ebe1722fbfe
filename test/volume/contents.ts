import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { LiveName } from "../../services/volume/volume.js";
import { fails, notPlain, path, put, type Rules, statOf } from "./ground.js";

/** What is in a file, and what is said of it. */
export const CONTENTS: Rules = {
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

  "a file is filled in one go": async ({ volume, mayGive }) => {
    for (const [at, sizeBytes] of [0, 5, 64 * 1024, 64 * 1024 + 1].entries()) {
      const name = volume.control(`one-${at}`);
      await using handle = await volume.create(name);
      const before = await handle.stat();
      const owner = mayGive ? { uid: 1234, gid: 4321 } : before.owner;
      const bytes = Buffer.alloc(sizeBytes + 2, "text").subarray(1, sizeBytes + 1);
      const attributes = { mode: 0o604, mtimeNs: 5_000_001_000n, owner, xattrs: { note: Buffer.from("a") } };
      const { stat, sha256 } = await handle.fill(bytes, attributes, at % 2 === 0);
      assert.deepEqual(Buffer.from(sha256), createHash("sha256").update(bytes).digest());
      assert.deepEqual(stat, await handle.stat());
      const { mode, mtimeNs, inode } = stat;
      assert.deepEqual(
        [stat.sizeBytes, mode, mtimeNs, inode, stat.owner],
        [sizeBytes, 0o604, 5_000_001_000n, before.inode, owner],
      );
      const found = Buffer.alloc(sizeBytes);
      assert.equal(await handle.read(found, 0), sizeBytes);
      assert(found.equals(bytes));
      assert.deepEqual(Object.keys(await volume.xattrs(name)), ["note"]);
    }
    await using readable = await volume.openRead(volume.control("one-1"));
    await fails(readable.fill(Buffer.from("x"), { mode: 0o600, mtimeNs: 0n }, false), "EBADF");
  },

  "a piece is what is there of it, of plain files only": async ({ volume }) => {
    const name = volume.control("piece");
    await fails(volume.readPiece(name, 5, 0), "ENOENT");
    for (const [sizeBytes, position, text] of [
      [4, 0, "0123"],
      [4, 8, "89"],
      [4, 10, ""],
      [4, 99, ""],
      [100_000, 3, "3456789"],
    ] as const) {
      await volume.createWith(name, "0123456789", false);
      assert.equal(Buffer.from(await volume.readPiece(name, sizeBytes, position)).toString(), text);
      await volume.unlink(name);
    }
    await volume.makeDirectory(name);
    await notPlain(volume.readPiece(name, 5, 0), "directory");
  },

  "a file is inspected as it reads back, whatever its size": async ({ volume }) => {
    for (const sizeBytes of [0, 5, 64 * 1024, 64 * 1024 + 1, 600 * 1024]) {
      await using handle = await volume.create(volume.control(`inspected-${sizeBytes}`));
      const bytes = Buffer.alloc(sizeBytes, "some text");
      await handle.write(bytes, 0);
      const { stat, sha256 } = await handle.inspect(sizeBytes);
      assert.deepEqual(stat, await handle.stat());
      assert.deepEqual(Buffer.from(sha256), createHash("sha256").update(bytes).digest());
      if (sizeBytes === 0) continue;
      await handle.write(Buffer.from("?"), sizeBytes - 1);
      assert.notDeepEqual((await handle.inspect(sizeBytes)).sha256, sha256);
      // A part of it, and what is shorter than it should be.
      const part = createHash("sha256").update(bytes.subarray(0, 3)).digest();
      assert.deepEqual(Buffer.from((await handle.inspect(3)).sha256), part);
      await handle.truncate(3);
      assert.deepEqual(Buffer.from((await handle.inspect(sizeBytes)).sha256), part);
    }
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
};
