import { randomUUID } from "node:crypto";
import type { Index } from "../index/index.js";
import type { Journals } from "../journal/journals.js";
import { JOURNAL_START, type Mark } from "../journal/position.js";
import { eachOf } from "../model/each.js";
import { type IncarnationId, NO_OPERATION } from "../model/operation.js";
import { type FilePath, pathHash } from "../model/path.js";
import { changeOf, type OperationRecord, onlyPath } from "../model/record.js";
import { type Batons, isFinished } from "../protocol/baton.js";
import { MissingRecordError } from "../protocol/heads.js";
import type { Settler } from "../protocol/settle.js";
import type { Checkpoints } from "./checkpoints.js";

export interface Rebuilt {
  readonly paths: number;
  readonly revisions: number;
  readonly journals: number;
  readonly records: number;
}

/** What was read of the journals. */
interface Found {
  readonly paths: Set<FilePath>;
  /** Up to where. */
  readonly read: Map<IncarnationId, Mark>;
  records: number;
}

const BATCH = 256;
/** A rebuilder that died is replaced after this long. */
const CLAIM_MS = 5_000;
const CLAIM_RETRY_MS = 100;

/** Makes the index anew from the volume: what the batons name, and all that the journals chain to it (I8). */
export class Rebuild {
  private underWay: Promise<Rebuilt> | undefined;

  constructor(
    private readonly index: Index,
    private readonly journals: Journals,
    private readonly checkpoints: Checkpoints,
    private readonly batons: Batons,
    private readonly settler: Settler,
    /** Paths that are worked on at once. */
    private readonly parallel: number,
  ) {}

  /** Rebuilds, or joins a rebuild under way here; waits for one under way elsewhere first. */
  run(): Promise<Rebuilt> {
    return this.join(() => this.claimAndRebuild());
  }

  /** For a replica that finds the index missing: rebuilds unless somebody else is at it. What it rebuilt, if it did. */
  async runIfMissing(): Promise<Rebuilt | undefined> {
    if (this.underWay || (await this.index.isReady())) return undefined;
    const claim = randomUUID();
    if (!(await this.index.claimRebuild(claim, CLAIM_MS))) return undefined;
    return await this.join(() => this.rebuildUnder(claim));
  }

  private join(work: () => Promise<Rebuilt>): Promise<Rebuilt> {
    this.underWay ??= work().finally(() => {
      this.underWay = undefined;
    });
    return this.underWay;
  }

  private async claimAndRebuild(): Promise<Rebuilt> {
    for (;;) {
      const claim = randomUUID();
      if (await this.index.claimRebuild(claim, CLAIM_MS)) return this.rebuildUnder(claim);
      await new Promise((resolve) => setTimeout(resolve, CLAIM_RETRY_MS));
    }
  }

  private async rebuildUnder(claim: string): Promise<Rebuilt> {
    const renewal = setInterval(() => this.index.renewRebuild(claim, CLAIM_MS).catch(() => undefined), CLAIM_MS / 3);
    try {
      const rebuilt = await this.rebuild();
      if (await this.index.endRebuild(claim)) return rebuilt;
    } finally {
      clearInterval(renewal);
    }
    // Redis lost its memory meanwhile, and the claim with it.
    return this.claimAndRebuild();
  }

  private async rebuild(): Promise<Rebuilt> {
    const found: Found = { paths: new Set(), read: new Map(), records: 0 };
    // A damaged journal is met before anything is forgotten: then the index stays as it was.
    await this.readOn(found);
    // Cleared first: whatever is committed from now on is announced by whoever commits it, and what was committed
    // before is in the journals by now.
    await this.index.clear();
    const { connection } = this.index;
    const ended = await this.checkpoints.ends(await this.journals.incarnations());
    await this.readOn(found);
    let revisions = 0;
    await eachOf(found.paths, this.parallel, async (path) => {
      const indexed = await this.indexPath(path);
      revisions += indexed;
    });
    for (const [incarnation, sequence] of ended) await this.index.account(incarnation, sequence, connection);
    return { paths: found.paths.size, revisions, journals: found.read.size, records: found.records };
  }

  /** Adds what has come into the journals since `found` was last added to. */
  private async readOn(found: Found): Promise<void> {
    for (const incarnation of await this.journals.incarnations()) {
      let at = found.read.get(incarnation) ?? JOURNAL_START;
      for await (const scanned of this.journals.scan(incarnation, { at, isFinal: false, foreignAborts: [] })) {
        at = scanned.next;
        found.records += 1;
        if (scanned.type === "operation") for (const { path } of scanned.record.changes) found.paths.add(path);
      }
      found.read.set(incarnation, at);
    }
  }

  /** Indexes the chain of `path`, oldest last: the head that the last batch sets only ever moves forward. */
  private async indexPath(path: FilePath): Promise<number> {
    let revisions = 0;
    let batch: OperationRecord[] = [];
    for await (const record of this.chain(path)) {
      batch.push(record);
      revisions += changeOf(record, path)?.external ? 2 : 1;
      if (batch.length < BATCH) continue;
      await this.index.reapply(batch.map((each) => onlyPath(each, path)));
      batch = [];
    }
    if (batch.length > 0) await this.index.reapply(batch.map((each) => onlyPath(each, path)));
    return revisions;
  }

  /** The committed operations of `path`, newest first. */
  private async *chain(path: FilePath): AsyncGenerator<OperationRecord> {
    const baton = await this.batons.look(pathHash(path));
    let operation = baton?.last ?? NO_OPERATION;
    // An unfinished owner that is gone from its staging place has decided, unless it was stopped.
    if (baton && !isFinished(baton) && (await this.settler.hasDecided(baton.owner))) {
      const record = await this.journals.find(baton.owner);
      // It may only have looked at this path.
      if (!record || changeOf(record, path)) operation = baton.owner;
    }
    while (operation !== NO_OPERATION) {
      const record = await this.journals.find(operation);
      const change = record && changeOf(record, path);
      if (!record || !change) throw new MissingRecordError(operation);
      yield record;
      operation = change.baseOperation;
    }
  }
}
