import assert from "node:assert/strict";
import * as real from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import test, { type TestContext } from "node:test";
import { Output } from "../output.js";
import { type Check, examine, ok } from "./check.js";
import { clockSkew, timestamps } from "./clock.js";
import { CHECKS, doctor } from "./doctor.js";
import { syncDirectory, syncFile } from "./durability.js";
import { inodes, largeFiles } from "./inode.js";
import { mountCheck } from "./mount.js";
import { caseSensitive, createExclusive, linkExclusive, modeBits, unicodeNames } from "./names.js";
import { kernelCheck, procFd } from "./platform.js";
import { openReader, renameAtomic, renameSource } from "./rename.js";
import { type Disk, Scratch } from "./scratch.js";
import { space } from "./space.js";

test("a sound directory passes, nothing is left behind, and the document is complete", async (t) => {
  const dir = await volume(t);
  await real.writeFile(path.join(dir, "theirs"), "x");
  const { output, said } = sink(true);
  assert.equal(await doctor(dir, output), true);
  assert.deepEqual(await real.readdir(dir), ["theirs"]);
  const document = JSON.parse(await said());
  assert.equal(document.dir, dir);
  assert.deepEqual(
    document.checks.map(({ name }: { name: string }) => name),
    CHECKS.map(({ name }) => name),
  );
  for (const { name, result, seen, follows } of document.checks) {
    assert.match(result, /^(ok|warn)$/, `${name}: ${seen}`);
    assert.ok(seen.length > 0 && follows.endsWith("."), name);
  }
});

test("a check that fails, breaks off or hangs makes the whole fail", async (t) => {
  const dir = await volume(t);
  const fine: Check = { name: "fine", run: async () => ok("a", "b.") };
  const broken: Check = { name: "broken", run: () => Promise.reject(new Error("EIO: i/o error")) };
  const { output, said } = sink(false);
  assert.equal(await doctor(dir, output, [fine, broken]), false);
  assert.match(
    await said(),
    /ok {4}fine[\s\S]*FAIL {2}broken[\s\S]*EIO[\s\S]*1 ok, 0 to look at, 1 failed. It must not be/,
  );
  const hangs: Check = { name: "hangs", run: () => new Promise(() => undefined) };
  await using scratch = await Scratch.make(dir);
  assert.equal((await examine(hangs, scratch, 20)).result, "fail");
});

test("a directory that is a file, or not there, is refused", async (t) => {
  const dir = await volume(t);
  await real.writeFile(path.join(dir, "file"), "");
  await assert.rejects(doctor(path.join(dir, "file"), sink(false).output), /not a directory/);
  await assert.rejects(doctor(path.join(dir, "absent"), sink(false).output), { code: "ENOENT" });
});

const lowerCase = (file: unknown) => String(file).replace(/[^/]+$/, (name) => name.toLowerCase());
const nfd = (file: unknown) => String(file).replace(/[^/]+$/, (name) => name.normalize("NFD"));

