/** node:fs with promises over bare descriptors: a third of the cost of fs.promises' FileHandle. */
import { createHash } from "node:crypto";
import fs from "node:fs";
import { promisify } from "node:util";
import type { Calls } from "./calls.js";
import { allocate, openBeneath } from "./native.js";
import { pulse } from "./pulse.js";
import { toStat } from "./stat.js";
import { codeOf, type Stat, unless } from "./volume.js";

/** What the kernel says where nothing is. */
export const NOTHING = ["ENOENT", "ENOTDIR"];

/** The same function, with its calls counted. */
const counted = <F extends (...args: never[]) => Promise<unknown>>(call: F): F =>
  ((...args: never[]) => pulse.watch(call(...args))) as F;

const [readPiece, writePiece] = [promisify(fs.read), promisify(fs.write)];

const stat = (call: (done: (error: Error | null, stats: fs.BigIntStats) => void) => void): Promise<Stat> =>
  pulse.watch(
    new Promise((resolve, reject) => call((error, stats) => (error ? reject(error) : resolve(toStat(stats))))),
  );

const makeDirectory = promisify(fs.mkdir);
const readDirectory = promisify(fs.readdir);

/** Read, and digested on the event loop, at once. */
const INSPECTED_BYTES = 256 * 1024;

/** Each call on a thread of Node's pool. */
export const pool: Calls = {
  open: counted(promisify(fs.open)),
  openBeneath,
  close: counted(promisify(fs.close)),
  read: counted(async (fd, into, position) => (await readPiece(fd, into, 0, into.length, position)).bytesRead),
  write: counted(async (fd, bytes, position) => (await writePiece(fd, bytes, 0, bytes.length, position)).bytesWritten),
  allocate,
  fill: async (fd, { bytes, reserve, owner, mode, seconds }) => {
    if (reserve && bytes.length > 0) await pool.allocate(fd, bytes.length);
    for (let done = 0; done < bytes.length; ) done += some(await pool.write(fd, bytes.subarray(done), done));
    if (owner) await pool.fchown(fd, owner.uid, owner.gid).catch(ignoreNotAllowed);
    await pool.fchmod(fd, mode);
    await pool.futimes(fd, seconds, seconds);
    return pool.inspect(fd, bytes.length);
  },
  lookBeneath: async (root, path, name) => {
    const directory = await pool.openBeneath(root, path);
    if (directory === undefined) return undefined;
    try {
      return { stat: await unless(NOTHING, pool.lstat(`/proc/self/fd/${directory}/${name}`)) };
    } finally {
      await pool.close(directory);
    }
  },
  findBeneath: async (root, path, name) => {
    const directory = await pool.openBeneath(root, path);
    if (directory === undefined) return undefined;
    try {
      return { directory, stat: await unless(NOTHING, pool.lstat(`/proc/self/fd/${directory}/${name}`)) };
    } catch (error) {
      await pool.close(directory);
      throw error;
    }
  },
  glance: async () => undefined,
  examineBeneath: async () => undefined,
  readPiece: async () => undefined,
  inspect: async (fd, sizeBytes) => {
    const digest = createHash("sha256");
    const piece = Buffer.allocUnsafe(Math.min(INSPECTED_BYTES, sizeBytes));
    for (let done = 0; done < sizeBytes; ) {
      const bytesRead = await pool.read(fd, piece.subarray(0, sizeBytes - done), done);
      if (bytesRead === 0) break;
      digest.update(piece.subarray(0, bytesRead));
      done += bytesRead;
    }
    return { stat: await pool.fstat(fd), sha256: digest.digest() };
  },
  fstat: (fd) => stat((done) => fs.fstat(fd, { bigint: true }, done)),
  lstat: (path) => stat((done) => fs.lstat(path, { bigint: true }, done)),
  fchmod: counted(promisify(fs.fchmod)),
  chmod: counted(promisify(fs.chmod)),
  fchown: counted(promisify(fs.fchown)),
  futimes: counted(promisify(fs.futimes)),
  utimes: counted(promisify(fs.utimes)),
  rename: counted(promisify(fs.rename)),
  link: counted(promisify(fs.link)),
  unlink: counted(promisify(fs.unlink)),
  mkdir: counted(async (path, mode) => void (await makeDirectory(path, mode))),
  rmdir: counted(promisify(fs.rmdir)),
  readdir: counted((path) => readDirectory(path)),
};

/** How many bytes were written; throws when none were, since asking again would not end. */
export function some(bytesWritten: number): number {
  if (bytesWritten === 0) throw Object.assign(new Error("the file system wrote nothing"), { code: "EIO" });
  return bytesWritten;
}

export function ignoreNotAllowed(error: unknown): void {
  if (codeOf(error) !== "EPERM") throw error;
}

// What may take long is always made there.
export const readdirTypes = counted((path: string) => readDirectory(path, { withFileTypes: true }));
export const writev = counted(promisify(fs.writev));
export const fdatasync = counted(promisify(fs.fdatasync));
export const fsync = counted(promisify(fs.fsync));
export const ftruncate = counted(promisify(fs.ftruncate));
export const copyFile = counted(promisify(fs.copyFile));
export const statfs = counted(promisify(fs.statfs));
