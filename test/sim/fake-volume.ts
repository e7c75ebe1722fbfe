import { baseNameOf, type FilePath, parentOf } from "../../services/model/path.js";
import {
  codeOf,
  DurabilityError,
  type EntryType,
  type Examined,
  type Glance,
  type Handle,
  type LiveName,
  type Name,
  NotPlainError,
  oneByOne,
  type Stat,
  unless,
  type Volume,
  went,
  type Xattrs,
} from "../../services/volume/volume.js";
import { type FakeDisk, failure, type Place } from "./fake-disk.js";
import { FakeHandle, statOf } from "./fake-handle.js";
import { DirectoryInode, FileInode } from "./inode.js";

/** What is done to one replica's calls. All of it is drawn from the seed. */
export interface Meddling {
  /** Before each call: waits for its turn, and may throw instead of it. */
  turn(call: string, name: string): Promise<void>;
  /** Whether this flush fails. */
  failsFlush(name: string): boolean;
  /** Whether the answer to this change of a name is lost, so that it is asked for again. */
  losesReply(call: string): boolean;
  /** A flush failed: nothing more may be acknowledged. */
  onDurabilityError(error: DurabilityError): void;
}

export const UNDISTURBED: Meddling = {
  turn: async () => undefined,
  failsFlush: () => false,
  losesReply: () => false,
  onDurabilityError: () => undefined,
};

const WALK_ATTEMPTS_MAX = 16;

/** A name: where to begin, and which names to go through from there at each call. */
interface FakeName extends Name {
  readonly from: DirectoryInode;
  readonly parts: readonly string[];
}

class HeldName implements LiveName, FakeName {
  readonly at: string;
  readonly parts: readonly string[];
  constructor(
    readonly path: FilePath,
    readonly from: DirectoryInode,
  ) {
    this.at = path;
    this.parts = [baseNameOf(path)];
  }
  async [Symbol.asyncDispose](): Promise<void> {}
}

/** One process's view of a fake disk. Each call of the kernel is one step, also within what `Volume` does in one call. */
export class FakeVolume implements Volume {
  constructor(
    readonly disk: FakeDisk,
    readonly kind: "local" | "network",
    readonly bootId: string,
    private readonly meddling: Meddling = UNDISTURBED,
  ) {}

  /** One call of the kernel. */
  async step<T>(call: string, name: string, work: () => T): Promise<T> {
    await this.meddling.turn(call, name);
    return work();
  }

  /** A change of a name. When its answer is lost, it is carried out again, as NFS does, and that one is answered. */
  private naming(call: string, name: Name, work: () => void): Promise<void> {
    return this.step(call, name.at, () => {
      work();
      if (this.meddling.losesReply(call)) work();
    });
  }

  async flush(name: string, sync: () => void, fail: () => void): Promise<void> {
    await this.meddling.turn("sync", name);
    if (!this.meddling.failsFlush(name)) return sync();
    fail();
    const error = new DurabilityError(failure("EIO", `sync ${name}`));
    this.meddling.onDurabilityError(error);
    // A process that has left does not come back from here.
    await this.meddling.turn("failed sync", name);
    throw error;
  }

  private place(name: Name): Place {
    const { from, parts } = name as FakeName;
    return { directory: this.disk.walk(from, parts.slice(0, -1)), name: parts.at(-1) as string };
  }

  control(name: string): Name {
    const fake: FakeName = { at: name, from: this.disk.control, parts: name.split("/") };
    return fake;
  }

  locate(path: FilePath): Promise<LiveName> {
    return this.step("locate", path, () => new HeldName(path, this.directory(parentOf(path))));
  }

  private directory(path: string): DirectoryInode {
    let at = this.disk.root;
    for (const name of path === "" ? [] : path.split("/")) {
      const next = this.disk.need({ directory: at, name }, "open");
      if (!(next instanceof DirectoryInode))
        throw new NotPlainError(path, next.type === "symlink" ? "symlink" : "not-a-directory");
      at = next;
    }
    return at;
  }

