import assert from "node:assert/strict";
import { pathHash } from "../../services/model/path.js";
import { codeOf, type Name, NotMadeError } from "../../services/volume/volume.js";
import { fails, path, put, type Rules, statOf } from "./ground.js";

/** What the calls do to names. */
export const NAMES: Rules = {
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

  "calls in order go through one after the other, up to the first that fails": async ({ volume }) => {
    const [one, two, three] = [volume.control("one"), volume.control("two"), volume.control("three")];
    const steps = () =>
      [() => volume.create(one), () => volume.rename(one, two), () => volume.link(two, three)] as const;
    const [created, renamed, linked] = await volume.inOrder(steps());
    assert(created.status === "fulfilled" && renamed.status === "fulfilled" && linked.status === "fulfilled");
    await using handle = created.value;
    await handle.write(Buffer.from("first"), 0);
    assert.equal(await volume.readSmall(three), "first");
    assert.equal(await volume.stat(one), undefined);

    // Whose first, second, third call fails.
    await using live = await volume.locate(path("f"));
    for (const failing of [0, 1, 2]) {
      await put(volume, one, "next");
      const good = [() => volume.unlink(one), () => handle.stat(), () => volume.rename(two, live)] as const;
      const bad = () => volume.unlink(volume.control("none/one"));
      const ended = await volume.inOrder(good.map((call, at) => (at === failing ? bad : call)));
      for (const [at, each] of ended.entries()) {
        assert.equal(each.status, at < failing ? "fulfilled" : "rejected", `call ${at} where ${failing} fails`);
        if (each.status === "fulfilled") continue;
        if (at === failing) assert.equal(codeOf(each.reason), "ENOENT");
        else assert(each.reason instanceof NotMadeError);
      }
      assert.equal((await volume.stat(one)) === undefined, failing > 0);
      assert.equal(await volume.stat(live), undefined);
      if (failing === 0) await volume.unlink(one);
    }

    await put(volume, one, "found");
    await volume.rename(one, live);
    for (const each of ["f", "none/f"]) {
      const [none, found] = await volume.inOrder([() => handle.stat(), () => volume.find(path(each))]);
      assert.equal(none.status, "fulfilled");
      assert.equal(found.status, each === "f" ? "fulfilled" : "rejected");
      if (found.status === "fulfilled") await found.value.live[Symbol.asyncDispose]();
    }
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

  "long and many names": async ({ volume }) => {
    const long = "n".repeat(200);
    const names = Array.from({ length: 50 }, (_, at) => `${pathHash(path(`${at}`))}.${long}`);
    await volume.makeDirectory(volume.control("many"));
    for (const name of names) await volume.createWith(volume.control(`many/${name}`), name, false);
    assert.deepEqual((await volume.list(volume.control("many")))?.sort(), names.toSorted());
  },
};
