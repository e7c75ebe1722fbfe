import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Cleanup } from "../cluster/cleanup.js";
import { Cluster } from "../crash/cluster.js";
import { contentOf, nameIn } from "../crash/content.js";
import { Caller, Ledger } from "../crash/ledger.js";
import { pretendReboot } from "./copy.js";

const FILES = 12;
const WRITES = 5;

const hashOf = (file: string): string => createHash("sha256").update(file).digest("hex").slice(0, 40);
const sizeOf = (n: number): number => (n % 3 === 0 ? 90_000 : 700);

/** What a power cut can make of names and unsynced contents, one kind a file. */
const DAMAGES: Record<string, (volume: string, file: string, older: Buffer) => Promise<void>> = {
  "live file gone": (volume, file) => rm(path.join(volume, file)),
  "live file older": (volume, file, older) => writeFile(path.join(volume, file), older),
  "live file empty": (volume, file) => truncate(path.join(volume, file), 0),
  "live file zeroed": async (volume, file) => {
    const { size } = await stat(path.join(volume, file));
    await writeFile(path.join(volume, file), Buffer.alloc(size));
  },
  "baton older": async (volume, file) => {
    const directory = batonDirectory(volume, file);
    for (const name of (await readdir(directory)).filter((each) => !each.endsWith(".born")))
      if (name.startsWith(hashOf(file)))
        await rename(path.join(directory, name), path.join(directory, `${hashOf(file)}.0.-.-`));
  },
  "baton lost": async (volume, file) => {
    const directory = batonDirectory(volume, file);
    for (const name of await readdir(directory))
      if (name.startsWith(hashOf(file)) && !name.endsWith(".born")) await rm(path.join(directory, name));
  },
  "baton and .born lost": async (volume, file) => {
    const directory = batonDirectory(volume, file);
    for (const name of await readdir(directory))
      if (name.startsWith(hashOf(file))) await rm(path.join(directory, name));
  },
  ".born lost": (volume, file) => rm(path.join(batonDirectory(volume, file), `${hashOf(file)}.born`)),
  nothing: async () => undefined,
};

const batonDirectory = (volume: string, file: string): string =>
  path.join(volume, ".safefile/batons", hashOf(file).slice(0, 2), hashOf(file).slice(2, 4));

async function written(cleanup: Cleanup) {
  // No checkpoint: the damage below is more than a cut can do to what one vouches for.
  const cluster = await Cluster.start(cleanup, 1, { checkpointMs: 3_600_000 });
  const ledger = new Ledger();
  const caller = new Caller(() => cluster.clients, 0);
  const files = Array.from({ length: FILES }, (_, at) => `tree/${at % 3}/${at}.dat`);
  for (let n = 0; n < WRITES; n++)
    await Promise.all(
      files.map((file) => ledger.write(caller, { path: file, name: `${file}-${n}`, sizeBytes: sizeOf(n) })),
    );
  await cluster.clients[0]?.write("tree/deleted.dat", contentOf("deleted", 500));
  await cluster.clients[0]?.remove("tree/deleted.dat");
  await cluster.running[0]?.replica.kill();
  return { cluster, ledger, files };
}

async function damageAll(volume: string, files: readonly string[]): Promise<void> {
  const kinds = Object.values(DAMAGES);
  for (const [at, file] of files.entries())
    await kinds[at % kinds.length]?.(volume, file, contentOf(`${file}-0`, sizeOf(0)));
  await writeFile(path.join(volume, "tree/deleted.dat"), contentOf("deleted", 500));
  const [incarnation] = await readdir(path.join(volume, ".safefile/staging"));
  assert(incarnation);
  // Names that came back: a staged file and a decided operation of long ago.
  await writeFile(path.join(volume, `.safefile/staging/${incarnation}/${incarnation}.1`), "old");
  await mkdir(path.join(volume, `.safefile/committed/${incarnation}.2`));
  await writeFile(path.join(volume, `.safefile/committed/${incarnation}.2/w0`), "old");
}

