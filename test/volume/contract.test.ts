import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import nodePath from "node:path";
import { test } from "node:test";
import { PosixVolume } from "../../services/volume/posix.js";
import { Cleanup } from "../cluster/cleanup.js";
import { tempVolume } from "../cluster/volume.js";
import { Disk, whyNoDisk } from "../faults/disk.js";
import { FakeDisk, type Place } from "../sim/fake-disk.js";
import { FakeVolume } from "../sim/fake-volume.js";
import { RULES } from "./contract.js";
import type { Ground, Outside } from "./ground.js";

/** A real volume in a new directory below `base`. */
async function realGround(cleanup: Cleanup, base: string, kind: "local" | "network" = "local"): Promise<Ground> {
  const root = await mkdtemp(nodePath.join(base, "contract-"));
  const volume = await PosixVolume.open(root, kind, () => undefined);
  cleanup.defer(() => volume.close());
  const at = (path: string): string => nodePath.join(root, path);
  const outside: Outside = {
    write: (path, content) => writeFile(at(path), content),
    symlink: (path, target) => symlink(target, at(path)),
    special: async (path) => void execFileSync("mkfifo", [at(path)]),
    makeDirectory: async (path) => void (await mkdir(at(path))),
    rename: (from, to) => rename(at(from), at(to)),
    remove: (path) => rm(at(path), { recursive: true }),
  };
  return { volume, outside, mayGive: process.getuid?.() === 0 };
}

function fakeGround(): Ground {
  const disk = new FakeDisk("ordered", () => Date.now());
  const place = (path: string): Place => {
    const parts = path.split("/");
    return { directory: disk.walk(disk.root, parts.slice(0, -1)), name: parts.at(-1) as string };
  };
  const outside: Outside = {
    write: async (path, content) => disk.createFile(place(path), 0o644).write(Buffer.from(content), 0),
    symlink: async (path) => disk.createOther(place(path), "symlink"),
    special: async (path) => disk.createOther(place(path), "other"),
    makeDirectory: async (path) => void disk.makeDirectory(place(path), 0o755),
    rename: async (from, to) => disk.rename(place(from), place(to)),
    remove: async (path) => disk.removeDirectory(place(path)),
  };
  return { volume: new FakeVolume(disk, "local", "boot"), outside, mayGive: true };
}

for (const [rule, check] of Object.entries(RULES)) {
  test(`volume contract, real: ${rule}`, async (t) => {
    const cleanup = Cleanup.of(t);
    await check(await realGround(cleanup, await tempVolume(cleanup)));
  });
  test(`volume contract, real, as on a network: ${rule}`, async (t) => {
    const cleanup = Cleanup.of(t);
    await check(await realGround(cleanup, await tempVolume(cleanup), "network"));
  });
  test(`volume contract, fake: ${rule}`, () => check(fakeGround()));
}

const why = whyNoDisk("ext4");
test("volume contract, on ext4 of its own", { skip: why ?? false }, async (t) => {
  const cleanup = Cleanup.of(t);
  const disk = Disk.make(cleanup, "ext4");
  for (const [rule, check] of Object.entries(RULES))
    await t.test(rule, async () => check(await realGround(cleanup, disk.live)));
});
