/** node:fs with promises over bare descriptors: a third of the cost of fs.promises' FileHandle. */
import fs from "node:fs";
import { promisify } from "node:util";
import { pulse } from "./pulse.js";

/** The same function, with its calls counted. */
const counted = <F extends (...args: never[]) => Promise<unknown>>(call: F): F =>
  ((...args: never[]) => pulse.watch(call(...args))) as F;

export const open = counted(promisify(fs.open));
export const close = counted(promisify(fs.close));
export const read = counted(promisify(fs.read));
export const write = counted(promisify(fs.write));
export const writev = counted(promisify(fs.writev));
export const fdatasync = counted(promisify(fs.fdatasync));
export const fsync = counted(promisify(fs.fsync));
export const ftruncate = counted(promisify(fs.ftruncate));
export const fchmod = counted(promisify(fs.fchmod));
export const chmod = counted(promisify(fs.chmod));
export const fchown = counted(promisify(fs.fchown));
export const rename = counted(promisify(fs.rename));
export const link = counted(promisify(fs.link));
export const unlink = counted(promisify(fs.unlink));
export const mkdir = counted(promisify(fs.mkdir));
export const rmdir = counted(promisify(fs.rmdir));
export const readdir = counted(promisify(fs.readdir));
export const utimes = counted(promisify(fs.utimes));
export const copyFile = counted(promisify(fs.copyFile));
export const statfs = counted(promisify(fs.statfs));
export const readlink = counted(promisify(fs.readlink));

export const lstat = (path: string): Promise<fs.BigIntStats> =>
  pulse.watch(
    new Promise((resolve, reject) =>
      fs.lstat(path, { bigint: true }, (error, stats) => (error ? reject(error) : resolve(stats))),
    ),
  );
export const fstat = (fd: number): Promise<fs.BigIntStats> =>
  pulse.watch(
    new Promise((resolve, reject) =>
      fs.fstat(fd, { bigint: true }, (error, stats) => (error ? reject(error) : resolve(stats))),
    ),
  );

/** Sets both times; seconds as a double keep microseconds, which is what futimes(3) stores here. */
export const futimes = counted(promisify(fs.futimes));
