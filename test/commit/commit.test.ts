import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { ioError, refusal, toWrite, World } from "../regress/core.js";

test("I6: a change whose record is larger than a journal takes is refused, and nothing of it is seen", async (t) => {
  const world = await World.start(t);
  const core = await world.core({ config: { recordBytesMax: 20_000 } });
  await core.write("a", "one");
  const many = ["a", "b", "c"].map((name) => toWrite(name, "x".repeat(10_000)));
  const { reason, outcome } = await refusal(core.changeAll(many));
  assert.deepEqual([reason, outcome], ["LIMIT_EXCEEDED", "NOT_COMMITTED"]);
  assert.equal(await readFile(path.join(world.root, "a"), "utf8"), "one");
  assert.deepEqual(
    (await readdir(world.root)).filter((name) => name !== ".safefile"),
    ["a"],
  );
  assert.equal((await core.write("a", "two")).record?.changes[0]?.revision, 2);
});

test("I3: a create does not replace what somebody outside makes just before it is published", async (t) => {
  const world = await World.start(t);
  const core = await world.core({
    tamper: {
      link: async (real, source, target) => {
        if (source.at.includes("/staging/")) await writeFile(path.join(world.root, "f"), "outside");
        await real.link(source, target);
      },
    },
  });
  const { reason, outcome } = await refusal(core.write("f", "mine", "", { ifRevision: 0 }));
  assert.deepEqual([reason, outcome], ["ALREADY_EXISTS", "NOT_COMMITTED"]);
  assert.equal(await readFile(path.join(world.root, "f"), "utf8"), "outside");
});

test("I5: when the volume does not even say whether a change was stopped, its outcome is unknown, and is found out later", async (t) => {
  const world = await World.start(t);
  let isFailing = true;
  const core = await world.core({
    tamper: {
      rename: async (real, source, target) => {
        if (isFailing && source.at.includes("/staging/")) throw ioError("EIO");
        await real.rename(source, target);
      },
    },
  });
  const { reason, outcome } = await refusal(core.write("f", "one", "request"));
  assert.deepEqual([reason, outcome], ["OUTCOME_UNKNOWN", "UNKNOWN"]);
  isFailing = false;
  const rival = await world.core();
  assert.equal((await rival.write("f", "two")).record?.changes[0]?.revision, 1, "it was stopped by who came next");
});

test("I5: one that was declared dead before it decided does not say what its change came to", async (t) => {
  const world = await World.start(t);
  const hold = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  let isHolding = true;
  const core = await world.core({
    tamper: {
      rename: async (real, source, target) => {
        if (isHolding && source.at.includes("/staging/") && !target.at.includes("/fenced/")) {
          isHolding = false;
          held.resolve();
          await hold.promise;
        }
        await real.rename(source, target);
      },
    },
  });
  const late = refusal(core.write("f", "late"));
  await held.promise;
  const survivor = await world.core();
  await survivor.survivor.end(core.incarnation.id);
  hold.resolve();
  assert.deepEqual([(await late).reason, (await late).outcome], ["OUTCOME_UNKNOWN", "UNKNOWN"]);
  assert.equal((await survivor.write("f", "one")).record?.changes[0]?.revision, 1);
});

test("I8: what is announced in several batches is accounted for only when all of it is in Redis", async (t) => {
  const world = await World.start(t);
  const core = await world.core();
  const hold = Promise.withResolvers<void>();
  const apply = core.index.apply.bind(core.index);
  const told: [records: number, sequence: number | undefined][] = [];
  core.index.apply = async (records, watermark) => {
    if (told.length === 0) await hold.promise; // Redis is slow to answer the first
    told.push([records.length, watermark?.sequence]);
    return await apply(records, watermark);
  };
  for (let at = 0; at < 300; at++) await core.write(`f${at}`, String(at));
  hold.resolve();
  await core.announced();
  assert.deepEqual(told, [
    [1, 1],
    [256, 0],
    [43, 300],
  ]);
  assert.equal(await core.index.watermark(core.incarnation.id), 300);
});
