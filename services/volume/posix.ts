import { constants, readFileSync } from "node:fs";
import * as nodePath from "node:path";
import { baseNameOf, type FilePath, parentOf } from "../model/path.js";
import type { Calls } from "./calls.js";
import { failed, type OnDurabilityError, PosixHandle } from "./handle.js";
import { O_PATH, OPEN_PLAIN, readXattrs, syncFileSystem } from "./native.js";
import { copyFile, fsync, NOTHING, pool, readdirTypes, statfs } from "./pool.js";
import { inOrder, thread } from "./thread.js";
import {
  codeOf,
  type Ended,
  type EntryType,
  type Examined,
  type Glance,
  type Handle,
  type LiveName,
  type Name,
  NotPlainError,
  oneByOne,
  type Stat,
  USER,
  unless,
  type Volume,
  VolumeRefusedError,
  went,
  XATTR_BYTES_MAX,
  type Xattrs,
} from "./volume.js";

/** Magic numbers of statfs(2) for file systems that other hosts may cache: NFS, Ceph, FUSE (Gluster, SeaweedFS,
 * JuiceFS), SMB2, CIFS, GFS2, OCFS2, Lustre. */
const NETWORK_FILE_SYSTEMS = new Set([
  0x6969, 0x00c36400, 0x65735546, 0xfe534d42, 0xff534d42, 0x01161970, 0x7461636f, 0x0bd00bd0,
]);
const OPEN_DIRECTORY = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const CONTROL = ".safefile";
/** Parents made for a file: what a directory of ours is readable by. */
const DIRECTORY_MODE = 0o755;
const WALK_ATTEMPTS_MAX = 16;
const XATTRS_ATTEMPTS_MAX = 16;
/** What `readSmall` reads at most. */
const SMALL_BYTES_MAX = 64 * 1024;

class HeldName implements LiveName {
  readonly at: string;
  constructor(
    readonly path: FilePath,
    private readonly calls: Calls,
    private readonly directory: number,
  ) {
    this.at = `/proc/self/fd/${directory}/${baseNameOf(path)}`;
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.calls.close(this.directory).catch(() => undefined); // opened for its path only: nothing can be lost
  }
}

/** A directory tree of the real file system. */
export class PosixVolume implements Volume {
  private constructor(
    private readonly calls: Calls,
    private readonly root: number,
    private readonly controlDirectory: number,
    /** Open for reading, for syncfs, which takes no O_PATH. */
    private readonly synced: number,
    readonly kind: "local" | "network",
    readonly bootId: string,
    private readonly onDurabilityError: OnDurabilityError,
  ) {}

  /**
   * Opens `directory` as a volume, making `.safefile/` on first use. Throws VolumeRefusedError for a file system that
   * takes two spellings for one name: then one file would have two batons, and `.safefile` other names (I12, I13).
   */
  static async open(
    directory: string,
    kind: "auto" | "local" | "network",
    onDurabilityError: OnDurabilityError,
  ): Promise<PosixVolume> {
    const root = await pool.open(directory, O_PATH | constants.O_DIRECTORY);
    const at = `/proc/self/fd/${root}`;
    await went(pool.mkdir(`${at}/${CONTROL}`, 0o700), ["EEXIST"]);
    const control = await pool.open(`${at}/${CONTROL}`, OPEN_DIRECTORY);
    if ((await unless(["ENOENT"], pool.lstat(`${at}/${CONTROL.toUpperCase()}`))) !== undefined)
      throw new VolumeRefusedError(
        `${directory} does not tell upper from lower case; Safefile needs a volume that does`,
      );
    const synced = await pool.open(`${at}/${CONTROL}`, constants.O_RDONLY | constants.O_DIRECTORY);
    const type = (await statfs(at)).type;
    const found = NETWORK_FILE_SYSTEMS.has(Number(type)) ? "network" : "local";
    // A kernel start is told from another by this file; without it (not Linux) every start counts as a new one.
    const bootId = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const known = kind === "auto" ? found : kind;
    // Other hosts may keep a call waiting for long, and many of them at once is how to wait for them.
    const calls = known === "local" ? thread : pool;
    return new PosixVolume(calls, root, control, synced, known, bootId, onDurabilityError);
  }

  control(name: string): Name {
    return { at: `/proc/self/fd/${this.controlDirectory}/${name}` };
  }

  async locate(path: FilePath): Promise<LiveName> {
    const parent = parentOf(path);
    const directory =
      (parent === "" ? undefined : await this.calls.openBeneath(this.root, parent)) ?? (await this.walk(parent));
    return new HeldName(path, this.calls, directory);
  }

  async find(path: FilePath): Promise<{ live: LiveName; stat: Stat | undefined }> {
    const parent = parentOf(path);
    const found = parent === "" ? undefined : await this.calls.findBeneath(this.root, parent, baseNameOf(path));
    if (found) return { live: new HeldName(path, this.calls, found.directory), stat: found.stat };
    const live = await this.locate(path);
    try {
      return { live, stat: await this.stat(live) };
    } catch (error) {
      await live[Symbol.asyncDispose]();
      throw error;
    }
  }

