import assert from "node:assert/strict";
import { unlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import type { Revision } from "@safefile/client";
import { Cleanup } from "../cluster/cleanup.js";
import { startReplica } from "../cluster/replica.js";
import { connect, flush, startWorld, type World } from "./world.js";

const cleanup = new Cleanup();
let world: World;
before(async () => {
  world = await startWorld(cleanup);
});
after(() => cleanup.end());

const PATHS = [
  "a.txt",
  "deep/er/b.txt",
  "deleted.txt",
  "large.bin",
  "outside.txt",
  "removed.txt",
  "é/ü.txt",
  "often.txt",
];

/** Some of everything that makes a revision. */
async function live(): Promise<void> {
  const { client, volume } = world;
  const at = (name: string) => path.join(volume, name);
  for (const name of PATHS) await client.write(name, Buffer.from(`first ${name}`), { labels: { name } });
  await client.remove("deleted.txt");
  await client.upload("large.bin", Buffer.alloc(2_000_000, 1));
  await writeFile(at("outside.txt"), "outside");
  await client.write("outside.txt", Buffer.from("inside"), { mode: 0o600 });
  await unlink(at("removed.txt"));
  await client.write("removed.txt", Buffer.from("again"));
  await client.rollback("a.txt", 1);
  for (let number = 0; number < 300; number++) await client.write("often.txt", Buffer.from(`${number}`));
}

async function histories(): Promise<Record<string, Revision[]>> {
  const found: Record<string, Revision[]> = {};
  for (const name of PATHS) {
    const revisions: Revision[] = [];
    for await (const revision of world.client.revisions(name)) revisions.push(revision);
    found[name] = revisions;
  }
  return found;
}

test("I8: delete all of Redis and rebuild: every revision of every path is as it was", async () => {
  await live();
  const before = await histories();
  assert.equal(before["often.txt"]?.length, 301);
  assert.equal(before["outside.txt"]?.length, 3);
  await flush(world.redis);
  const rebuilt = await world.client.rebuildIndex();
  assert.equal(rebuilt.paths, BigInt(PATHS.length));
  const revisions = Object.values(before).reduce((sum, each) => sum + each.length, 0);
  assert.equal(rebuilt.revisions, BigInt(revisions));
  assert.ok(rebuilt.journals >= 1n && rebuilt.records > 0n);
  assert.deepEqual(await histories(), before);
});

test("I8: without a rebuild, reads find the same, since the volume has it all", async () => {
  const before = await histories();
  await flush(world.redis);
  assert.deepEqual(await histories(), before);
});

test("I8: a new replica finds the index missing, makes it anew, and continues the count", async () => {
  const before = await histories();
  await world.replica.stop();
  await flush(world.redis);
  const { volume, redis } = world;
  const replica = await startReplica({ cleanup, volume, redis: [redis.url] });
  world = { ...world, replica, ...connect(cleanup, replica) };
  assert.deepEqual(await histories(), before);
  const { revision } = await world.client.write("often.txt", Buffer.from("next"));
  assert.equal(revision?.revision, 302n);
});

test("I5, I8: a request_id is still known after all of Redis was deleted and rebuilt", async () => {
  const requestId = "before-the-flush";
  const first = await world.client.write("a.txt", Buffer.from("once"), { requestId });
  await flush(world.redis);
  await world.client.rebuildIndex();
  const again = await world.client.write("a.txt", Buffer.from("once"), { requestId });
  assert.deepEqual([again.replayed, again.operationId], [true, first.operationId]);
});

test("RebuildIndex may be repeated, and runs while writes go on", async () => {
  const { client } = world;
  const writes = Array.from({ length: 50 }, (_, number) => client.write(`during/${number}`, Buffer.from(`${number}`)));
  const ended = await Promise.allSettled([client.rebuildIndex(), client.rebuildIndex(), ...writes]);
  const acknowledged: number[] = [];
  for (const [index, each] of ended.entries()) {
    if (index < 2) assert.equal(each.status, "fulfilled");
    else if (each.status === "fulfilled") acknowledged.push(index - 2);
    else assert.equal(each.reason.status, "UNAVAILABLE", each.reason.message);
  }
  await client.rebuildIndex();
  for (const number of acknowledged) {
    const revisions: bigint[] = [];
    for await (const { revision } of client.revisions(`during/${number}`)) revisions.push(revision);
    assert.deepEqual(revisions, [1n]);
  }
});
