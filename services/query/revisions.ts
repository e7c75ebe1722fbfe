import { BackupVersionError, PathNotPlainError } from "../errors/index.js";
import { entriesOf, type RevisionEntry } from "../index/entries.js";
import type { Index } from "../index/index.js";
import type { Content } from "../model/content.js";
import type { RevisionInfo } from "../model/file-info.js";
import type { OperationId } from "../model/operation.js";
import { type FilePath, pathHash } from "../model/path.js";
import type { OperationRecord, PathChange } from "../model/record.js";
import { type Batons, isFinished } from "../protocol/baton.js";
import { type Head, type Heads, MissingRecordError } from "../protocol/heads.js";
import type { Settler } from "../protocol/settle.js";
import type { Files } from "./files.js";

/** Records of a page read at once. */
const READ_PARALLEL = 16;

/**
 * The history of paths. The baton names the head; the index only saves walking the chain in the journals, and what it
 * does not have is read from there (I8).
 */
export class Revisions {
  constructor(
    private readonly index: Index,
    private readonly batons: Batons,
    private readonly heads: Heads,
    private readonly settler: Settler,
    private readonly files: Files,
  ) {}

  /** The newest committed change of `path`; undefined when the service never changed it. */
  async head(path: FilePath): Promise<Head | undefined> {
    const baton = await this.batons.look(pathHash(path));
    if (!baton) return undefined;
    if (!isFinished(baton) && (await this.settler.hasDecided(baton.owner))) {
      const decided = await this.heads.headAt(path, baton.owner).catch(ignoreMissing);
      if (decided) return decided;
    }
    return this.heads.headAt(path, baton.last);
  }

  /** Up to `count` revisions, newest first, below revision `before` (0 for all). Throws PATH_NOT_FOUND. */
  async page(path: FilePath, before: number, count: number): Promise<{ revisions: RevisionInfo[]; more: boolean }> {
    const head = await this.head(path);
    if (!head) {
      // Throws for nothing; a file that the service never wrote has no revisions yet.
      const { type } = await this.files.stat(path);
      if (type !== "file") throw new PathNotPlainError({ path, what: type });
      return { revisions: [], more: false };
    }
    const newest = before > 0 ? Math.min(before - 1, head.change.revision) : head.change.revision;
    const known = await this.index.revisions(path, newest, count);
    const wanted = Array.from({ length: Math.min(count, newest) }, (_, back) => newest - back);
    const revisions: RevisionInfo[] = [];
    for (let at = 0; at < wanted.length; at += READ_PARALLEL) {
      const some = wanted.slice(at, at + READ_PARALLEL);
      revisions.push(
        ...(await Promise.all(some.map((revision) => this.full(path, revision, head, known.get(revision))))),
      );
    }
    return { revisions, more: newest - revisions.length > 0 };
  }

  /** A revision with its record, which the index only helps to find: labels and sources are nowhere else. */
  private async full(path: FilePath, revision: number, head: Head, hint?: OperationId): Promise<RevisionInfo> {
    const hinted = hint && (await this.heads.headAt(path, hint).catch(ignoreMissing));
    const entry = hinted && entryOf(hinted, revision);
    const found = hinted && entry ? { entry, ...hinted } : await this.fromChain(path, revision, head);
    return infoOf(path, found);
  }

  /** One revision with its content; 0 is the newest. Throws BACKUP_VERSION when there is none. */
  async find(path: FilePath, revision: number): Promise<RevisionInfo> {
    const head = await this.head(path);
    const wanted = revision === 0 ? (head?.change.revision ?? 0) : revision;
    if (!head || wanted < 1 || wanted > head.change.revision) throw new BackupVersionError({ path, revision });
    const { entry, record, change } = await this.fromChain(path, wanted, head);
    return infoOf(path, { entry, record, change });
  }

  /** The newest revision committed at or before `timeMs`; undefined when there was none yet. */
  async asOf(path: FilePath, timeMs: number): Promise<RevisionInfo | undefined> {
    const PAGE = 256;
    for (let before = 0; ; ) {
      const { revisions, more } = await this.page(path, before, PAGE);
      const found = revisions.find((each) => each.timeMs <= timeMs);
      if (found || !more) return found;
      before = revisions.at(-1)?.revision ?? 1;
    }
  }

  /** The record that made `revision`, by way of the index where it knows a nearby one, checked against the record. */
  private async fromChain(path: FilePath, revision: number, head: Head): Promise<Found> {
    const newest = entryOf(head, revision);
    if (newest) return { entry: newest, ...head };
    const near = await this.index.revisions(path, revision + 1, 2).catch(() => new Map<number, OperationId>());
    for (const operation of [near.get(revision), near.get(revision + 1)]) {
      const hinted = operation && (await this.heads.headAt(path, operation).catch(ignoreMissing));
      const entry = hinted && entryOf(hinted, revision);
      if (entry) return { entry, ...hinted };
    }
    for (let at: Head | undefined = head; at; at = await this.heads.headAt(path, at.change.baseOperation)) {
      const entry = entryOf(at, revision);
      if (entry) return { entry, ...at };
    }
    throw new BackupVersionError({ path, revision });
  }
}

const entryOf = ({ record, change }: Head, revision: number): RevisionEntry | undefined =>
  entriesOf(record, change).find((entry) => entry.revision === revision);

interface Found {
  readonly entry: RevisionEntry;
  readonly record: OperationRecord;
  readonly change: PathChange;
}

const infoOf = (path: FilePath, { entry, record, change }: Found): RevisionInfo => ({
  path,
  revision: entry.revision,
  kind: entry.kind,
  operation: entry.operation,
  timeMs: entry.timeMs,
  sizeBytes: entry.sizeBytes,
  mode: entry.mode,
  sha256: entry.sha256.length > 0 ? entry.sha256 : undefined,
  record,
  content: contentOf(change, entry.revision),
});

/** The revisions that the change of `path` made, oldest first: an outside change that it found comes before its own. */
export const revisionsOf = (path: FilePath, { record, change }: Head): RevisionInfo[] =>
  entriesOf(record, change).map((entry) => infoOf(path, { entry, record, change }));

/** What `revision`, of the two that a change may have made, holds. */
function contentOf(change: PathChange, revision: number): Content | undefined {
  if (revision === change.revision) return change.content;
  return change.external?.deleted === false ? change.external.content : undefined;
}

function ignoreMissing(error: unknown): undefined {
  if (!(error instanceof MissingRecordError)) throw error;
  return undefined;
}
