import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { chmod, link, lstat, mkdir, readFile, rename, rm, truncate, unlink, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { isReason, RevisionKind } from "@safefile/client";
import { Cleanup } from "../cluster/cleanup.js";
import { startWorld, type World } from "./world.js";

const cleanup = new Cleanup();
let world: World;
before(async () => {
  world = await startWorld(cleanup);
});
after(() => cleanup.end());

const at = (name: string) => path.join(world.volume, name);

/** Every revision, oldest first: number, kind, mode, and content where it has any. */
async function history(name: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { revision, kind, mode } of world.client.revisions(name)) {
    const has = kind !== RevisionKind.DELETE && kind !== RevisionKind.EXTERNAL_DELETE;
    const content = has ? Buffer.from((await world.client.readRevision(name, revision)).bytes).toString() : "";
    found.unshift([revision, RevisionKind[kind], mode.toString(8), content].join(" "));
  }
  return found;
}

const CHANGES: readonly {
  readonly what: string;
  readonly change: (file: string) => Promise<void>;
  readonly kept: string;
}[] = [
  { what: "edited in place", change: (file) => writeFile(file, "outside"), kept: "2 EXTERNAL 644 outside" },
  {
    what: "edited in place, same size, time set back",
    async change(file) {
      const { atime, mtime } = await lstat(file);
      await writeFile(file, "mIne");
      await utimes(file, atime, mtime);
    },
    kept: "2 EXTERNAL 644 mIne",
  },
  {
    what: "replaced by another file",
    async change(file) {
      await writeFile(`${file}.new`, "replaced", { mode: 0o600 });
      await rename(`${file}.new`, file);
    },
    kept: "2 EXTERNAL 600 replaced",
  },
  { what: "given another mode", change: (file) => chmod(file, 0o711), kept: "2 EXTERNAL 711 mine" },
  { what: "emptied", change: (file) => truncate(file, 0), kept: "2 EXTERNAL 644 " },
  { what: "removed", change: (file) => unlink(file), kept: "2 EXTERNAL_DELETE 0 " },
];

for (const { what, change, kept } of CHANGES) {
  const name = `outside/${what.replaceAll(/[^a-z]+/g, "-")}.txt`;
  const removed = kept.includes("DELETE");

  test(`I4: a file ${what} from outside is seen as that, and kept before it is replaced`, async () => {
    const { client } = world;
    await client.write(name, Buffer.from("mine"));
    const before = await client.stat(name);
    await change(at(name));
    if (!removed) {
      const seen = await client.stat(name);
      assert.deepEqual([seen.externallyChanged, seen.revision, seen.operationId], [true, 0n, ""]);
      assert.notEqual(seen.etag, before.etag);
      const { bytes } = await client.read(name);
      assert.deepEqual(Buffer.from(bytes), await readFile(at(name)));
    }
    assert.deepEqual(await history(name), ["1 WRITE 644 mine"], "not among the revisions yet");
    const written = await client.write(name, Buffer.from("mine again"));
    assert.deepEqual([written.revision?.revision, written.revision?.baseRevision], [3n, 2n]);
    assert.equal(written.backupRevision, removed ? 0n : 2n);
    const mode = removed ? "644" : kept.split(" ")[2];
    assert.deepEqual(await history(name), ["1 WRITE 644 mine", kept, `3 WRITE ${mode} mine again`]);
    assert.equal((await client.stat(name)).externallyChanged, false);
  });

  test(`I4: a file ${what} from outside is kept before a rollback, and can be rolled back to`, async () => {
    const { client } = world;
    const other = `rollback-${name}`;
    await client.write(other, Buffer.from("mine"));
    await change(at(other));
    const back = await client.rollback(other, 1);
    assert.equal(back.revision?.revision, 3n);
    assert.equal(await readFile(at(other), "utf8"), "mine");
    assert.deepEqual(await history(other), ["1 WRITE 644 mine", kept, "3 ROLLBACK 644 mine"]);
    if (removed) return;
    await client.rollback(other, 2);
    const [, , mode, content] = kept.split(" ");
    assert.equal(await readFile(at(other), "utf8"), content);
    assert.equal(((await lstat(at(other))).mode & 0o777).toString(8), mode);
  });
}

test("I4: a file removed from outside cannot be deleted; one changed from outside can, and comes back", async () => {
  const { client } = world;
  await client.write("gone.txt", Buffer.from("mine"));
  await unlink(at("gone.txt"));
  const error = await client.remove("gone.txt").catch((reason: unknown) => reason);
  assert.ok(isReason(error, "PATH_NOT_FOUND"));
  await client.write("edited.txt", Buffer.from("mine"));
  await writeFile(at("edited.txt"), "outside");
  const { backupRevision } = await client.remove("edited.txt");
  assert.equal(backupRevision, 2n);
  await client.rollback("edited.txt", backupRevision);
  assert.equal(await readFile(at("edited.txt"), "utf8"), "outside");
});