  async find(path: FilePath): Promise<{ live: LiveName; stat: Stat | undefined }> {
    const live = await this.locate(path);
    return { live, stat: await this.stat(live) };
  }

  async peek(path: FilePath): Promise<Stat | undefined> {
    await using live = await this.locate(path);
    return await this.stat(live);
  }

  async glance(path: FilePath, bytesMax: number): Promise<Glance | undefined> {
    const live = await unless(["ENOENT", "ENOTDIR"], this.locate(path)).catch(ignoreNotPlain);
    const file = live && (await unless(["ENOENT"], this.plainFile(live)).catch(ignoreNotPlain));
    if (!file) return undefined;
    const stat = await this.step("fstat", live.at, () => statOf(this.disk, file));
    const bytes = await this.step("read", live.at, () => Buffer.from(file.content.subarray(0, bytesMax)));
    return { stat, bytes, xattrs: file.rights.xattrs };
  }

  async examine(path: FilePath, sizeBytes: number): Promise<Examined | undefined> {
    await using live = await this.locate(path);
    const stat = await this.stat(live);
    if (stat?.type !== "file") return stat && { stat, xattrs: {}, sha256: undefined };
    const xattrs = await this.xattrs(live);
    const handle = stat.sizeBytes === sizeBytes ? await unless(["ENOENT"], this.openRead(live)) : undefined;
    return { stat, xattrs, sha256: (await handle?.inspect(sizeBytes))?.sha256 };
  }

  async locateWithParents(path: FilePath): Promise<{ live: LiveName; made: FilePath[] }> {
    const made: FilePath[] = [];
    for (let attempt = 1; ; attempt++) {
      try {
        return { live: await this.locate(path), made };
      } catch (error) {
        if (codeOf(error) !== "ENOENT" || attempt === WALK_ATTEMPTS_MAX) throw error;
        await unless(["ENOENT"], this.makeParents(path, made));
      }
    }
  }

  private async makeParents(path: FilePath, made: FilePath[]): Promise<void> {
    const parts = path.split("/").slice(0, -1);
    for (let depth = 1; depth <= parts.length; depth++) {
      const directory = parts.slice(0, depth).join("/") as FilePath;
      const name = await this.locate(directory);
      const making = this.naming("mkdir", name, () => void this.disk.makeDirectory(this.place(name), 0o755));
      if (await went(making, ["EEXIST"])) made.push(directory);
    }
  }

  async removeEmpty(directories: readonly FilePath[]): Promise<void> {
    for (const directory of directories.toReversed()) {
      const name = await unless(["ENOENT"], this.locate(directory));
      if (name && !(await went(this.removeDirectory(name), ["ENOTEMPTY", "EEXIST", "ENOENT"]))) return;
    }
  }

  listLive(directory: FilePath | ""): Promise<{ name: string; type: EntryType }[]> {
    return this.step("listLive", directory, () =>
      [...this.directory(directory).entries]
        .filter(([, inode]) => inode !== this.disk.control)
        .map(([name, { type }]) => ({ name, type })),
    );
  }

  async create(name: Name): Promise<Handle> {
    const file = await this.step("create", name.at, () => this.disk.createFile(this.place(name), 0o600));
    return new FakeHandle(this, file, true, name.at);
  }

  async openWrite(name: Name): Promise<Handle> {
    return new FakeHandle(this, await this.plainFile(name), true, name.at);
  }

  async openRead(name: Name): Promise<Handle> {
    return new FakeHandle(this, await this.plainFile(name), false, name.at);
  }

  plainFile(name: Name): Promise<FileInode> {
    return this.step("open", name.at, () => {
      const inode = this.disk.need(this.place(name), "open");
      if (inode instanceof FileInode) return inode;
      throw new NotPlainError(name.at, inode.type === "other" || inode.type === "file" ? "special" : inode.type);
    });
  }