  async peek(path: FilePath): Promise<Stat | undefined> {
    const parent = parentOf(path);
    const found = parent === "" ? undefined : await this.calls.lookBeneath(this.root, parent, baseNameOf(path));
    if (found) return found.stat;
    await using live = await this.locate(path);
    return await this.stat(live);
  }

  async glance(path: FilePath, bytesMax: number): Promise<Glance | undefined> {
    const found = await this.calls.glance(this.root, path, bytesMax);
    return found && xattrBytes(Object.entries(found.xattrs)) <= XATTR_BYTES_MAX ? found : undefined;
  }

  async examine(path: FilePath, sizeBytes: number): Promise<Examined | undefined> {
    const parent = parentOf(path);
    const name = baseNameOf(path);
    const found = parent === "" ? undefined : await this.calls.examineBeneath(this.root, parent, name, sizeBytes);
    if (found && !found.hasXattrs) return found.stat && { stat: found.stat, xattrs: {}, sha256: found.sha256 };
    await using live = await this.locate(path);
    const stat = await this.stat(live);
    if (stat?.type !== "file") return stat && { stat, xattrs: {}, sha256: undefined };
    const xattrs = await this.xattrs(live);
    await using handle = stat.sizeBytes === sizeBytes ? await this.openIfPlain(live) : undefined;
    return { stat, xattrs, sha256: (await handle?.inspect(sizeBytes))?.sha256 };
  }

  private openIfPlain(name: Name): Promise<Handle | undefined> {
    return unless(["ENOENT"], this.openRead(name)).catch((error: unknown) => {
      if (error instanceof NotPlainError) return undefined;
      throw error;
    });
  }

  async locateWithParents(path: FilePath): Promise<{ live: LiveName; made: FilePath[] }> {
    const made: FilePath[] = [];
    for (let attempt = 1; ; attempt++) {
      try {
        return { live: await this.locate(path), made };
      } catch (error) {
        if (codeOf(error) !== "ENOENT" || attempt === WALK_ATTEMPTS_MAX) throw error;
        // Somebody else may remove one of them again before the next is made.
        await unless(["ENOENT"], this.makeParents(path, made));
      }
    }
  }

  private async makeParents(path: FilePath, made: FilePath[]): Promise<void> {
    const parts = path.split("/").slice(0, -1);
    for (let depth = 1; depth <= parts.length; depth++) {
      const directory = parts.slice(0, depth).join("/") as FilePath;
      await using name = await this.locate(directory);
      if (await went(this.calls.mkdir(name.at, DIRECTORY_MODE), ["EEXIST"])) made.push(directory);
    }
  }

  async removeEmpty(directories: readonly FilePath[]): Promise<void> {
    for (const directory of directories.toReversed()) {
      const name = await unless(["ENOENT"], this.locate(directory));
      if (!name) continue;
      await using held = name;
      if (!(await went(this.calls.rmdir(held.at), ["ENOTEMPTY", "EEXIST", "ENOENT"]))) return;
    }
  }

  /** Opens `path` component by component; says what is in the way when it cannot. */
  private async walk(path: string): Promise<number> {
    let directory = await this.calls.open(`/proc/self/fd/${this.root}`, O_PATH | constants.O_DIRECTORY);
    try {
      const device = (await this.calls.fstat(directory)).device;
      for (const part of path === "" ? [] : path.split("/")) {
        const at = `/proc/self/fd/${directory}/${part}`;
        const next = await this.calls.open(at, OPEN_DIRECTORY).catch(async (error: unknown) => {
          if (codeOf(error) !== "ENOTDIR" && codeOf(error) !== "ELOOP") throw error;
          const stats = await this.calls.lstat(at);
          throw new NotPlainError(path, stats.type === "symlink" ? "symlink" : "not-a-directory");
        });
        await this.calls.close(directory);
        directory = next;
        if ((await this.calls.fstat(directory)).device !== device) throw new NotPlainError(path, "mount");
      }
      return directory;
    } catch (error) {
      await this.calls.close(directory);
      throw error;
    }
  }

  async listLive(directory: FilePath | ""): Promise<{ name: string; type: EntryType }[]> {
    const fd =
      (directory === "" ? undefined : await this.calls.openBeneath(this.root, directory)) ??
      (await this.walk(directory));
    try {
      const entries = await readdirTypes(`/proc/self/fd/${fd}/.`);
      return entries
        .filter((entry) => directory !== "" || entry.name !== CONTROL)
        .map((entry) => ({
          name: entry.name,
          type: entry.isFile()
            ? "file"
            : entry.isDirectory()
              ? "directory"
              : entry.isSymbolicLink()
                ? "symlink"
                : "other",
        }));
    } finally {
      await this.calls.close(fd);
    }
  }

  async create(name: Name): Promise<Handle> {
    const flags = constants.O_CREAT | constants.O_EXCL | constants.O_RDWR | constants.O_NOFOLLOW;
    return new PosixHandle(this.calls, await this.calls.open(name.at, flags, 0o600), this.onDurabilityError);
  }

  openWrite(name: Name): Promise<Handle> {
    return this.openPlain(name, constants.O_RDWR);
  }

