import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { Redis } from "ioredis";
import { type FilePath, pathHash } from "../../services/model/path.js";
import { type Core, refusal, World } from "../regress/core.js";

const REVISIONS = 4;
const f = "f" as FilePath;

/** All that a caller may learn of `f`, oldest first: what the volume holds, whatever Redis says. */
async function contents(core: Core): Promise<string[]> {
  const { revisions } = await core.revisions.page(f, 0, 100);
  const found: string[] = [];
  for (const { revision } of revisions.toReversed()) {
    const { content } = await core.revisions.find(f, revision);
    assert(content);
    const chunks: Uint8Array[] = [];
    for await (const chunk of core.store.read(content)) chunks.push(chunk);
    found.push(`${revision}:${Buffer.concat(chunks)}`);
  }
  return found;
}

const due = (count: number): string[] => Array.from({ length: count }, (_, at) => `${at + 1}:f${at + 1}`);

test("I8: wrong heads and revisions in Redis serve nothing wrong and commit nothing wrong", async (t) => {
  const world = await World.start(t);
  const core = await world.core();
  const operations: string[] = [];
  for (let n = 1; n <= REVISIONS; n++) operations.push((await core.write("f", `f${n}`)).operation);
  const other = (await core.write("g", "g1")).operation;
  await core.announced();
  const redis = new Redis(world.redis.url);
  world.cleanup.defer(() => redis.disconnect());
  const key = `safefile:{${core.volumeId}}:f:${pathHash(f)}`;
  const entry = async (revision: number): Promise<Buffer> => {
    const packed = await redis.hgetBuffer(key, String(revision));
    assert(packed);
    return packed;
  };
  const [first, second] = [await entry(1), await entry(2)];
  const lies: Record<string, () => Promise<unknown>> = {
    "an older head": () => redis.hset(key, "h", `1 ${operations[0]}`),
    "the head of another path": () => redis.hset(key, "h", `${REVISIONS} ${other}`),
    "a head that never was": () => redis.hset(key, "h", `99 ${operations[0]?.replace(/[0-9]+$/, "999")}`),
    "a head that is no operation": () => redis.hset(key, "h", "x y"),
    "revisions in each other's place": () => redis.hset(key, "1", second, "2", first),
    "revisions of nothing": () => redis.hset(key, "1", Buffer.alloc(69, 7), "2", "", "3", "no"),
    "revisions that are to come": () => redis.hset(key, "50", first, "h", `50 ${operations[0]}`),
  };
  let revision = REVISIONS;
  for (const [lie, tell] of Object.entries(lies)) {
    await tell();
    // One that has served the path before remembers; this one knows nothing but what it is told.
    const writer = await world.core();
    for (const each of [core, writer]) {
      assert.deepEqual(await contents(each), due(revision), `${lie}: the history`);
      assert.equal((await each.files.stat(f)).revision, revision, `${lie}: the head`);
      const stale = await refusal(each.write("f", "stale", "", { ifRevision: 1 }));
      assert.equal(stale.reason, "PRECONDITION_FAILED", `${lie}: a write on revision 1`);
    }
    const { record } = await writer.write("f", `f${revision + 1}`, "", { ifRevision: revision });
    const [change] = record?.changes ?? [];
    revision += 1;
    assert.equal(change?.revision, revision, `${lie}: Redis was believed about the head`);
    assert.equal(change?.external, undefined, `${lie}: the head was taken for a change from outside`);
    assert.equal(await readFile(path.join(world.root, "f"), "utf8"), `f${revision}`);
    await writer.announced();
  }
  assert.deepEqual(await contents(core), due(revision));
});
