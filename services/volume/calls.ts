import type { Glance, Inspected, Owner, Stat } from "./volume.js";

/** What `Calls.fill` makes of an empty file. */
export interface Filling {
  readonly bytes: Uint8Array;
  /** Whether to allocate the space before anything is written. */
  readonly reserve: boolean;
  /** Given as far as this process may. */
  readonly owner: Owner | undefined;
  readonly mode: number;
  /** Both times, as `futimes` takes them. */
  readonly seconds: number;
}

export interface Found {
  readonly directory: number;
  /** Undefined when nothing is there. */
  readonly stat: Stat | undefined;
}

export interface Examined {
  /** Undefined when nothing is there; of a plain file, the one that was read. */
  readonly stat: Stat | undefined;
  /** Of a plain file of the size that was asked for. */
  readonly sha256?: Uint8Array;
  readonly hasXattrs?: boolean;
}

/**
 * The short calls of the kernel, as promises: names, attributes, and pieces of files. `pool` makes each on a thread of
 * Node's own; `thread` makes them one after the other on one thread, many in one message.
 */
export interface Calls {
  open(path: string, flags: number, mode?: number): Promise<number>;
  /** Undefined when it failed for whatever reason. */
  openBeneath(root: number, path: string): Promise<number | undefined>;
  close(fd: number): Promise<void>;
  /** Returns how many bytes were read; fewer than there is room for also before the end of the file. */
  read(fd: number, into: Uint8Array, position: number): Promise<number>;
  /** Returns how many bytes were written. */
  write(fd: number, bytes: Uint8Array, position: number): Promise<number>;
  /** False when the file system cannot. */
  allocate(fd: number, sizeBytes: number): Promise<boolean>;
  /** allocate, write, fchown, fchmod, futimes and inspect. */
  fill(fd: number, filling: Filling): Promise<Inspected>;
  /** What is at `name` in the directory `path`: as `openBeneath`, lstat and close. Undefined when the first failed. */
  lookBeneath(root: number, path: string, name: string): Promise<{ readonly stat: Stat | undefined } | undefined>;
  /** As `lookBeneath`; the directory stays open. */
  findBeneath(root: number, path: string, name: string): Promise<Found | undefined>;
  /** `Volume.glance`: openat2, fstat, read, listxattr and close. Undefined when one of them failed, or all cost a trip. */
  glance(root: number, path: string, bytesMax: number): Promise<Glance | undefined>;
  /** As `lookBeneath`, and of a plain file also its xattrs' names and its bytes. Undefined as well where it is better to
   * make these calls one by one. */
  examineBeneath(root: number, path: string, name: string, sizeBytes: number): Promise<Examined | undefined>;
  /** Opens a plain file, reads and closes it. Undefined when one of them failed, or is better made by itself. */
  readPiece(path: string, sizeBytes: number, position: number): Promise<Uint8Array | undefined>;
  fstat(fd: number): Promise<Stat>;
  /** fstat, and the digest of what is read. */
  inspect(fd: number, sizeBytes: number): Promise<Inspected>;
  lstat(path: string): Promise<Stat>;
  fchmod(fd: number, mode: number): Promise<void>;
  chmod(path: string, mode: number): Promise<void>;
  fchown(fd: number, uid: number, gid: number): Promise<void>;
  /** Sets both times; seconds as a double keep microseconds, which is what futimes(3) stores here. */
  futimes(fd: number, accessed: number, modified: number): Promise<void>;
  utimes(path: string, accessed: number, modified: number): Promise<void>;
  rename(source: string, target: string): Promise<void>;
  link(source: string, target: string): Promise<void>;
  unlink(path: string): Promise<void>;
  mkdir(path: string, mode: number): Promise<void>;
  rmdir(path: string): Promise<void>;
  readdir(path: string): Promise<string[]>;
}
