import type { Index } from "../index/index.js";
import type { Journals } from "../journal/journals.js";
import type { IncarnationId, OperationId } from "../model/operation.js";
import { type FilePath, pathHash } from "../model/path.js";
import { type OperationRecord, withoutBytes } from "../model/record.js";
import type { Batons } from "../protocol/baton.js";
import type { Heads } from "../protocol/heads.js";
import type { Tails } from "./tails.js";

/** Whoever tells Redis what this replica commits. */
export interface Teller {
  forgotten(): Promise<number | undefined>;
  remembered(confirm: () => Promise<boolean>): Promise<void>;
}

const BATCH = 64;

/**
 * Repairs the index when Redis went back: it restarts without the last of what it was told, and looks whole. What each
 * replica told it is in its own journal, so each indexes its own again, from the watermark that is left, and anyone
 * what those wrote that have ended (I8).
 */
export class Repair {
  constructor(
    private readonly index: Index,
    private readonly journals: Journals,
    private readonly batons: Batons,
    private readonly heads: Heads,
    private readonly own: IncarnationId,
    private readonly teller: Teller,
    private readonly tails: Tails,
  ) {}

  /** Looks whether Redis went back, and repairs what it forgot. Returns how many records were indexed again. */
  async look(): Promise<number> {
    const from = await this.teller.forgotten();
    if (from === undefined) return 0;
    const run = await this.index.run();
    const builtIn = await this.index.builtIn();
    // A missing index is rebuilt, and one that was built in this life of Redis holds all that was told before.
    if (builtIn === undefined) return 0;
    let records = 0;
    if (builtIn !== run) {
      records += await this.reindex(from);
      records += await this.tails.indexAll();
    }
    // A Redis that restarted meanwhile may have forgotten what was indexed again: then the next look does it once more.
    await this.teller.remembered(async () => (await this.index.run()) === run);
    return records;
  }

  private async reindex(from: number): Promise<number> {
    let records = 0;
    let batch: OperationRecord[] = [];
    const flush = async (): Promise<void> => {
      const committed = await this.committedOf(batch);
      if (committed.length > 0) await this.index.apply(committed);
      records += committed.length;
      batch = [];
    };
    for await (const scanned of this.journals.scanSince(this.own, from)) {
      if (scanned.type !== "operation" || scanned.sequence <= from) continue;
      if (batch.push(withoutBytes(scanned.record)) >= BATCH) await flush();
    }
    await flush();
    return records;
  }

  /** Those that are in the history of a path of theirs, and so of all: the others were stopped, or are under way. */
  private async committedOf(records: readonly OperationRecord[]): Promise<OperationRecord[]> {
    const lowest = new Map<FilePath, number>();
    for (const { changes } of records)
      for (const { path, revision } of changes)
        lowest.set(path, Math.min(revision, lowest.get(path) ?? Number.POSITIVE_INFINITY));
    const chained = new Set<OperationId>();
    for (const [path, revision] of lowest) {
      const baton = await this.batons.look(pathHash(path));
      let at = baton && (await this.heads.headAt(path, baton.last));
      while (at && at.change.revision >= revision) {
        chained.add(at.record.operation);
        at = await this.heads.headAt(path, at.change.baseOperation);
      }
    }
    return records.filter(({ operation }) => chained.has(operation));
  }
}
