import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { SafefileError } from "@safefile/client";
import { Cleanup } from "../cluster/cleanup.js";
import { startRedis } from "../cluster/redis.js";
import { startReplica } from "../cluster/replica.js";
import { tempVolume } from "../cluster/volume.js";
import { connect } from "./world.js";

const FILES = 24;

async function start(cleanup: Cleanup) {
  const volume = await tempVolume(cleanup);
  const redis = await startRedis({ cleanup });
  const clients = [];
  for (let at = 0; at < 2; at++) {
    const replica = await startReplica({ cleanup, volume, redis: [redis.url], config: { restoreParallel: 2 } });
    clients.push(connect(cleanup, replica).client);
  }
  return clients as [(typeof clients)[0], (typeof clients)[0]];
}

test("a restore of a tree and writes below it never interleave, through different replicas", async (t) => {
  const cleanup = Cleanup.of(t);
  const [one, two] = await start(cleanup);
  const paths = Array.from({ length: FILES }, (_, at) => `tree/${at % 4}/${at}.txt`);
  for (const path of paths) await one.write(path, Buffer.from("old"));
  const time = new Date();
  for (const path of paths) await one.write(path, Buffer.from("new"));

  const stop = new AbortController();
  let written = 0;
  const writers = paths.slice(0, 6).map(async (path) => {
    for (let n = 0; !stop.signal.aborted; n++) {
      await two.write(path, Buffer.from(`w${n}`));
      written += 1;
    }
  });
  const more = async (count: number): Promise<void> => {
    for (const until = written + count; written < until; ) await sleep(5);
  };
  await more(12);
  const restored = new Map<string, number>();
  const { restoreId } = await one.startRestore("tree", { asOf: time, tree: true });
  for await (const { event } of one.watchRestore(restoreId))
    if (event.case === "item") restored.set(event.value.path, Number(event.value.revision));
  await more(12);
  stop.abort();
  await Promise.all(writers);
  assert.deepEqual(
    [...restored.values()].filter((revision) => revision === 0),
    [],
    "not everything was restored",
  );
  assert.equal(restored.size, FILES);
  // A revision's time is taken while its leases are held: no write lies between two steps of the restore.
  const times: Record<"restore" | "write", { ns: bigint; path: string }[]> = { restore: [], write: [] };
  for (const path of paths)
    for await (const { revision, createTime } of one.revisions(path)) {
      const ns = (createTime?.seconds ?? 0n) * 1_000_000_000n + BigInt(createTime?.nanos ?? 0);
      times[Number(revision) === restored.get(path) ? "restore" : "write"].push({ ns, path });
    }
  const order = times.restore.map(({ ns }) => ns).sort((left, right) => Number(left - right));
  const [began = 0n, ended = 0n] = [order[0], order.at(-1)];
  assert(began < ended, "the restore took no time");
  assert.deepEqual(
    times.write.filter(({ ns }) => ns > began && ns < ended),
    [],
  );
});

test("whatever is written below a tree while it moves is in one place: there before, or here after", async (t) => {
  const cleanup = Cleanup.of(t);
  const [one, two] = await start(cleanup);
  for (let at = 0; at < FILES; at++) await one.write(`from/${at % 4}/${at}.txt`, Buffer.from("old"));
  const stop = new AbortController();
  const said: string[] = [];
  const writer = (async () => {
    for (let n = 0; !stop.signal.aborted; n++) {
      const path = `from/${n % 4}/late-${n}.txt`;
      await two.write(path, Buffer.from(path));
      said.push(path);
    }
  })();
  await one.move("from", "to");
  stop.abort();
  await writer;
  const found = new Set<string>();
  for (const root of ["from", "to"])
    try {
      for await (const { path } of one.list(root, { recursive: true })) found.add(path);
    } catch (error) {
      if (!(error instanceof SafefileError && error.reason === "PATH_NOT_FOUND")) throw error;
    }
  for (const path of said) {
    const moved = path.replace("from/", "to/");
    assert.equal(Number(found.has(path)) + Number(found.has(moved)), 1, path);
  }
  for (let at = 0; at < FILES; at++) assert(found.has(`to/${at % 4}/${at}.txt`));
});
