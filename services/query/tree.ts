import { LimitExceededError, PathNotFoundError, PathNotPlainError } from "../errors/index.js";
import { type FilePath, problemOfPath } from "../model/path.js";
import { NotPlainError, unless, type Volume } from "../volume/volume.js";

/** A file or directory that lies in a tree. */
export interface TreeEntry {
  readonly path: FilePath;
  readonly type: "file" | "directory";
  /** Permission bits. */
  readonly mode: number;
}

/** What one operation takes when it works on a whole tree. */
export class Trees {
  constructor(
    private readonly volume: Volume,
    /** Files and directories of one tree; more is LIMIT_EXCEEDED. */
    private readonly entriesMax: number,
  ) {}

  /**
   * `directory` and all below it, as far as it is still there. Throws PATH_INVALID for what no operation could name,
   * move or delete.
   */
  async all(directory: FilePath): Promise<TreeEntry[]> {
    const entries: TreeEntry[] = [];
    const pending: FilePath[] = [directory];
    for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
      const entry = await this.look(path);
      if (!entry) continue;
      if (entries.push(entry) > this.entriesMax)
        throw new LimitExceededError({ field: "path", limit: `${this.entriesMax} files and directories at once` });
      if (entry.type === "directory") pending.push(...(await this.childrenOf(path)));
    }
    if (entries.length === 0) throw new PathNotFoundError({ path: directory });
    return entries;
  }

  private async childrenOf(directory: FilePath): Promise<FilePath[]> {
    const entries = await unless(["ENOENT", "ENOTDIR"], this.volume.listLive(directory)).catch(notPlain(directory));
    return (entries ?? []).map(({ name }) => {
      const path = `${directory}/${name}`;
      if (problemOfPath(path) !== undefined) throw new PathNotPlainError({ path: directory, what: "name it refuses" });
      return path as FilePath;
    });
  }

  /** undefined when it is gone meanwhile. */
  private async look(path: FilePath): Promise<TreeEntry | undefined> {
    const live = await unless(["ENOENT"], this.volume.locate(path)).catch(notPlain(path));
    if (!live) return undefined;
    await using held = live;
    const stats = await this.volume.stat(held);
    if (!stats) return undefined;
    const { type, mode } = stats;
    if (type !== "file" && type !== "directory") throw new PathNotPlainError({ path, what: type });
    return { path, type, mode };
  }
}

const notPlain =
  (path: FilePath) =>
  (error: unknown): never => {
    if (error instanceof NotPlainError) throw new PathNotPlainError({ path, what: error.what });
    throw error;
  };
