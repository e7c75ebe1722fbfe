/**
 * The only door to the disk. Everything above speaks of names and handles; what a name means to the file system
 * stays in here. `PosixVolume` is the real one.
 */
import type { FilePath } from "../model/path.js";

/** A name that the calls below take. `at` is opaque outside this folder. */
export interface Name {
  readonly at: string;
}

/** A live name whose parent directory is held open, so that nobody can swap a symlink into the way (I12). */
export interface LiveName extends Name, AsyncDisposable {
  readonly path: FilePath;
}

export type EntryType = "file" | "directory" | "symlink" | "other";

/** Who owns a file, by numbers. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Extended attributes by name, without the "user." that all of them have. */
export type Xattrs = Readonly<Record<string, Uint8Array>>;

/** In front of the name of each. */
export const USER = "user.";
/** What the protos promise to keep, of all extended attributes of one file together. */
export const XATTR_BYTES_MAX = 64 * 1024;

export interface Attributes {
  readonly mode: number;
  readonly mtimeNs: bigint;
  /** Given to the file as far as this process may. */
  readonly owner?: Owner | undefined;
  /** Set on a file that has none yet. */
  readonly xattrs?: Xattrs;
}

export interface Stat {
  readonly type: EntryType;
  /** 64 bits: never a JavaScript number, network file systems use them all. */
  readonly inode: bigint;
  readonly device: bigint;
  readonly sizeBytes: number;
  /** Permission bits, 0 to 0o777. */
  readonly mode: number;
  readonly owner: Owner;
  readonly links: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

export interface Inspected {
  readonly stat: Stat;
  readonly sha256: Uint8Array;
}

/** A plain file as it was at one look. */
export interface Glance {
  readonly stat: Stat;
  readonly xattrs: Xattrs;
  /** Its first bytes, up to what was asked for. */
  readonly bytes: Uint8Array;
}

/** What is at a path, and what proves which revision that is. */
export interface Examined {
  readonly stat: Stat;
  /** Of a plain file. */
  readonly xattrs: Xattrs;
  /** Of a plain file that has the size asked for, and is still there. */
  readonly sha256: Uint8Array | undefined;
}

export interface Handle extends AsyncDisposable {
  /** Writes all of `bytes` at `position`. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Writes all of the buffers, one after the other, from `position` on. */
  writeAll(buffers: Uint8Array[], position: number): Promise<void>;
  /** Reads until `into` is full or the file ends; returns the number of bytes read. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** Reserves space so that a later rename over an existing file has nothing to allocate. Best effort. */
  reserve(sizeBytes: number): Promise<void>;
  /** Sets permission bits, modification time (whole microseconds), owner and extended attributes. */
  setAttributes(attributes: Attributes): Promise<void>;
  /** Replaces the content by that of `source`, sharing blocks where the file system can. */
  copyFrom(source: Name): Promise<void>;
  truncate(sizeBytes: number): Promise<void>;
  stat(): Promise<Stat>;
  /** What it is, and the digest of its first `sizeBytes` bytes as they read back. */
  inspect(sizeBytes: number): Promise<Inspected>;
  /** Gives an empty file its whole content and its attributes, and inspects it: as the calls above, one by one. */
  fill(bytes: Uint8Array, attributes: Attributes, reserve: boolean): Promise<Inspected>;
  /** Makes the content durable. Throws DurabilityError, after which nothing more may be acknowledged (I10). */
  sync(): Promise<void>;
}

export interface Volume {
  /** `network` when other hosts may cache what this one sees. */
  readonly kind: "local" | "network";
  /** Changes with every start of this host's kernel. */
  readonly bootId: string;

  /** A name below `.safefile/`. */
  control(name: string): Name;
  /** Holds the parent directory of `path`. Throws NotFound when there is none, NotPlain for a symlink in the way. */
  locate(path: FilePath): Promise<LiveName>;
  /** As `locate`, with what is there: undefined for nothing. */
  find(path: FilePath): Promise<{ live: LiveName; stat: Stat | undefined }>;
  /** What is at `path`, undefined for nothing. Throws as `locate` does. */
  peek(path: FilePath): Promise<Stat | undefined>;
  /**
   * The plain file at `path` with its first bytes, up to `bytesMax`: opened, looked at and read in one go. Undefined when
   * there is none, when it cannot be read, or when this volume has no faster way than the calls one by one: they tell.
   */
  glance(path: FilePath, bytesMax: number): Promise<Glance | undefined>;
  /** What is at `path`, undefined for nothing; with the digest of a plain file of `sizeBytes`. Throws as `locate` does. */
  examine(path: FilePath, sizeBytes: number): Promise<Examined | undefined>;
  /** As `locate`, after making the missing parents. Returns the directories made, deepest last. */
  locateWithParents(path: FilePath): Promise<{ live: LiveName; made: FilePath[] }>;
  /** Removes directories that `locateWithParents` made, as far as they are empty. */
  removeEmpty(directories: readonly FilePath[]): Promise<void>;
  /** The entries of a live directory ("" is the root), unsorted, without `.safefile`. */
  listLive(directory: FilePath | ""): Promise<{ name: string; type: EntryType }[]>;

