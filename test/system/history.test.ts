import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import {
  FileOpsService,
  FileType,
  type ListFilesResponse,
  type ListRevisionsResponse,
  RecoveryService,
  type Revision,
} from "@safefile/client";
import { Cleanup } from "../cluster/cleanup.js";
import { ask } from "./raw.js";
import { startWorld, type World } from "./world.js";

const cleanup = new Cleanup();
let world: World;
before(async () => {
  world = await startWorld(cleanup);
});
after(() => cleanup.end());

const at = (name: string) => path.join(world.volume, name);

/** The paths of a listing, as the pages came. */
async function pages(directory: string, pageSize: number, recursive = true): Promise<string[][]> {
  const found: string[][] = [];
  for (let pageToken = ""; ; ) {
    const request = { path: directory, recursive, pageSize, pageToken };
    const { code, message, messages } = await world.raw.send(ask(FileOpsService.method.listFiles, request));
    assert.equal(code, "OK", message);
    const page = messages[0] as ListFilesResponse;
    found.push(page.files.map((each) => each.path));
    assert.notEqual(page.nextPageToken, pageToken || "none", "the next page is another one");
    pageToken = page.nextPageToken;
    if (pageToken === "") return found;
  }
}

/** Paths name by name, names byte by byte. */
function inOrder(paths: readonly string[]): string[] {
  const compare = (left: string, right: string): number => {
    const [a, b] = [left.split("/"), right.split("/")];
    for (let depth = 0; depth < Math.min(a.length, b.length); depth++) {
      const order = Buffer.compare(Buffer.from(a[depth]!), Buffer.from(b[depth]!));
      if (order !== 0) return order;
    }
    return a.length - b.length;
  };
  return paths.toSorted(compare);
}

const TREE = [
  "a",
  "a/b",
  "a/b/1.txt",
  "a/b/2.txt",
  "a/c.txt",
  "a-b",
  "a-b/x",
  "a.txt",
  "a0",
  "z",
  "z/y",
  "z/y/x",
  "z/y/x/w.txt",
];

test("a listing is sorted and complete, whatever the page size, with symlinks and specials in the tree", async () => {
  const { client } = world;
  for (const name of ["a/b/1.txt", "a/b/2.txt", "a/c.txt", "a-b/x", "a.txt", "a0", "z/y/x/w.txt"])
    await client.write(`tree/${name}`, Buffer.from(name));
  await symlink("a", at("tree/link-in"));
  await symlink("/etc", at("tree/link-out"));
  await symlink("nowhere", at("tree/a/link-nowhere"));
  await symlink("..", at("tree/a/b/link-up"));
  execFileSync("mkfifo", [at("tree/z/fifo")]);
  await writeFile(at("tree/outside-made.txt"), "mine");
  await mkdir(at("tree/empty"));
  const more = ["link-in", "link-out", "a/link-nowhere", "a/b/link-up", "z/fifo", "outside-made.txt", "empty"];
  const wanted = inOrder([...TREE, ...more].map((name) => `tree/${name}`));
  for (const pageSize of [1, 2, 3, 7, 100]) {
    const found = await pages("tree", pageSize);
    assert.deepEqual(found.flat(), wanted, `pages of ${pageSize}`);
    for (const page of found) assert.ok(page.length <= pageSize);
  }
  const direct = wanted.filter((name) => name.split("/").length === 2);
  assert.deepEqual((await pages("tree", 2, false)).flat(), direct);
  assert.deepEqual((await pages("", 100, false)).flat(), ["tree"], ".safefile is never among them");
  assert.ok(!(await pages("", 1_000)).flat().some((name) => name.startsWith(".safefile")));
});