async function checkAll(cluster: Cluster, ledger: Ledger): Promise<void> {
  const client = cluster.clients[0];
  assert(client);
  await ledger.check(client);
  await assert.rejects(client.stat("tree/deleted.dat"), { reason: "PATH_NOT_FOUND" });
  for (const file of new Set(ledger.entries.map((entry) => entry.path)))
    assert(
      (await readdir(batonDirectory(cluster.volume, file))).includes(`${hashOf(file)}.born`),
      `${file} has no .born`,
    );
  // The service goes on from there.
  for (const file of new Set(ledger.entries.map((entry) => entry.path))) {
    const result = await client.write(file, contentOf(`${file}-after`, 300));
    assert.equal(Number(result.revision?.revision), WRITES + 1);
    assert.equal(nameIn((await client.read(file)).bytes), `${file}-after`);
  }
}

test("I1: after a power cut that took names and contents back in time, replay brings back all that was acknowledged", async (t) => {
  const { cluster, ledger, files } = await written(Cleanup.of(t));
  await pretendReboot(cluster.volume);
  await damageAll(cluster.volume, files);
  await cluster.add(0);
  assert.match(cluster.running[0]?.replica.logs() ?? "", /replayed after a restart of the host/);
  await checkAll(cluster, ledger);
});

test("I1/I7: replay killed at random moments, and done by two replicas at once, ends the same", async (t) => {
  const { cluster, ledger, files } = await written(Cleanup.of(t));
  await pretendReboot(cluster.volume);
  await damageAll(cluster.volume, files);
  for (let round = 0; round < 6; round++) {
    const starting = [cluster.start(), cluster.start()];
    await sleep(250 + 60 * round);
    for (const each of starting) await each.kill();
  }
  await Promise.all([cluster.add(0), cluster.add(1)]);
  await checkAll(cluster, ledger);
});

test("what is no revision of a damaged file is kept under found/, not thrown away", async (t) => {
  const { cluster, ledger, files } = await written(Cleanup.of(t));
  const [file] = files;
  assert(file);
  await pretendReboot(cluster.volume);
  await writeFile(path.join(cluster.volume, file), "from somebody outside");
  await cluster.add(0);
  const found = await readdir(path.join(cluster.volume, ".safefile/found"));
  assert.equal(found.length, 1);
  const kept = await readFile(path.join(cluster.volume, ".safefile/found", found[0] as string), "utf8");
  assert.equal(kept, "from somebody outside");
  await ledger.check(cluster.clients[0] as (typeof cluster.clients)[0]);
});

test("I1: a directory from outside where a file was deleted stays, with all that was acknowledged below it", async (t) => {
  const cluster = await Cluster.start(Cleanup.of(t), 1);
  const client = cluster.clients[0] as (typeof cluster.clients)[0];
  await client.write("a", contentOf("file", 100));
  await client.remove("a");
  await client.write("a/b", contentOf("below", 100));
  await mkdir(path.join(cluster.volume, "a/sub"));
  await writeFile(path.join(cluster.volume, "a/sub/outside.txt"), "outside");
  await cluster.running[0]?.replica.kill();
  await pretendReboot(cluster.volume);
  await cluster.add(0);
  assert.equal(nameIn((await cluster.clients[0]?.read("a/b"))?.bytes ?? Buffer.alloc(0)), "below");
  assert.equal(await readFile(path.join(cluster.volume, "a/sub/outside.txt"), "utf8"), "outside");
});

test("the same start of the host replays nothing: an outside change stays what it is", async (t) => {
  const { cluster, files } = await written(Cleanup.of(t));
  const [file] = files;
  assert(file);
  await writeFile(path.join(cluster.volume, file), "from somebody outside");
  await cluster.add(0);
  assert.doesNotMatch(cluster.running[0]?.replica.logs() ?? "", /replayed/);
  assert.equal(await readFile(path.join(cluster.volume, file), "utf8"), "from somebody outside");
});

test("an orderly stop leaves a replay nothing to read", async (t) => {
  const cluster = await Cluster.start(Cleanup.of(t), 1, { checkpointMs: 3_600_000 });
  const client = cluster.clients[0] as (typeof cluster.clients)[0];
  for (let n = 0; n < 3; n++) await client.write(`f${n}`, contentOf(`f${n}`, 500));
  await cluster.running[0]?.replica.stop();
  await pretendReboot(cluster.volume);
  await cluster.add(0);
  assert.match(cluster.running[0]?.replica.logs() ?? "", /"paths":0.*replayed after a restart of the host/);
  assert.equal(nameIn((await cluster.clients[0]?.read("f2"))?.bytes ?? Buffer.alloc(0)), "f2");
});