  /** Creates a file that must not exist. Throws EEXIST. */
  create(name: Name): Promise<Handle>;
  /** Opens a plain file for reading and writing; for names that only we know. */
  openWrite(name: Name): Promise<Handle>;
  /** Opens a plain file; a symlink, FIFO or device throws NotPlain. */
  openRead(name: Name): Promise<Handle>;
  /** Creates a small file that must not exist, with its content; durable only after `syncDirectory` and a sync. */
  createWith(name: Name, content: string, sync: boolean): Promise<void>;
  /** As `openRead`, with what a read into `sizeBytes` bytes gives. */
  readPiece(name: Name, sizeBytes: number, position: number): Promise<Uint8Array>;
  readSmall(name: Name): Promise<string | undefined>;
  /** Sets the modification time to now. */
  touch(name: Name): Promise<void>;
  rename(source: Name, target: Name): Promise<void>;
  link(source: Name, target: Name): Promise<void>;
  unlink(name: Name): Promise<void>;
  /** With permission bits `mode`, or for us alone. */
  makeDirectory(name: Name, mode?: number): Promise<void>;
  removeDirectory(name: Name): Promise<void>;
  /** undefined when there is nothing of that name. */
  stat(name: Name): Promise<Stat | undefined>;
  /** Entries of a control directory; undefined when it does not exist. */
  list(name: Name): Promise<string[] | undefined>;
  /** Makes the names in a directory durable. */
  syncDirectory(name: Name): Promise<void>;
  /** Copies a whole file into one that must not exist, sharing blocks where the file system can; durable on return. */
  copyDurably(source: Name, target: Name): Promise<void>;
  /**
   * The calls one after the other as long as they go through: those after one that failed are not made, and are told
   * NotMadeError. On a local volume all of them are one trip, so each may only be a single call of this volume or of a
   * handle, made at once; `find` only as the last.
   */
  inOrder<const Each extends readonly (() => Promise<unknown>)[]>(calls: Each): Promise<Ended<Each>>;
  /** The extended attributes of a plain file that names start with "user."; none where the file system has none. */
  xattrs(name: Name): Promise<Xattrs>;
  /** Makes everything durable that was written so far, contents and names. Throws DurabilityError. */
  syncAll(): Promise<void>;
  close(): Promise<void>;
}

/** What became of each of several calls. */
export type Ended<Each extends readonly (() => Promise<unknown>)[]> = {
  readonly [At in keyof Each]: PromiseSettledResult<Awaited<ReturnType<Each[At]>>>;
};

/** One before it, in the same order of calls, failed. */
export class NotMadeError extends Error {
  constructor() {
    super("a call before this one failed");
    this.name = "NotMadeError";
  }
}

/** `Volume.inOrder`, with a trip for each. */
export async function oneByOne<const Each extends readonly (() => Promise<unknown>)[]>(
  calls: Each,
): Promise<Ended<Each>> {
  const ended: PromiseSettledResult<unknown>[] = [];
  for (const call of calls) {
    const isMade = ended.at(-1)?.status !== "rejected";
    const [next] = await Promise.allSettled([isMade ? call() : Promise.reject(new NotMadeError())]);
    ended.push(next);
  }
  return ended as Ended<Each>;
}

/** The code of a failed file-system call, such as "ENOENT"; undefined for other errors. */
export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;

/** Runs `call`; undefined when it fails with one of `codes`. */
export async function unless<T>(codes: readonly string[], call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (codes.includes(codeOf(error) ?? "")) return undefined;
    throw error;
  }
}

/** As `unless`, for calls whose value does not matter: true when the call went through. */
export async function went(call: Promise<unknown>, codes: readonly string[]): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (error) {
    if (codes.includes(codeOf(error) ?? "")) return false;
    throw error;
  }
}

/** A flush failed: what was written may or may not be on disk, and asking again would lie (I10). */
export class DurabilityError extends Error {
  constructor(cause: unknown) {
    super("a flush to the volume failed", { cause });
    this.name = "DurabilityError";
  }
}

/** The file system has no room for an extended attribute, or takes none. */
export class XattrRefusedError extends Error {
  constructor(cause: unknown) {
    super("the file system does not take the extended attributes", { cause });
    this.name = "XattrRefusedError";
  }
}

/** There is something other than a plain file or directory on the way: a symlink, a mount, a FIFO, a device. */
export class NotPlainError extends Error {
  constructor(
    readonly path: string,
    readonly what: "symlink" | "mount" | "special" | "directory" | "not-a-directory",
  ) {
    super(`${what} in the way`);
    this.name = "NotPlainError";
  }
}

/** The directory cannot be a volume; the sentence says why. */
export class VolumeRefusedError extends Error {}