test("I12: a listing tells of symlinks and specials and follows none", async () => {
  const types = new Map<string, FileType>();
  for await (const each of world.client.list("tree", { recursive: true, pageSize: 3 })) {
    types.set(each.path, each.type);
    if (each.type !== FileType.FILE) assert.deepEqual([each.sizeBytes, each.etag, each.revision], [0n, "", 0n]);
  }
  assert.equal(types.get("tree/link-out"), FileType.SYMLINK);
  assert.equal(types.get("tree/a/link-nowhere"), FileType.SYMLINK);
  assert.equal(types.get("tree/z/fifo"), FileType.OTHER);
  assert.equal(types.get("tree/a"), FileType.DIRECTORY);
  assert.equal(types.get("tree/outside-made.txt"), FileType.FILE);
  assert.ok(![...types.keys()].some((name) => /link-[a-z]+\//.test(name)));
});

test("names that no request could name are left out of a listing, and do not stop it", async () => {
  await mkdir(at("odd"));
  for (const name of ["cafe\u0301", "a\u200bb", "tab\t", ".nfs0001", "ok.txt"]) await writeFile(at(`odd/${name}`), "x");
  await writeFile(Buffer.concat([Buffer.from(`${at("odd")}/`), Buffer.from([0xff, 0xfe])]), "not UTF-8");
  for (const pageSize of [1, 100]) assert.deepEqual((await pages("odd", pageSize)).flat(), ["odd/ok.txt"]);
});

test("names are sorted byte by byte, also those beyond 16 bits", async () => {
  for (const name of ["\u{1f600}.txt", "\uff21.txt", "é.txt", "z.txt"])
    await world.client.write(`bytes/${name}`, Buffer.from("x"));
  const wanted = ["z.txt", "é.txt", "\uff21.txt", "\u{1f600}.txt"].map((name) => `bytes/${name}`);
  assert.deepEqual((await pages("bytes", 1)).flat(), wanted);
});

test("what is created and deleted between two pages does not hide or repeat others", async () => {
  const { client } = world;
  const stay = Array.from({ length: 20 }, (_, number) => `moving/${String(number).padStart(2, "0")}`);
  for (const name of stay) await client.write(name, Buffer.from("x"));
  const seen: string[] = [];
  let calls = 0;
  for await (const each of client.list("moving", { pageSize: 4 })) {
    seen.push(each.path);
    if (++calls % 4 !== 0) continue;
    await client.write(`moving/${calls}-new`, Buffer.from("x"));
    await client.remove(each.path);
  }
  assert.equal(new Set(seen).size, seen.length);
  for (const name of stay) assert.ok(seen.includes(name), name);
});

test("1,200 entries come in pages of at most 1,000, and of 100 when no size is given", async () => {
  await mkdir(at("many"));
  await Promise.all(Array.from({ length: 1_200 }, (_, number) => writeFile(at(`many/${number}`), "")));
  assert.deepEqual(
    (await pages("many", 5_000)).map((page) => page.length),
    [1_000, 200],
  );
  assert.equal((await pages("many", 0))[0]?.length, 100);
});

test("260 revisions are paged newest first, each once, and each still reads as it was", async () => {
  const { client } = world;
  const count = 260;
  for (let number = 1; number <= count; number++) await client.write("often.txt", Buffer.from(`content ${number}`));
  for (const pageSize of [0, 7, 100, 260, 5_000]) {
    const found: number[] = [];
    const sizes: number[] = [];
    for (let pageToken = ""; ; ) {
      const request = { path: "often.txt", pageSize, pageToken };
      const { messages } = await world.raw.send(ask(RecoveryService.method.listRevisions, request));
      const page = messages[0] as ListRevisionsResponse;
      sizes.push(page.revisions.length);
      found.push(...page.revisions.map(({ revision }) => Number(revision)));
      assert.notEqual(page.nextPageToken, pageToken || "none", "the next page is another one");
      pageToken = page.nextPageToken;
      if (pageToken === "") break;
    }
    assert.deepEqual(
      found,
      Array.from({ length: count }, (_, index) => count - index),
      `pages of ${pageSize}`,
    );
    const full = Math.min(pageSize || 100, 1_000);
    assert.deepEqual(sizes.slice(0, -1), Array(sizes.length - 1).fill(full));
    assert.ok(sizes.at(-1)! > 0, "no empty page at the end");
  }
  for (const revision of [1, 2, 130, 259, 260]) {
    const { bytes } = await client.readRevision("often.txt", revision);
    assert.equal(Buffer.from(bytes).toString(), `content ${revision}`);
    const { messages } = await world.raw.send(
      ask(FileOpsService.method.readFile, { path: "often.txt", revision: BigInt(revision) }),
    );
    const data = messages.flatMap((message) => {
      const { part } = message as unknown as { part: { case: string; value: { data: Uint8Array } } };
      return part.case === "chunk" ? [Buffer.from(part.value.data)] : [];
    });
    assert.equal(Buffer.concat(data).toString(), `content ${revision}`);
  }
  assert.equal(Buffer.from((await client.readRevision("often.txt", 0)).bytes).toString(), `content ${count}`);
});

test("a list of revisions says of each what its change said, and what reading it says", async () => {
  const { client } = world;
  const labels = { ticket: "42", who: "me" };
  const made = [
    await client.write("told.txt", Buffer.from("1"), { labels }),
    await client.write("told.txt", Buffer.from("2"), { mode: 0o600 }),
    await client.rollback("told.txt", 1, { labels: { why: "undo" } }),
  ].map(({ revision }) => revision!);
  const listed: Revision[] = [];
  for await (const revision of client.revisions("told.txt")) listed.unshift(revision);
  for (const [index, revision] of made.entries()) {
    assert.deepEqual((await client.readRevision("told.txt", revision.revision)).revision, revision);
    assert.deepEqual(listed[index], revision);
  }
});
