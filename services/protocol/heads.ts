import { LRUCache } from "lru-cache";
import type { Journals } from "../journal/journals.js";
import { type Content, sameBytes, sameXattrs } from "../model/content.js";
import { NO_OPERATION, type OperationId } from "../model/operation.js";
import type { FilePath } from "../model/path.js";
import { changeOf, leavesNothing, type OperationRecord, type PathChange } from "../model/record.js";
import { digestOf } from "../store/store.js";
import { type Name, NotPlainError, type Stat, unless, type Volume } from "../volume/volume.js";

/** The newest committed change of a path. */
export interface Head {
  readonly record: OperationRecord;
  readonly change: PathChange;
}

interface Seen {
  readonly operation: OperationId;
  /** A rename gives the file that it replaces the same change time, so that alone does not tell which file it was. */
  readonly inode: bigint;
  readonly ctimeNs: bigint;
}

/**
 * Tells whether a live file is what an operation published. Inode, size and modification time are in the record, and
 * the change time that we saw ourselves is remembered here; when those do not prove it, the bytes are compared.
 */
export class Heads {
  private readonly seen: LRUCache<FilePath, Seen>;

  constructor(
    private readonly volume: Volume,
    private readonly journals: Journals,
    entriesMax: number,
  ) {
    this.seen = new LRUCache({ max: entriesMax });
  }

  /** The change of `path` by `operation`; undefined for NO_OPERATION. Throws when its record is missing (I9). */
  async headAt(path: FilePath, operation: OperationId): Promise<Head | undefined> {
    if (operation === NO_OPERATION) return undefined;
    const record = await this.journals.find(operation);
    const change = record && changeOf(record, path);
    if (!record || !change) throw new MissingRecordError(operation);
    return { record, change };
  }

  /** Remembers what `operation`'s file looked like right after it was published. */
  remember(path: FilePath, operation: OperationId, stats: Stat): void {
    this.seen.set(path, { operation, inode: stats.inode, ctimeNs: stats.ctimeNs });
  }

  /** Whether the plain file with `stats` is as it was when it was seen to be what `head` left. */
  hasSeen({ record, change: { path, content } }: Head, stats: Stat): boolean {
    const seen = this.seen.get(path);
    const isSame = seen?.operation === record.operation && seen.inode === stats.inode && seen.ctimeNs === stats.ctimeNs;
    return isSame && stats.sizeBytes === content?.sizeBytes && sameRights(content, stats);
  }

  /** Whether what is at `live` (with `stats`, undefined for nothing) is what `head` (undefined for nothing) left. */
  async isLive(head: Head | undefined, live: Name, stats: Stat | undefined): Promise<boolean> {
    const content = head?.change.content;
    // Directories come and go with what is in them, also without a change of their own.
    if (!content && stats?.type === "directory") return true;
    if (!head || !content) return stats === undefined && (!head || leavesNothing(head.change));
    if (stats?.type !== "file" || stats.sizeBytes !== content.sizeBytes || !sameRights(content, stats)) return false;
    if (this.hasSeen(head, stats)) return true;
    const { path, inode, mtimeNs } = head.change;
    const { operation } = head.record;
    const seen = this.seen.get(path);
    // Extended attributes change the change time only.
    if (!sameXattrs(await this.volume.xattrs(live), content.xattrs)) return false;
    if (seen?.operation === operation || inode !== stats.inode || mtimeNs !== stats.mtimeNs) {
      const handle = await unless(["ENOENT"], this.volume.openRead(live)).catch(ignoreNotPlain);
      if (!handle) return false;
      await using open = handle;
      if ((await open.stat()).inode !== stats.inode) return false;
      if (!sameBytes(await digestOf(open, stats.sizeBytes), content.sha256)) return false;
    }
    this.seen.set(path, { operation, inode: stats.inode, ctimeNs: stats.ctimeNs });
    return true;
  }
}

/** Whether mode and owner are those of `content`. */
export const sameRights = ({ mode, owner }: Pick<Content, "mode" | "owner">, stats: Stat): boolean =>
  stats.mode === mode && stats.owner.uid === owner.uid && stats.owner.gid === owner.gid;

/** A baton or a record names an operation that no journal holds. */
export class MissingRecordError extends Error {
  constructor(readonly operation: OperationId) {
    super(`no journal holds the record of operation ${operation}`);
    this.name = "MissingRecordError";
  }
}

function ignoreNotPlain(error: unknown): undefined {
  if (!(error instanceof NotPlainError)) throw error;
  return undefined;
}

/** The etag of what a path holds: of the revision, or of what somebody outside put there. Quoted (RFC 9110). */
export const etagOf = (operation: OperationId): string => `"${operation}"`;
export const outsideEtagOf = (stats: Stat): string =>
  `"x-${stats.inode.toString(36)}-${stats.sizeBytes.toString(36)}-${stats.mtimeNs.toString(36)}"`;
