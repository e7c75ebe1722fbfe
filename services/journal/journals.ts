import assert from "node:assert/strict";
import { LRUCache } from "lru-cache";
import { type IncarnationId, type OperationId, partsOf } from "../model/operation.js";
import type { OperationRecord } from "../model/record.js";
import type { Volume } from "../volume/volume.js";
import { Followed } from "./followed.js";
import { FRAME_HEADER_BYTES, FrameType } from "./frame.js";
import { JOURNAL_START, journalDirectory, type Mark, segmentOf } from "./position.js";
import { JournalCorruptError, JournalReader, type Reading, readFrameAt, type Span } from "./reader.js";
import { type Checkpoint, decodeAbort, decodeOperation, encodeAbort, encodeOperation } from "./record.js";
import { Table } from "./table.js";
import type { Appended, JournalWriter } from "./writer.js";

const FINAL_WINDOW_BYTES = 64 * 1024;

export interface JournalsLimits {
  readonly recordBytesMax: number;
  /** Records kept decoded, so that the base of a busy path is not read again. */
  readonly recordsCachedBytesMax: number;
}

/**
 * All journals of the volume as one: appends to ours, finds any operation's record in any of them. What it returns
 * is read from the volume or was written by us; hints from elsewhere are never believed.
 */
export class Journals {
  private readonly own = new Table();
  private readonly followed = new Map<IncarnationId, Followed>();
  private readonly aborts = new Set<OperationId>();
  private readonly cache: LRUCache<OperationId, OperationRecord>;

  constructor(
    private readonly volume: Volume,
    readonly incarnation: IncarnationId,
    private readonly writer: JournalWriter,
    private readonly limits: JournalsLimits,
  ) {
    this.cache = new LRUCache({
      maxSize: limits.recordsCachedBytesMax,
      sizeCalculation: (record) => 512 + inlineBytes(record),
    });
  }

  /** Resolves when the record is durable. Errors as JournalWriter.append. */
  async append(record: OperationRecord): Promise<Appended> {
    const appended = await this.writer.append(FrameType.operation, encodeOperation(record));
    this.own.set(partsOf(record.operation).sequence, appended);
    this.cache.set(record.operation, record);
    return appended;
  }

  /** Resolves when it is durable that `operation` is not part of any history. */
  async abort(operation: OperationId, reason: string): Promise<void> {
    // Before it is durable: a checkpoint that leaves this record behind must name it. That it was stopped is true by now.
    if (partsOf(operation).incarnation !== this.incarnation) this.aborts.add(operation);
    await this.writer.append(FrameType.abort, encodeAbort(operation, reason), "reserve");
  }

  /** The operations of other incarnations that our journal calls aborted. */
  get foreignAborts(): readonly OperationId[] {
    return [...this.aborts];
  }

  /** What `isOver` is true of need not be named any more. */
  forgetAborts(isOver: (operation: OperationId) => boolean): void {
    for (const operation of this.aborts) if (isOver(operation)) this.aborts.delete(operation);
  }

  /** The record of `operation`; undefined when no journal holds one. Throws JournalCorruptError. */
  async find(operation: OperationId): Promise<OperationRecord | undefined> {
    const cached = this.cache.get(operation);
    if (cached) return cached;
    const { incarnation, sequence } = partsOf(operation);
    const isOwn = incarnation === this.incarnation;
    const place = isOwn ? this.own.get(sequence) : await this.follow(incarnation).find(sequence);
    if (!place) return undefined;
    const at = { incarnation, ...place };
    const frame = await readFrameAt(this.volume, at, this.limits.recordBytesMax);
    // A copy: what is decoded points into its payload, and must not keep the whole buffer that was read.
    const record = decodeOperation(new Uint8Array(frame.payload));
    if (record.operation !== operation)
      throw new JournalCorruptError(at, `${record.operation} instead of ${operation}`);
    this.cache.set(operation, record);
    return record;
  }

