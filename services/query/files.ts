import { PathNotFoundError, PathNotPlainError } from "../errors/index.js";
import type { Journals } from "../journal/journals.js";
import type { FileInfo } from "../model/file-info.js";
import { type FilePath, pathHash } from "../model/path.js";
import { changeOf } from "../model/record.js";
import { type Baton, type Batons, isFinished } from "../protocol/baton.js";
import { etagOf, type Head, type Heads, outsideEtagOf } from "../protocol/heads.js";
import { type Handle, type LiveName, NotPlainError, type Stat, unless, type Volume } from "../volume/volume.js";

const LOOKS_MAX = 5;
/** What is read in one message of the volume's thread. */
const WHOLE_BYTES_MAX = 64 * 1024;

/** Live files as readers see them: the volume says what is there, batons and journals say which revision it is. */
export class Files {
  constructor(
    private readonly volume: Volume,
    private readonly journals: Journals,
    private readonly batons: Batons,
    private readonly heads: Heads,
  ) {}

  /** Throws PATH_NOT_FOUND; PATH_INVALID for a symlink, FIFO or device. "" is the root. */
  async stat(path: FilePath | ""): Promise<FileInfo> {
    if (path === "") return { ...directory, path };
    const known = await this.glance(path, 0);
    if (known) return known.info;
    await using live = await this.locate(path);
    const stats = await this.volume.stat(live);
    if (!stats) throw new PathNotFoundError({ path });
    if (stats.type === "symlink" || stats.type === "other") throw new PathNotPlainError({ path, what: stats.type });
    const info = await this.describe(live, stats);
    return stats.type === "file" ? { ...info, xattrs: await this.volume.xattrs(live) } : info;
  }

  /** As `stat`, but tells of symlinks and devices too; undefined when nothing is there any more. For listings. */
  async peek(path: FilePath): Promise<FileInfo | undefined> {
    const name = await unless(["ENOENT", "ENOTDIR"], this.volume.locate(path)).catch(gone);
    if (!name) return undefined;
    await using live = name;
    const stats = await this.volume.stat(live);
    return stats && (await this.describe(live, stats));
  }

  /** Opens the live file and tells which revision it is. The caller closes the handle. */
  async open(path: FilePath): Promise<{ handle: Handle; info: FileInfo }> {
    await using live = await this.locate(path);
    const handle = await unless(["ENOENT"], this.volume.openRead(live)).catch((error: unknown) => {
      if (error instanceof NotPlainError) throw new PathNotPlainError({ path, what: error.what });
      throw error;
    });
    if (!handle) throw new PathNotFoundError({ path });
    try {
      const info = await this.describe(live, await handle.stat());
      return { handle, info: { ...info, xattrs: await this.volume.xattrs(live) } };
    } catch (error) {
      await handle[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * All of a small file in two calls to the volume at once, where we know from an earlier look which revision it is.
   * Undefined where we do not, or where anything is unusual: `open` and `stat` tell.
   */
  async whole(path: FilePath): Promise<{ info: FileInfo; bytes: Uint8Array } | undefined> {
    const known = await this.glance(path, WHOLE_BYTES_MAX);
    return known?.info.sizeBytes === known?.bytes.length ? known : undefined;
  }

  private async glance(path: FilePath, bytesMax: number) {
    // Which of the two is made first does not matter: what proves the revision is that nothing about the file has changed
    // since it was seen to be that one, and a file that was replaced meanwhile was that revision until then.
    const [found, baton] = await Promise.all([this.volume.glance(path, bytesMax), this.batons.see(pathHash(path))]);
    if (!found || !baton) return undefined;
    const { stat, xattrs, bytes } = found;
    const head = await this.heads.headAt(path, baton.last);
    if (!head || !this.heads.hasSeen(head, stat)) return undefined;
    return { info: { ...plainOf(path, stat), ...revisionOf(head), xattrs }, bytes };
  }

  private async locate(path: FilePath): Promise<LiveName> {
    try {
      const live = await unless(["ENOENT"], this.volume.locate(path));
      if (live) return live;
    } catch (error) {
      if (error instanceof NotPlainError) throw new PathNotPlainError({ path, what: error.what });
      throw error;
    }
    throw new PathNotFoundError({ path });
  }

  private async describe(live: LiveName, stats: Stat): Promise<FileInfo> {
    const { path } = live;
    const { type, mode, mtimeNs } = stats;
    if (type !== "file") return { ...directory, path, type, mode, mtimeNs };
    const plain = plainOf(path, stats);
    let seen: Baton | undefined;
    for (let look = 0; look < LOOKS_MAX; look++) {
      const baton = await this.batons.see(pathHash(path));
      if (!baton) break;
      const head = await this.headThatIs(baton, live, stats);
      if (head) return { ...plain, ...revisionOf(head) };
      // A commit between our look at the file and at the baton: what we hold is the revision before, or after.
      if (seen && seen.epoch === baton.epoch && seen.owner === baton.owner) break;
      seen = baton;
    }
    const managed = seen !== undefined && (isFinished(seen) ? seen.last !== "-" : true);
    const etag = outsideEtagOf(stats);
    return { ...plain, etag, revision: 0, operation: undefined, sha256: undefined, externallyChanged: managed };
  }

  /** The change that the file is, out of those that the baton allows for; a published one may not be finished yet. */
  private async headThatIs(baton: Baton, live: LiveName, stats: Stat): Promise<Head | undefined> {
    const last = await this.heads.headAt(live.path, baton.last);
    if (last?.change.content && (await this.heads.isLive(last, live, stats))) return last;
    if (!isFinished(baton)) {
      const record = await this.journals.find(baton.owner);
      const change = record && changeOf(record, live.path);
      if (record && change?.content && (await this.heads.isLive({ record, change }, live, stats)))
        return { record, change };
    }
    // Opened just before it was replaced.
    const before = last && (await this.heads.headAt(live.path, last.change.baseOperation));
    return before?.change.content && before.change.inode === stats.inode && before.change.mtimeNs === stats.mtimeNs
      ? before
      : undefined;
  }
}

const directory: Omit<FileInfo, "path"> = {
  type: "directory",
  sizeBytes: 0,
  mode: 0o755,
  mtimeNs: 0n,
  etag: "",
  revision: 0,
  operation: undefined,
  sha256: undefined,
  externallyChanged: false,
};

const plainOf = (path: FilePath, { sizeBytes, mode, mtimeNs }: Stat) => ({
  path,
  type: "file" as const,
  sizeBytes,
  mode,
  mtimeNs,
});

const revisionOf = ({ change: { revision, content }, record: { operation } }: Head) => ({
  etag: etagOf(operation),
  revision,
  operation,
  sha256: content?.sha256,
  externallyChanged: false,
});

function gone(error: unknown): undefined {
  if (!(error instanceof NotPlainError)) throw error;
  return undefined;
}