  openRead(name: Name): Promise<Handle> {
    return this.openPlain(name, constants.O_RDONLY);
  }

  private async openPlain(name: Name, access: number): Promise<Handle> {
    return new PosixHandle(this.calls, await this.openPlainFd(name, access), this.onDurabilityError);
  }

  private async openPlainFd(name: Name, access: number): Promise<number> {
    const fd = await this.calls.open(name.at, access | OPEN_PLAIN).catch((error: unknown) => {
      const code = codeOf(error);
      if (code === "ELOOP") throw new NotPlainError(name.at, "symlink");
      if (code === "EISDIR") throw new NotPlainError(name.at, "directory");
      if (code === "ENXIO") throw new NotPlainError(name.at, "special");
      throw error;
    });
    const { type } = await this.calls.fstat(fd);
    if (type === "file") return fd;
    await this.calls.close(fd);
    throw new NotPlainError(name.at, type === "directory" ? "directory" : "special");
  }

  async createWith(name: Name, content: string, sync: boolean): Promise<void> {
    await using handle = await this.create(name);
    await handle.write(Buffer.from(content), 0);
    if (sync) await handle.sync();
  }

  async readSmall(name: Name): Promise<string | undefined> {
    const bytes = await unless(["ENOENT"], this.readPiece(name, SMALL_BYTES_MAX, 0));
    return bytes && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
  }

  async readPiece(name: Name, sizeBytes: number, position: number): Promise<Uint8Array> {
    const piece = await this.calls.readPiece(name.at, sizeBytes, position);
    if (piece) return piece;
    await using handle = await this.openRead(name);
    const bytes = Buffer.allocUnsafe(sizeBytes);
    return bytes.subarray(0, await handle.read(bytes, position));
  }

  async touch(name: Name): Promise<void> {
    const now = Date.now() / 1000;
    await this.calls.utimes(name.at, now, now);
  }

  rename(source: Name, target: Name): Promise<void> {
    return this.calls.rename(source.at, target.at);
  }

  link(source: Name, target: Name): Promise<void> {
    return this.calls.link(source.at, target.at);
  }

  unlink(name: Name): Promise<void> {
    return this.calls.unlink(name.at);
  }

  async makeDirectory(name: Name, mode?: number): Promise<void> {
    await this.calls.mkdir(name.at, 0o700);
    // Not by mkdir, which takes away what the process's umask says.
    if (mode !== undefined) await this.calls.chmod(name.at, mode & 0o777);
  }

  removeDirectory(name: Name): Promise<void> {
    return this.calls.rmdir(name.at);
  }

  stat(name: Name): Promise<Stat | undefined> {
    return unless(NOTHING, this.calls.lstat(name.at));
  }

  list(name: Name): Promise<string[] | undefined> {
    return unless(["ENOENT"], this.calls.readdir(name.at));
  }

  async syncDirectory(name: Name): Promise<void> {
    const fd = await this.calls.open(name.at, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await fsync(fd);
    } catch (error) {
      throw failed(this.onDurabilityError, error);
    } finally {
      await this.calls.close(fd);
    }
  }

  async copyDurably(source: Name, target: Name): Promise<void> {
    // copyFile would follow a symlink, or wait for a FIFO, that somebody puts there meanwhile; this descriptor is of a
    // plain file (I12).
    const from = await this.openPlainFd(source, constants.O_RDONLY);
    try {
      const flags = constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE;
      await copyFile(`/proc/self/fd/${from}`, target.at, flags);
    } finally {
      await this.calls.close(from);
    }
    await using copy = await this.openRead(target);
    await copy.sync();
    await this.syncDirectory({ at: nodePath.dirname(target.at) });
  }

  inOrder<const Each extends readonly (() => Promise<unknown>)[]>(calls: Each): Promise<Ended<Each>> {
    return this.calls === thread ? (inOrder(calls) as Promise<Ended<Each>>) : oneByOne(calls);
  }

  async xattrs(name: Name, attempt = 1): Promise<Xattrs> {
    try {
      const found = await readXattrs(name.at, USER, XATTR_BYTES_MAX);
      if (xattrBytes(found) > XATTR_BYTES_MAX)
        throw Object.assign(new Error("too many extended attributes"), { code: "ERANGE" });
      return Object.fromEntries(found);
    } catch (error) {
      if (["ENOTSUP", "EOPNOTSUPP", "ENOENT"].includes(codeOf(error) ?? "")) return {};
      // One of them was removed between its name and its value.
      if (codeOf(error) === "ENODATA" && attempt < XATTRS_ATTEMPTS_MAX) return await this.xattrs(name, attempt + 1);
      throw error;
    }
  }

  async syncAll(): Promise<void> {
    if (!(await syncFileSystem(this.synced))) throw failed(this.onDurabilityError, new Error("syncfs failed"));
  }

  async close(): Promise<void> {
    await this.calls.close(this.synced);
    await this.calls.close(this.controlDirectory);
    await this.calls.close(this.root);
  }
}

const xattrBytes = (found: readonly [string, Uint8Array][]): number =>
  found.reduce((sum, [key, value]) => sum + key.length + value.length, 0);