  /** The incarnations that have a journal on the volume, oldest first. */
  async incarnations(): Promise<IncarnationId[]> {
    const names = await this.volume.list(this.volume.control("journal"));
    // Ours is in it. A volume whose journals are gone must not pass for one that never had any (I9).
    assert(names, "the directory of the journals is gone");
    return names.sort() as IncarnationId[];
  }

  /**
   * Every record of one journal, in the order written, after `from` when given. Throws JournalCorruptError. Of one whose
   * checkpoint is final, only what is found at once: hardly anything ever follows, and nothing that was vouched for.
   */
  scan(incarnation: IncarnationId, from?: Checkpoint): AsyncGenerator<Scanned> {
    const span = { from: from?.at ?? JOURNAL_START, ...(from?.isFinal ? { windowBytes: FINAL_WINDOW_BYTES } : {}) };
    return this.read(incarnation, from?.isFinal ? "following" : "strict", span);
  }

  /**
   * As `scan`, every record after `sequence`: it reads from the start of the segment which that one is in, and yields
   * what it meets before it, too.
   */
  async *scanSince(incarnation: IncarnationId, sequence: number): AsyncGenerator<Scanned> {
    const names = (await this.volume.list(this.volume.control(journalDirectory(incarnation)))) ?? [];
    let segment = Math.max(1, ...names.flatMap((name) => segmentOf(name) ?? []));
    while (segment > 1 && !(await this.beginsBy(incarnation, segment, sequence))) segment -= 1;
    const from = segment === 1 ? JOURNAL_START : { sequence: undefined, segment, offset: 0 };
    yield* this.read(incarnation, "strict", { from });
  }

  /** Whether a segment's first record is one of up to `sequence`. One that is damaged is met from the segment before. */
  private async beginsBy(incarnation: IncarnationId, segment: number, sequence: number): Promise<boolean> {
    const at = { incarnation, segment, offset: 0 };
    const first = await readFrameAt(this.volume, at, this.limits.recordBytesMax).catch((error: unknown) => {
      if (error instanceof JournalCorruptError) return undefined;
      throw error;
    });
    return first !== undefined && first.sequence <= sequence;
  }

  private async *read(incarnation: IncarnationId, reading: Reading, span: Span): AsyncGenerator<Scanned> {
    const reader = new JournalReader(this.volume, incarnation, this.limits.recordBytesMax, reading, span);
    for await (const frames of reader.readOn()) {
      for (const { type, sequence, payload, at } of frames) {
        const next = { sequence, segment: at.segment, offset: at.offset + FRAME_HEADER_BYTES + payload.length };
        if (type === FrameType.operation) {
          const record = decodeOperation(payload);
          if (incarnation !== this.incarnation) this.follow(incarnation).note(partsOf(record.operation).sequence, at);
          yield { type: "operation", sequence, next, record };
        } else if (type === FrameType.abort) {
          yield { type: "abort", sequence, next, operation: decodeAbort(payload) };
        } else if (type !== FrameType.end)
          throw new JournalCorruptError(at, `record of type ${type}, which this version does not know`);
      }
    }
  }

  private follow(incarnation: IncarnationId): Followed {
    let followed = this.followed.get(incarnation);
    if (!followed) {
      followed = new Followed(this.volume, incarnation, this.limits.recordBytesMax);
      this.followed.set(incarnation, followed);
    }
    return followed;
  }
}

/** A record, and where reading goes on after it. */
export type Scanned =
  | { readonly type: "operation"; readonly sequence: number; readonly next: Mark; readonly record: OperationRecord }
  | { readonly type: "abort"; readonly sequence: number; readonly next: Mark; readonly operation: OperationId };

const inlineBytes = (record: OperationRecord): number =>
  record.changes.reduce((sum, { content }) => sum + (content && "inline" in content.body ? content.sizeBytes : 0), 0);
