import { LRUCache } from "lru-cache";
import type { OperationId } from "../model/operation.js";
import { type FilePath, pathHash } from "../model/path.js";
import { type Head, type Heads, MissingRecordError } from "../protocol/heads.js";
import type { Revisions } from "../query/revisions.js";

/** Operations known to be in the history of their path: what is there stays there, so this needs no update. */
const PROVEN_MAX = 100_000;
/** A cache of a network file system gets this many looks to show the newest head. */
const LOOKS_MAX = 10;
const LOOK_MS = 50;

/** Reads from the volume what Redis only hints at (I8). */
export class Chains {
  private readonly proven = new LRUCache<string, true>({ max: PROVEN_MAX });

  constructor(
    private readonly revisions: Pick<Revisions, "head">,
    private readonly heads: Pick<Heads, "headAt">,
  ) {}

  /** The change of `path` that `operation` made as `revision`; undefined when that is not in the path's history. */
  async find(path: FilePath, operation: OperationId, revision: number): Promise<Head | undefined> {
    const found = await this.heads.headAt(path, operation).catch((error: unknown) => {
      if (!(error instanceof MissingRecordError)) throw error;
      return undefined;
    });
    if (found?.change.revision !== revision) return undefined;
    if (this.proven.has(keyOf(path, operation))) return found;
    for (let look = 1; ; look++) {
      const head = await this.revisions.head(path);
      if (head && head.change.revision >= revision)
        return (await this.leadsTo(head, operation, revision)) ? found : undefined;
      if (look === LOOKS_MAX) return undefined;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  private async leadsTo(head: Head, operation: OperationId, revision: number): Promise<boolean> {
    const { path } = head.change;
    const met: string[] = [];
    for (let at: Head | undefined = head; at && at.change.revision >= revision; at = await this.before(at)) {
      met.push(keyOf(path, at.record.operation));
      if (at.record.operation !== operation) continue;
      for (const each of met) this.proven.set(each, true);
      return true;
    }
    return false;
  }

  /** The changes before `head`, oldest first, down to revision `after`; undefined for more than `countMax`. */
  async between(after: number, head: Head, countMax: number): Promise<Head[] | undefined> {
    const found: Head[] = [];
    for (let at = await this.before(head); at && at.change.revision > after; at = await this.before(at)) {
      if (found.length === countMax) return undefined;
      found.push(at);
    }
    return found.reverse();
  }

  private before({ change }: Head): Promise<Head | undefined> {
    return this.heads.headAt(change.path, change.baseOperation);
  }
}

const keyOf = (path: FilePath, operation: OperationId): string => `${operation} ${pathHash(path)}`;