/** Each plants what a bad volume does, and says which check must see it. */
const PLANTED: readonly (readonly [string, Check, "warn" | "fail", Partial<Record<keyof Disk, unknown>>])[] = [
  [
    "rename copies into the live file",
    renameAtomic,
    "fail",
    {
      async rename(source: string, target: string) {
        const bytes = await real.readFile(source);
        const handle = await real.open(target, "r+");
        await handle.write(bytes, 0, bytes.length / 2, 0);
        await handle.write(bytes, bytes.length / 2, bytes.length / 2, bytes.length / 2);
        await handle.close();
        await real.unlink(source);
      },
    },
  ],
  [
    "rename removes the live file first",
    renameAtomic,
    "fail",
    {
      async rename(source: string, target: string) {
        await real.rm(target, { force: true });
        await real.rename(source, target);
      },
    },
  ],
  ["rename of nothing succeeds", renameSource, "fail", { rename: async () => undefined }],
  [
    "rename lets two rivals win",
    renameSource,
    "fail",
    {
      async rename(source: string, target: string) {
        await real.copyFile(source, target);
      },
    },
  ],
  [
    "O_EXCL is ignored",
    createExclusive,
    "fail",
    { open: (file: string, flags: string) => real.open(file, flags.replace("x", "")) },
  ],
  [
    "link replaces a name",
    linkExclusive,
    "fail",
    {
      async link(existing: string, name: string) {
        await real.rm(name, { force: true });
        await real.link(existing, name);
      },
    },
  ],
  ["link copies", linkExclusive, "fail", { link: (from: string, to: string) => real.copyFile(from, to, 1) }],
  ["link is not there", linkExclusive, "fail", { link: () => Promise.reject(errno("EPERM")) }],
  ["an open file follows its name", openReader, "fail", { rename: async () => undefined }],
  ["fsync fails", syncFile, "fail", { open: withHandle({ datasync: () => Promise.reject(errno("EIO")) }) }],
  [
    "fsync does nothing",
    syncFile,
    "warn",
    { open: withHandle({ datasync: async () => undefined, sync: async () => undefined }) },
  ],
  [
    "directories cannot be synced",
    syncDirectory,
    "fail",
    { open: withHandle({ sync: () => Promise.reject(errno("EINVAL")) }) },
  ],
  ["inodes are all the same", inodes, "fail", { stat: withStat({ ino: () => 1n }) }],
  [
    "a rename changes the inode",
    inodes,
    "fail",
    { stat: withStat({ ino: (ino, file) => (file.endsWith("-renamed") ? ino + 1000n : ino) }) },
  ],
  ["sizes end at 4 GiB", largeFiles, "warn", { truncate: () => Promise.reject(errno("EFBIG")) }],
  ["times are whole seconds", timestamps, "warn", { stat: withStat({ mtimeNs: (ns) => ns - (ns % 1_000_000_000n) }) }],
  ["ctime stands still", timestamps, "fail", { stat: withStat({ ctimeNs: () => 5n }) }],
  ["the volume's clock is ahead", clockSkew, "warn", { stat: withStat({ mtimeNs: (ns) => ns + 3_000_000_000n }) }],
  ["the volume's clock is behind", clockSkew, "warn", { stat: withStat({ mtimeNs: (ns) => ns - 3_000_000_000n }) }],
  ["case is folded", caseSensitive, "fail", { lstat: (file: string) => real.lstat(lowerCase(file)) }],
  [
    "names are stored in NFD",
    unicodeNames,
    "fail",
    { writeFile: (file: string, data: string) => real.writeFile(nfd(file), data) },
  ],
  ["NFD finds NFC", unicodeNames, "warn", { lstat: (file: string) => real.lstat(file.normalize("NFC")) }],
  ["modes are not kept", modeBits, "fail", { chmod: async () => undefined }],
  ["the volume is full", space, "fail", { statfs: withSpace({ bavail: 0 }) }],
  ["inodes run out", space, "warn", { statfs: withSpace({ files: 100_000, ffree: 50 }) }],
];

for (const [fault, check, result, calls] of PLANTED) {
  test(`planted: ${fault}: ${check.name} is ${result}`, async (t) => {
    let hits = 0;
    const counted = Object.entries(calls).map(([name, call]) => [
      name,
      (...args: unknown[]) => {
        hits++;
        return (call as (...args: unknown[]) => unknown)(...args);
      },
    ]);
    const disk = { ...real, ...Object.fromEntries(counted) } as Disk;
    await using scratch = await Scratch.make(await volume(t), disk);
    const examined = await examine(check, scratch);
    assert.ok(hits > 0, "the fault was never hit");
    assert.equal(examined.result, result, examined.seen);
  });
}

test("planted: an old kernel, another platform, no /proc, a mount that is not listed", async (t) => {
  await using scratch = await Scratch.make(await volume(t));
  const result = async (check: Check) => (await examine(check, scratch)).result;
  assert.equal(await result(kernelCheck("linux", "5.4.0-generic")), "warn");
  assert.equal(await result(kernelCheck("linux", "5.6.0")), "ok");
  assert.equal(await result(kernelCheck("darwin", "24.0.0")), "fail");
  assert.equal(await result(mountCheck(async () => "")), "warn");
  const disk: Disk = { ...real, writeFile: () => Promise.reject(errno("ENOENT")) };
  await using blind = await Scratch.make(scratch.dir, disk);
  assert.equal((await examine(procFd, blind)).result, "fail");
});

function errno(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(code), { code });
}

/** Files opened have these methods instead. */
function withHandle(methods: Partial<real.FileHandle>) {
  return async (file: string, flags: string) => Object.assign(await real.open(file, flags), methods);
}

type BigField = "ino" | "mtimeNs" | "ctimeNs";

function withStat(fields: Partial<Record<BigField, (value: bigint, file: string) => bigint>>) {
  return async (file: string, options: { bigint: true }) => {
    const stat = await real.stat(file, options);
    for (const [name, change] of Object.entries(fields)) {
      Object.assign(stat, { [name]: change(stat[name as BigField], file) });
    }
    return stat;
  };
}

function withSpace(fields: Partial<Awaited<ReturnType<typeof real.statfs>>>) {
  return async (dir: string) => Object.assign(await real.statfs(dir), fields);
}

async function volume(t: TestContext): Promise<string> {
  const dir = await real.mkdtemp(
    path.join(await real.realpath(process.env.SAFEFILE_TEST_DIR ?? tmpdir()), "safefile-doctored-"),
  );
  t.after(() => real.rm(dir, { recursive: true, force: true }));
  return dir;
}

function sink(json: boolean) {
  const stdout = new PassThrough();
  const output = new Output({ stdout, stderr: new PassThrough() }, json);
  return {
    output,
    said() {
      stdout.end();
      return text(stdout);
    },
  };
}
