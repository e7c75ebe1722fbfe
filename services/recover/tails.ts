import type { Index } from "../index/index.js";
import type { Journals } from "../journal/journals.js";
import { eachOf } from "../model/each.js";
import type { IncarnationId } from "../model/operation.js";
import { type FilePath, pathHash } from "../model/path.js";
import { type OperationRecord, withoutBytes } from "../model/record.js";
import type { Batons } from "../protocol/baton.js";
import type { Heads } from "../protocol/heads.js";
import type { Checkpoints } from "./checkpoints.js";

/**
 * Tells Redis what incarnations committed before they ended and Redis does not know: it was not told, or it went back
 * since. Of each journal it reads what lies behind the watermark, and nothing where that is at the end (I8).
 */
export class Tails {
  constructor(
    private readonly index: Index,
    private readonly journals: Journals,
    private readonly checkpoints: Checkpoints,
    private readonly batons: Batons,
    private readonly heads: Heads,
    /** Paths that are worked on at once. */
    private readonly parallel: number,
  ) {}

  /** Indexes the tails of all that have ended. Returns how many operations Redis had not known. */
  async indexAll(): Promise<number> {
    let count = 0;
    const ends = await this.checkpoints.ends(await this.journals.incarnations());
    for (const [incarnation, end] of ends) count += await this.indexTail(incarnation, end);
    return count;
  }

  private async indexTail(incarnation: IncarnationId, end: number): Promise<number> {
    const { connection } = this.index;
    const watermark = await this.index.watermark(incarnation);
    if (watermark >= end) return 0;
    const paths = new Set<FilePath>();
    for await (const scanned of this.journals.scanSince(incarnation, watermark)) {
      if (scanned.type !== "operation" || scanned.sequence <= watermark) continue;
      for (const { path } of scanned.record.changes) paths.add(path);
    }
    let count = 0;
    await eachOf(paths, this.parallel, async (path) => {
      const indexed = await this.indexPath(path);
      count += indexed;
    });
    await this.index.account(incarnation, end, connection);
    return count;
  }

  /** Indexes what is committed on `path` and not indexed yet, oldest first, whoever committed it. Returns how much. */
  async indexPath(path: FilePath): Promise<number> {
    const indexed = await this.index.indexedRevision(path);
    const baton = await this.batons.look(pathHash(path));
    const chain: OperationRecord[] = [];
    let head = baton && (await this.heads.headAt(path, baton.last));
    while (head && head.change.revision > indexed) {
      chain.push(withoutBytes({ ...head.record, changes: [head.change] }));
      if (head.change.baseRevision <= indexed) break; // without looking for a record that may lie far back
      head = await this.heads.headAt(path, head.change.baseOperation);
    }
    for (const record of chain.reverse()) await this.index.apply([record]);
    return chain.length;
  }
}
