import assert from "node:assert/strict";
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Cleanup } from "../cluster/cleanup.js";
import { Cluster } from "../crash/cluster.js";
import { Caller, Ledger } from "../crash/ledger.js";
import { Disk, type FileSystem, whyNoDisk } from "./disk.js";

const CUTS = Number(process.env.SAFEFILE_TEST_CUTS ?? 3);
const FILE_SYSTEMS = (process.env.SAFEFILE_TEST_FILE_SYSTEMS ?? "ext4").split(",") as FileSystem[];
const WRITERS = 6;
const SIZES = [150, 4_096, 20_000, 90_000];
const OTHER_BOOT = "00000000-0000-4000-8000-000000000000";

for (const fileSystem of FILE_SYSTEMS) {
  const skip = whyNoDisk(fileSystem) ?? false;
  test(`I1/I2: ${CUTS} power cuts on ${fileSystem} under load lose nothing acknowledged`, {
    skip,
    timeout: 60_000 + CUTS * 30_000,
  }, async (t) => {
    const cleanup = Cleanup.of(t);
    const disk = Disk.make(cleanup, fileSystem);
    const volume = path.join(disk.live, "volume");
    await mkdir(volume);
    const cluster = await Cluster.start(cleanup, 1, {}, volume);
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
    let checked = 0;
    for (let round = 0; round < CUTS && !done.signal.aborted; round++) {
      await sleep(150 + Math.random() * 400);
      // What was acknowledged before the cut has to be there after it; what was open may be.
      const before = ledger.snapshot();
      const cut = disk.cut();
      const after = new Cleanup();
      const looking = Promise.withResolvers<void>();
      pause = looking.promise;
      try {
        const root = path.join(cut.mount(after), "volume");
        await pretendOtherBoot(root);
        const restarted = await Cluster.start(after, 1, {}, root);
        const logs = restarted.running[0]?.replica.logs() ?? "";
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
      `${CUTS} cuts, ${ledger.committed} acknowledged, ${checked} revisions read back, ${republished} files published again`,
    );
    assert(ledger.committed > CUTS * 5);
  });
}

/** The copy is looked at by the same kernel: its names must say that another start of it wrote them. */
async function pretendOtherBoot(root: string): Promise<void> {
  const control = path.join(root, ".safefile");
  for (const name of await readdir(path.join(control, "generations"))) {
    const number = name.slice(0, name.indexOf("."));
    await rename(path.join(control, "generations", name), path.join(control, "generations", `${number}.${OTHER_BOOT}`));
  }
  for (const name of await readdir(path.join(control, "incarnations"))) {
    const file = path.join(control, "incarnations", name);
    const text = await readFile(file, "utf8");
    await writeFile(file, text.replace(/"bootId":"[^"]*"/, `"bootId":"${OTHER_BOOT}"`));
  }
}