  async createWith(name: Name, content: string, sync: boolean): Promise<void> {
    const handle = await this.create(name);
    await handle.write(Buffer.from(content), 0);
    if (sync) await handle.sync();
  }

  async readPiece(name: Name, sizeBytes: number, position: number): Promise<Uint8Array> {
    const handle = await this.openRead(name);
    const bytes = Buffer.alloc(sizeBytes);
    return bytes.subarray(0, await handle.read(bytes, position));
  }

  async readSmall(name: Name): Promise<string | undefined> {
    const file = await unless(["ENOENT"], this.plainFile(name));
    return file && this.step("read", name.at, () => file.content.toString());
  }

  touch(name: Name): Promise<void> {
    return this.step("touch", name.at, () => {
      const inode = this.disk.need(this.place(name), "touch");
      inode.mtimeNs = this.disk.nowNs();
      inode.ctimeNs = inode.mtimeNs;
    });
  }

  rename(source: Name, target: Name): Promise<void> {
    return this.naming("rename", target, () => this.disk.rename(this.place(source), this.place(target)));
  }

  link(source: Name, target: Name): Promise<void> {
    return this.naming("link", target, () => this.disk.link(this.place(source), this.place(target)));
  }

  unlink(name: Name): Promise<void> {
    return this.naming("unlink", name, () => this.disk.unlink(this.place(name)));
  }

  makeDirectory(name: Name): Promise<void> {
    return this.naming("mkdir", name, () => void this.disk.makeDirectory(this.place(name), 0o700));
  }

  removeDirectory(name: Name): Promise<void> {
    return this.naming("rmdir", name, () => this.disk.removeDirectory(this.place(name)));
  }

  stat(name: Name): Promise<Stat | undefined> {
    const look = this.step("stat", name.at, () => {
      const inode = this.disk.find(this.place(name));
      return inode && statOf(this.disk, inode);
    });
    return unless(["ENOENT", "ENOTDIR"], look);
  }

  list(name: Name): Promise<string[] | undefined> {
    const look = this.step("list", name.at, () => {
      const found = this.disk.need(this.place(name), "list");
      if (!(found instanceof DirectoryInode)) throw failure("ENOTDIR", `list ${name.at}`);
      return [...found.entries.keys()];
    });
    return unless(["ENOENT"], look);
  }

  async syncDirectory(name: Name): Promise<void> {
    const directory = await this.step("open", name.at, () => {
      const found = this.disk.need(this.place(name), "open");
      if (!(found instanceof DirectoryInode)) throw failure("ENOTDIR", `open ${name.at}`);
      return found;
    });
    const sync = (): void => this.disk.syncDirectory(directory);
    await this.flush(name.at, sync, () => undefined);
  }

  async copyDurably(source: Name, target: Name): Promise<void> {
    const from = await this.plainFile(source);
    const copy = await this.step("create", target.at, () => this.disk.createFile(this.place(target), from.rights.mode));
    const handle = new FakeHandle(this, copy, true, target.at);
    await handle.write(from.content, 0);
    await handle.sync();
    const { from: start, parts } = target as FakeName;
    const parent: FakeName = { at: `${target.at}/..`, from: start, parts: [...parts.slice(0, -1)] };
    await this.syncDirectory(parent.parts.length > 0 ? parent : this.control("."));
  }

  readonly inOrder = oneByOne;

  xattrs(name: Name): Promise<Xattrs> {
    return this.step("xattrs", name.at, () => this.disk.find(this.place(name))?.rights.xattrs ?? {}).catch(
      (error: unknown) => {
        if (codeOf(error) !== "ENOENT") throw error;
        return {};
      },
    );
  }

  syncAll(): Promise<void> {
    return this.flush(
      "all",
      () => this.disk.syncAll(),
      () => undefined,
    );
  }

  async close(): Promise<void> {}
}

function ignoreNotPlain(error: unknown): undefined {
  if (!(error instanceof NotPlainError)) throw error;
  return undefined;
}
