import type { Journals } from "../journal/journals.js";
import { JOURNAL_START, type Mark } from "../journal/position.js";
import type { Checkpoint } from "../journal/record.js";
import { eachOf } from "../model/each.js";
import { type IncarnationId, isRepair, NO_OPERATION, type OperationId, partsOf } from "../model/operation.js";
import { type FilePath, pathHash } from "../model/path.js";
import { changeOf, type PathChange } from "../model/record.js";
import { type Baton, type Batons, isFinished } from "../protocol/baton.js";
import { MissingRecordError } from "../protocol/heads.js";
import type { Checkpoints } from "./checkpoints.js";
import { type History, historyOf, type Recorded, type Witness } from "./history.js";
import { type Wave, waveOf } from "./waves.js";

/** What a journal is read for: all of it, or what came after its checkpoint. */
export type Extent = "all" | "unsettled";

/** How far a journal was read, and what it, and the checkpoint it was read from, abort for others. */
interface Reading {
  at: Mark;
  readonly from: Checkpoint | undefined;
  readonly foreignAborts: Set<OperationId>;
}

/** What is kept of a change: journals hold more contents than fit into memory. */
type Change = Recorded["changes"][number] & { readonly wave: Wave };

const essenceOf = ({ path, epoch, baseOperation, kind, content }: PathChange): Change => ({
  path,
  epoch,
  baseOperation,
  wave: waveOf({ kind, content }),
});

/**
 * What the journals, their checkpoints and the batons tell of what is committed. Of what checkpoints vouch for, only
 * those records are read that may speak about one that none vouches for: its path's later ones, by way of the baton.
 */
export class Past {
  private readonly readings = new Map<IncarnationId, Reading>();
  private readonly records = new Map<OperationId, Recorded>();
  /** By path, what was read of it: after the checkpoints first, what speaks about those then. */
  private readonly steps = new Map<FilePath, Map<OperationId, Change>>();
  private readonly aborted = new Set<OperationId>();
  private readonly witnesses = new Map<FilePath, Witness>();

  private constructor(
    private readonly journals: Journals,
    private readonly batons: Batons,
  ) {}

  /** Looks at `parallel` batons at once. */
  static async read(
    journals: Journals,
    checkpoints: Checkpoints,
    batons: Batons,
    extent: Extent,
    parallel: number,
  ): Promise<Past> {
    const past = new Past(journals, batons);
    for (const incarnation of await journals.incarnations())
      await past.readJournal(incarnation, extent === "all" ? undefined : await checkpoints.read(incarnation));
    await eachOf(past.steps, parallel, ([path, read]) => past.readBaton(path, read));
    // Another replayer aborts what it leaves out before it moves the first baton, so whatever it made of a baton that we
    // saw, its aborts are there by now.
    for (const incarnation of await journals.incarnations()) await past.readAborts(incarnation);
    return past;
  }

  /** Throws HistoryError when the journals contradict each other. */
  history(): History {
    const isUnread = (operation: OperationId): boolean =>
      (this.readings.get(partsOf(operation).incarnation)?.from?.at.sequence ?? 0) > 0;
    return historyOf([...this.records.values()], this.aborted, { witnesses: this.witnesses, isUnread });
  }

  /** What `operation` made of `path`, as far as its record was read. */
  waveOf(path: FilePath, operation: OperationId): Wave | undefined {
    return this.steps.get(path)?.get(operation)?.wave;
  }

  /** What a new final checkpoint of `incarnation` says once everything that was read of it is settled. */
  finalOf(incarnation: IncarnationId): Checkpoint | undefined {
    const reading = this.readings.get(incarnation);
    if (!reading || (reading.from?.isFinal && reading.from.at.sequence === reading.at.sequence)) return undefined;
    return { at: reading.at, isFinal: true, foreignAborts: [...reading.foreignAborts] };
  }

  private async readJournal(incarnation: IncarnationId, from: Checkpoint | undefined): Promise<void> {
    const reading: Reading = { at: from?.at ?? JOURNAL_START, from, foreignAborts: new Set(from?.foreignAborts) };
    this.readings.set(incarnation, reading);
    for (const operation of reading.foreignAborts) this.aborted.add(operation);
    for await (const scanned of this.journals.scan(incarnation, from)) {
      reading.at = scanned.next;
      if (scanned.type === "abort") this.noteAbort(incarnation, reading, scanned.operation);
      else this.note(scanned.record.operation, scanned.record.changes);
    }
  }

  private noteAbort(incarnation: IncarnationId, reading: Reading, operation: OperationId): void {
    this.aborted.add(operation);
    if (partsOf(operation).incarnation !== incarnation) reading.foreignAborts.add(operation);
  }

  private note(operation: OperationId, changes: readonly PathChange[]): void {
    const essence = changes.map(essenceOf);
    this.records.set(operation, { operation, changes: essence });
    for (const change of essence) this.stepsOf(change.path).set(operation, change);
  }

  private stepsOf(path: FilePath): Map<OperationId, Change> {
    const steps = this.steps.get(path) ?? new Map<OperationId, Change>();
    this.steps.set(path, steps);
    return steps;
  }

  /** Aborts only: a record that came since is of somebody who found its paths repaired. */
  private async readAborts(incarnation: IncarnationId): Promise<void> {
    const reading = this.readings.get(incarnation);
    if (reading?.from?.isFinal) return;
    const from = { at: reading?.at ?? JOURNAL_START, isFinal: false, foreignAborts: [] };
    for await (const scanned of this.journals.scan(incarnation, from))
      if (scanned.type === "abort") this.aborted.add(scanned.operation);
  }

  /**
   * Reads what lies between the records of `path` that were read: a record that a checkpoint vouches for may be of a
   * later epoch than one that none does, and leave it out. It is committed, so the baton or such a record leads to it.
   */
  private async readBaton(path: FilePath, read: Map<OperationId, Change>): Promise<void> {
    const lowest = Math.min(...[...read.values()].map(({ epoch }) => epoch));
    const later = [...read.values()].filter(({ epoch }) => epoch > lowest).map(({ baseOperation }) => baseOperation);
    for (const operation of later) await this.readBack(path, operation, lowest);
    const baton = await this.batons.look(pathHash(path));
    if (!baton) return;
    if (baton.epoch >= lowest) await this.readBack(path, baton.last, lowest);
    const witness = witnessOf(baton);
    if (witness) this.witnesses.set(path, witness);
  }

  /** Adds `operation` and what it is built on, down to epoch `lowest`, as far as it is not known yet. */
  private async readBack(path: FilePath, operation: OperationId, lowest: number): Promise<void> {
    const steps = this.stepsOf(path);
    for (let at = operation; at !== NO_OPERATION && !steps.has(at); ) {
      const record = await this.journals.find(at);
      const change = record && changeOf(record, path);
      if (!change) throw new MissingRecordError(at);
      if (change.epoch < lowest) return;
      // Only for this path: on its others it has a place among what was read there, or speaks of nothing.
      const step = essenceOf(change);
      const known = this.records.get(at)?.changes ?? [];
      this.records.set(at, { operation: at, changes: [...known, step], isSettled: true });
      steps.set(at, step);
      at = change.baseOperation;
    }
  }
}

/**
 * A finished baton's owner is settled, too. An unfinished repair's says nothing: its epoch was raised, and what it calls
 * the last operation is from before the cut.
 */
function witnessOf(baton: Baton): Witness | undefined {
  const { epoch, owner, last } = baton;
  if (isFinished(baton)) return { epoch: epoch + 1, last };
  return isRepair(owner) ? undefined : { epoch, last };
}