test("I3: a change from outside breaks if_revision, and its own etag allows to go on from it", async () => {
  const { client } = world;
  await client.write("cas.txt", Buffer.from("mine"));
  const mine = await client.stat("cas.txt");
  await writeFile(at("cas.txt"), "outside");
  for (const precondition of [{ ifRevision: 1 }, { etag: mine.etag }]) {
    const error = await client.write("cas.txt", Buffer.from("x"), precondition).catch((reason: unknown) => reason);
    assert.ok(isReason(error, "PRECONDITION_FAILED"), JSON.stringify(precondition));
    assert.equal(await readFile(at("cas.txt"), "utf8"), "outside");
  }
  await client.write("cas.txt", Buffer.from("merged"), { etag: (await client.stat("cas.txt")).etag });
  assert.deepEqual(await history("cas.txt"), ["1 WRITE 644 mine", "2 EXTERNAL 644 outside", "3 WRITE 644 merged"]);
});

test("if_revision matches no revision while the file is another than any", async () => {
  const { client } = world;
  await client.write("none.txt", Buffer.from("mine"));
  await writeFile(at("none.txt"), "outside");
  for (const ifRevision of [1, 2, 3]) {
    const error = await client.write("none.txt", Buffer.from("x"), { ifRevision }).catch((reason: unknown) => reason);
    assert.ok(isReason(error, "PRECONDITION_FAILED"), `if_revision ${ifRevision}`);
  }
});

test("I4: a file that the service never wrote is kept as revision 1, large or small, also with a second name", async () => {
  const { client } = world;
  for (const [name, bytes] of [
    ["never/small.txt", Buffer.from("theirs")],
    ["never/large.bin", randomBytes(3_000_000)],
  ] as const) {
    await mkdir(at("never"), { recursive: true });
    await writeFile(at(name), bytes, { mode: 0o640 });
    await link(at(name), at(`${name}.second`));
    const seen = await client.stat(name);
    assert.deepEqual([seen.revision, seen.externallyChanged, seen.mode], [0n, false, 0o640]);
    assert.notEqual(seen.etag, "");
    const { revision, backupRevision } = await client.write(name, Buffer.from("mine"), { etag: seen.etag });
    assert.deepEqual([revision?.revision, backupRevision], [2n, 1n]);
    await writeFile(at(`${name}.second`), "in place, by its other name");
    const kept = await client.readRevision(name, 1);
    assert.deepEqual(Buffer.from(kept.bytes), bytes);
    assert.deepEqual([kept.revision.kind, kept.revision.mode], [RevisionKind.EXTERNAL, 0o640]);
  }
});

test("I4: a second change from outside is kept too, and deletes from both sides keep the count", async () => {
  const { client } = world;
  await client.write("twice.txt", Buffer.from("1"));
  await writeFile(at("twice.txt"), "2");
  await client.write("twice.txt", Buffer.from("3"));
  await rm(at("twice.txt"));
  await client.write("twice.txt", Buffer.from("5"));
  await client.remove("twice.txt");
  await writeFile(at("twice.txt"), "7");
  await client.write("twice.txt", Buffer.from("8"));
  assert.deepEqual(
    (await history("twice.txt")).map((each) => each.replace(/ (644|0) /, " ")),
    [
      "1 WRITE 1",
      "2 EXTERNAL 2",
      "3 WRITE 3",
      "4 EXTERNAL_DELETE ",
      "5 WRITE 5",
      "6 DELETE ",
      "7 EXTERNAL 7",
      "8 WRITE 8",
    ],
  );
});

test("an EXTERNAL revision has neither the labels nor the etag of the change that found it", async () => {
  const { client } = world;
  await client.write("found.txt", Buffer.from("1"));
  await writeFile(at("found.txt"), "2");
  await client.write("found.txt", Buffer.from("3"), { labels: { by: "the finder" } });
  const [, external, found] = await Promise.all(
    [1, 2, 3].map(async (number) => (await client.readRevision("found.txt", number)).revision),
  );
  assert.deepEqual(external?.labels, {});
  assert.deepEqual(found?.labels, { by: "the finder" });
  assert.notEqual(external?.etag, found?.etag);
  const error = await client.write("found.txt", Buffer.from("x"), { etag: external!.etag }).catch((e: unknown) => e);
  assert.ok(isReason(error, "PRECONDITION_FAILED"), "the live file is not that revision");
});
