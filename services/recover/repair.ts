import type { Index } from "../index/index.js";
import type { Journals } from "../journal/journals.js";
import type { IncarnationId } from "../model/operation.js";
import type { FilePath } from "../model/path.js";
import type { Tails } from "./tails.js";

/** Whoever tells Redis what this replica commits. */
export interface Teller {
  forgotten(): Promise<number | undefined>;
  remembered(confirm: () => Promise<boolean>): Promise<void>;
}

/**
 * Repairs the index when Redis went back: it restarts without the last of what it was told, and looks whole. What each
 * replica told it is in its own journal, so each indexes its own again, from the watermark that is left, and anyone
 * what those wrote that have ended (I8).
 */
export class Repair {
  constructor(
    private readonly index: Index,
    private readonly journals: Journals,
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

  /**
   * By path, from what its baton names down to what is indexed: what came in between may be somebody else's, who has not
   * repeated it yet.
   */
  private async reindex(from: number): Promise<number> {
    const paths = new Set<FilePath>();
    for await (const scanned of this.journals.scanSince(this.own, from)) {
      if (scanned.type !== "operation" || scanned.sequence <= from) continue;
      for (const { path } of scanned.record.changes) paths.add(path);
    }
    let records = 0;
    for (const path of paths) records += await this.tails.indexPath(path);
    return records;
  }
}
