import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Cleanup } from "../cluster/cleanup.js";
import { Cluster } from "../crash/cluster.js";
import { Caller, Ledger } from "../crash/ledger.js";
import { pretendReboot } from "../recover/copy.js";
import { Disk, type FileSystem, whyNoDisk } from "./disk.js";

const CUTS = Number(process.env.SAFEFILE_TEST_CUTS ?? 3);
const FILE_SYSTEMS = (process.env.SAFEFILE_TEST_FILE_SYSTEMS ?? "ext4").split(",") as FileSystem[];
const WRITERS = 6;
const SIZES = [150, 4_096, 20_000, 90_000];
/** How often the replica under load says what is settled: hardly ever, and so often that cuts fall into it. */
const CHECKPOINTS_MS = (process.env.SAFEFILE_TEST_CHECKPOINTS_MS ?? "3600000,500,50").split(",").map(Number);
const RESTART_EVERY = 3;

/** Every cut is asked for the whole history, so that is begun anew now and then. */
const VOLUME_CUTS_MAX = 50;

async function cutPower(t: TestContext, cleanup: Cleanup, fileSystem: FileSystem, cuts: number): Promise<void> {
  const disk = Disk.make(cleanup, fileSystem);
  const volume = path.join(disk.live, "volume");
  await mkdir(volume);
  const cluster = await Cluster.start(cleanup, 1, {}, volume);
  const intervals: number[] = [];
  const ledger = new Ledger();
  const done = new AbortController();
  cleanup.defer(() => done.abort());
  // The load rests while a cut is looked at, or many cuts would fill the disk.
  let pause: Promise<unknown> | undefined;
  const writers = Array.from({ length: WRITERS }, async (_, writer) => {
    const caller = new Caller(() => cluster.clients, 0);
    for (let n = 0; !done.signal.aborted; n++) {
      await pause;
      const target = writer < 2 ? "shared.dat" : `own/${writer}-${n % 4}.dat`;
      const sizeBytes = SIZES[(n + writer) % SIZES.length] as number;
      await ledger.write(caller, { path: target, name: `w${writer}-${n}`, sizeBytes });
    }
  });
  const work = Promise.all(writers);
  work.catch(() => done.abort());
  let republished = 0;
  let replayed = 0;
  let checked = 0;
  for (let round = 0; round < cuts && !done.signal.aborted; round++) {
    // Killed and started anew, so that some cuts find several journals, and some that a survivor ended.
    if (round % RESTART_EVERY === 0) {
      const checkpointMs = CHECKPOINTS_MS[Math.floor(Math.random() * CHECKPOINTS_MS.length)] as number;
      intervals.push(checkpointMs);
      await cluster.running[0]?.replica.kill();
      await cluster.add(0, { checkpointMs });
    }
    await sleep(150 + Math.random() * 600);
    // What was acknowledged before the cut has to be there after it; what was open may be.
    const before = ledger.snapshot();
    const cut = disk.cut();
    const after = new Cleanup();
    const looking = Promise.withResolvers<void>();
    pause = looking.promise;
    try {
      const root = path.join(cut.mount(after), "volume");
      // The copy is looked at by the same kernel: its names must say that another start of it wrote them.
      await pretendReboot(root);
      const restarted = await Cluster.start(after, 1, {}, root);
      const logs = restarted.running[0]?.replica.logs() ?? "";
      replayed += Number(/"paths":(\d+)/.exec(logs)?.[1] ?? 0);
      republished += Number(/"republished":(\d+)/.exec(logs)?.[1] ?? 0);
      assert.match(logs, /replayed after a restart of the host/);
      checked += (await before.check(restarted.clients[0] as (typeof restarted.clients)[0])).revisions;
    } finally {
      await after.end();
      looking.resolve();
    }
  }
  done.abort();
  await work;
  t.diagnostic(
    `${cuts} cuts, ${ledger.committed} acknowledged, ${checked} revisions read back, ${replayed} paths looked at, ${republished} files published again; checkpoints every ${intervals} ms`,
  );
  assert(ledger.committed > cuts * 5);
}

for (const fileSystem of FILE_SYSTEMS) {
  const skip = whyNoDisk(fileSystem) ?? false;
  test(`I1/I2: ${CUTS} power cuts on ${fileSystem} under load lose nothing acknowledged`, {
    skip,
    timeout: 60_000 + CUTS * 30_000,
  }, async (t) => {
    for (let left = CUTS; left > 0; left -= VOLUME_CUTS_MAX) {
      const cleanup = new Cleanup();
      try {
        await cutPower(t, cleanup, fileSystem, Math.min(left, VOLUME_CUTS_MAX));
      } finally {
        await cleanup.end();
      }
    }
  });
}
