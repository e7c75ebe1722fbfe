import assert from "node:assert/strict";
import { cp, readdir, rm } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { Redis } from "ioredis";
import type { OperationId } from "../../services/model/operation.js";
import { type FilePath, pathHash } from "../../services/model/path.js";
import { MissingRecordError } from "../../services/protocol/heads.js";
import { startRedis } from "../cluster/redis.js";
import { World } from "../regress/core.js";

const F = "f" as FilePath;

test("I8: a path with more revisions than one batch holds is rebuilt whole", async (t) => {
  const world = await World.start(t);
  const core = await world.core();
  for (let n = 1; n <= 260; n++) await core.write("f", String(n));
  await core.announced();
  const rebuilt = await core.rebuild.run();
  assert.deepEqual([rebuilt.paths, rebuilt.revisions], [1, 260]);
  assert.equal(await core.index.indexedRevision(F), 260);
  const { revisions } = await core.revisions.page(F, 0, 300);
  assert.equal(revisions.length, 260);
});

test("I8: a change that is published, but whose owner has not passed the baton on, is in the rebuilt index", async (t) => {
  const world = await World.start(t);
  const published = Promise.withResolvers<void>();
  let isHolding = false;
  const owner = await world.core({
    tamper: {
      rename: async (real, source, target) => {
        if (isHolding && source.at.includes(pathHash(F)) && source.at.includes(owner.incarnation.id)) {
          const name = path.basename(target.at).split(".");
          if (name.slice(2, 4).join(".") === name.slice(4).join(".")) {
            published.resolve();
            await new Promise<void>(() => undefined); // here it dies
          }
        }
        await real.rename(source, target);
      },
    },
  });
  await owner.write("f", "one");
  await owner.announced();
  isHolding = true;
  void owner.write("f", "two").catch(() => undefined);
  await published.promise;
  const other = await world.core();
  assert.equal((await other.rebuild.run()).revisions, 2);
  assert.equal(await other.index.indexedRevision(F), 2);
});

test("I9: a baton that names a record which no journal holds fails a rebuild; a path without a baton waits for its repair", async (t) => {
  const world = await World.start(t);
  const core = await world.core();
  for (const name of ["f", "g"]) await core.write(name, "one");
  const seen = await core.batons.look(pathHash(F));
  assert(seen);
  const lost = `${core.incarnation.id}.999` as OperationId;
  await core.batons.move(seen, { ...seen, owner: lost, last: lost });
  await assert.rejects(core.rebuild.run(), MissingRecordError);
  const directory = path.join(world.root, ".safefile/batons", pathHash(F).slice(0, 2), pathHash(F).slice(2, 4));
  for (const name of await readdir(directory)) await rm(path.join(directory, name));
  assert.equal((await core.rebuild.run()).revisions, 1);
});

test("I8: what Redis forgot by going back is indexed again, of those too that this replica ended", async (t) => {
  const world = await World.start(t);
  const { cleanup } = world;
  const redis = await startRedis({ cleanup, appendonly: true });
  const options = { indexUrl: redis.url };
  const core = await world.core(options);
  const dead = await world.core(options);
  for (let n = 0; n < 3; n++) await core.write(`f${n}`, "one");
  await core.announced();
  const kept = `${world.root}-kept`;
  cleanup.defer(() => rm(kept, { recursive: true, force: true }));
  await cp(redis.dir, kept, { recursive: true });
  for (let n = 0; n < 100; n++) await core.write(`f${n}`, "two");
  await dead.write("f0", "three");
  for (const each of [core, dead]) await each.announced();
  await core.survivor.end(dead.incarnation.id);
  await redis.kill();
  await rm(redis.dir, { recursive: true });
  await cp(kept, redis.dir, { recursive: true });
  await startRedis({ cleanup, appendonly: true, dir: redis.dir, port: redis.port });
  await core.index.connected();
  assert.equal(await core.index.indexedRevision("f0" as FilePath), 1, "it went back");
  const client = new Redis(redis.url);
  cleanup.defer(() => client.disconnect());
  const ready = `safefile:{${core.volumeId}}:ready`;
  const built = (await client.getdel(ready)) ?? "";
  assert.equal(await core.repair.look(), 0, "what is missing is rebuilt, not repaired");
  await client.set(ready, built);
  assert.equal(await core.repair.look(), 101);
  assert.equal(await core.index.indexedRevision("f0" as FilePath), 3);
  assert.equal(await core.index.indexedRevision("f99" as FilePath), 1);
  assert.equal(await core.repair.look(), 0, "nothing is left to repair");
});
