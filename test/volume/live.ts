import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { fails, liveText, notPlain, path, put, type Rules } from "./ground.js";

/** Paths below the root, which others change at the same time. */
export const LIVE: Rules = {
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

  "peek says what is at a path, and follows nothing": async ({ volume, outside }) => {
    await fails(volume.peek(path("a/file")), "ENOENT");
    await outside.makeDirectory("a");
    await outside.symlink("a/link", ".");
    await outside.write("a/plain", "plain");
    await outside.write("top", "top level");
    assert.equal(await volume.peek(path("a/file")), undefined);
    assert.equal((await volume.peek(path("a")))?.type, "directory");
    assert.equal((await volume.peek(path("top")))?.sizeBytes, 9);
    assert.equal((await volume.peek(path("a/link")))?.type, "symlink");
    const found = await volume.peek(path("a/plain"));
    await using live = await volume.locate(path("a/plain"));
    assert.deepEqual(found, await volume.stat(live));
    await notPlain(volume.peek(path("a/link/file")), "symlink");
    await notPlain(volume.peek(path("a/plain/file")), "not-a-directory");
  },

  "examine says what proves a revision, and follows nothing": async ({ volume, outside }) => {
    await fails(volume.examine(path("a/file"), 5), "ENOENT");
    await outside.makeDirectory("a");
    await outside.symlink("a/link", ".");
    await outside.special("a/pipe");
    for (const at of ["a/file", "top"]) {
      assert.equal(await volume.examine(path(at), 5), undefined);
      await outside.write(at, "plain");
      await using live = await volume.locate(path(at));
      const stat = await volume.stat(live);
      const sha256 = createHash("sha256").update("plain").digest();
      const found = await volume.examine(path(at), 5);
      assert.deepEqual([found?.stat, found?.xattrs], [stat, {}]);
      assert(sha256.equals(found?.sha256 ?? Buffer.alloc(0)));
      for (const sizeBytes of [0, 4, 6, 1_000_000])
        assert.deepEqual(await volume.examine(path(at), sizeBytes), { stat, xattrs: {}, sha256: undefined });
      await using handle = await volume.openWrite(live);
      const note = Buffer.alloc(2_000, "note");
      await handle.setAttributes({ mode: 0o640, mtimeNs: 0n, xattrs: { note } });
      const noted = await volume.examine(path(at), 5);
      assert(note.equals(noted?.xattrs.note ?? Buffer.alloc(0)));
      assert(sha256.equals(noted?.sha256 ?? Buffer.alloc(0)));
      const large = Buffer.alloc(100_000, "large");
      await handle.write(large, 0);
      const digest = createHash("sha256").update(large).digest();
      assert(digest.equals((await volume.examine(path(at), 100_000))?.sha256 ?? Buffer.alloc(0)));
    }
    for (const [at, type] of [
      ["a", "directory"],
      ["a/link", "symlink"],
      ["a/pipe", "other"],
    ] as const) {
      const found = await volume.examine(path(at), 0);
      assert.deepEqual([found?.stat.type, found?.sha256], [type, undefined], at);
    }
    await notPlain(volume.examine(path("a/link/file"), 5), "symlink");
    await notPlain(volume.examine(path("a/file/file"), 5), "not-a-directory");
  },

  "find holds the directory and says what is in it": async ({ volume, outside }) => {
    await fails(volume.find(path("a/file")), "ENOENT");
    await outside.makeDirectory("a");
    await outside.symlink("a/link", ".");
    await outside.write("top", "top level");
    const { live, stat } = await volume.find(path("a/file"));
    await using held = live;
    assert.equal(stat, undefined);
    await outside.rename("a", "b");
    await put(volume, held, "text");
    assert.equal(await liveText(volume, "b/file"), "text");
    const again = await volume.find(path("b/file"));
    await using found = again.live;
    assert.deepEqual(again.stat, await volume.stat(found));
    const top = await volume.find(path("top"));
    await using file = top.live;
    assert.equal(top.stat?.sizeBytes, 9);
    assert.equal(file.path, "top");
    await notPlain(volume.find(path("b/link/file")), "symlink");
    await notPlain(volume.find(path("b/file/file")), "not-a-directory");
  },

  "a glance is what the calls one by one say, or nothing": async ({ volume, outside }) => {
    await outside.makeDirectory("a");
    await outside.makeDirectory("a/directory");
    await outside.symlink("a/link", "plain");
    await outside.symlink("link", "a");
    await outside.special("a/special");
    await outside.write("a/plain", "plain");
    await outside.write("top", "top level");
    for (const none of ["none", "a/none", "none/none", "a/directory", "a/link", "link/plain", "a/special", "a/plain/x"])
      for (const bytesMax of [0, 10]) assert.equal(await volume.glance(path(none), bytesMax), undefined, none);
    for (const [file, content] of Object.entries({ "a/plain": "plain", top: "top level" })) {
      for (const bytesMax of [0, 3, 5, 100]) {
        const found = await volume.glance(path(file), bytesMax);
        // Where others may keep a call waiting, each is a trip of its own.
        if (volume.kind === "network") assert.equal(found, undefined);
        else {
          await using live = await volume.locate(path(file));
          assert.deepEqual(found?.stat, await volume.stat(live));
          assert.equal(Buffer.from(found?.bytes ?? []).toString(), content.slice(0, bytesMax));
          assert.deepEqual(found?.xattrs, {});
        }
      }
    }
    const value = Buffer.from("a\0b");
    await using live = await volume.locate(path("a/attributed"));
    await using handle = await volume.create(live);
    await handle.setAttributes({ mode: 0o644, mtimeNs: 0n, xattrs: { note: value, other: Buffer.from("") } });
    const found = await volume.glance(path("a/attributed"), 10);
    if (volume.kind === "network") return;
    const { note, other, ...rest } = found?.xattrs ?? {};
    assert.deepEqual([Buffer.from(note ?? []), Buffer.from(other ?? [])], [value, Buffer.from("")]);
    assert(other && Object.keys(rest).length === 0);
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

  "parents that others remove at the same moment are made again": async ({ volume }) => {
    const work = async (_: unknown, worker: number): Promise<void> => {
      for (let round = 0; round < 50; round++) {
        const { live } = await volume.locateWithParents(path(`a/b/c/${worker}`));
        await live[Symbol.asyncDispose]();
        await volume.removeEmpty(["a", "a/b", "a/b/c"].map(path));
      }
    };
    await Promise.all(Array.from({ length: 8 }, work));
  },
};
