import { LRUCache } from "lru-cache";
import { type IncarnationId, type OperationId, partsOf } from "../model/operation.js";
import type { OperationRecord } from "../model/record.js";
import type { Volume } from "../volume/volume.js";
import { FrameType } from "./frame.js";
import type { Position } from "./position.js";
import { JournalCorruptError, JournalReader, readFrameAt } from "./reader.js";
import { decodeAbort, decodeOperation, encodeAbort, encodeOperation } from "./record.js";
import type { Appended, JournalWriter } from "./writer.js";

/** Where the records of one incarnation are: by sequence of its id. */
class Table {
  private readonly positions: (Omit<Position, "incarnation"> | undefined)[] = [];
  set(sequence: number, at: Position): void {
    this.positions[sequence] = { segment: at.segment, offset: at.offset };
  }
  get(sequence: number): Omit<Position, "incarnation"> | undefined {
    return this.positions[sequence];
  }
}

interface Followed {
  readonly table: Table;
  readonly reader: JournalReader;
  /** Reads on where `reader` is blocked by damage; begun when that is first met. */
  salvager: JournalReader | undefined;
  /** One reader at a time: they share the position. */
  reading: Promise<void>;
}

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
    await this.writer.append(FrameType.abort, encodeAbort(operation, reason), "reserve");
  }

  /** The record of `operation`; undefined when no journal holds one. Throws JournalCorruptError. */
  async find(operation: OperationId): Promise<OperationRecord | undefined> {
    const cached = this.cache.get(operation);
    if (cached) return cached;
    const { incarnation, sequence } = partsOf(operation);
    let place = this.tableOf(incarnation).get(sequence);
    if (!place && incarnation !== this.incarnation) {
      await this.readOn(incarnation);
      place = this.tableOf(incarnation).get(sequence);
    }
    if (!place) return undefined;
    const at = { incarnation, ...place };
    const frame = await readFrameAt(this.volume, at, this.limits.recordBytesMax);
    const record = decodeOperation(frame.payload);
    if (record.operation !== operation)
      throw new JournalCorruptError(at, `${record.operation} instead of ${operation}`);
    this.cache.set(operation, record);
    return record;
  }

  /** The incarnations that have a journal on the volume, oldest first. */
  async incarnations(): Promise<IncarnationId[]> {
    return ((await this.volume.list(this.volume.control("journal"))) ?? []).sort() as IncarnationId[];
  }

  /** Every record of one journal, in the order written. Throws JournalCorruptError. */
  async *scan(incarnation: IncarnationId): AsyncGenerator<Scanned> {
    const reader = new JournalReader(this.volume, incarnation, this.limits.recordBytesMax, "strict");
    for await (const frames of reader.readOn()) {
      for (const frame of frames) {
        if (frame.type === FrameType.operation) {
          yield { type: "operation", sequence: frame.sequence, record: decodeOperation(frame.payload) };
        } else if (frame.type === FrameType.abort) {
          yield { type: "abort", sequence: frame.sequence, operation: decodeAbort(frame.payload) };
        } else if (frame.type !== FrameType.end)
          throw new JournalCorruptError(frame.at, `record of type ${frame.type}, which this version does not know`);
      }
    }
  }

  private tableOf(incarnation: IncarnationId): Table {
    if (incarnation === this.incarnation) return this.own;
    return this.follow(incarnation).table;
  }

  private follow(incarnation: IncarnationId): Followed {
    let followed = this.followed.get(incarnation);
    if (!followed) {
      const reader = new JournalReader(this.volume, incarnation, this.limits.recordBytesMax, "following");
      followed = { table: new Table(), reader, salvager: undefined, reading: Promise.resolve() };
      this.followed.set(incarnation, followed);
    }
    return followed;
  }

  /** Reads what has come to another's journal since we last looked. */
  private readOn(incarnation: IncarnationId): Promise<void> {
    const followed = this.follow(incarnation);
    const reading = followed.reading
      .catch(() => undefined)
      .then(async () => {
        await fill(followed.table, followed.reader);
        if (!followed.reader.isBlocked) return;
        followed.salvager ??= new JournalReader(this.volume, incarnation, this.limits.recordBytesMax, "salvaging");
        await fill(followed.table, followed.salvager);
      });
    followed.reading = reading;
    return reading;
  }
}

async function fill(table: Table, reader: JournalReader): Promise<void> {
  for await (const frames of reader.readOn()) {
    for (const frame of frames) {
      if (frame.type !== FrameType.operation) continue;
      table.set(partsOf(decodeOperation(frame.payload).operation).sequence, frame.at);
    }
  }
}

export type Scanned =
  | { readonly type: "operation"; readonly sequence: number; readonly record: OperationRecord }
  | { readonly type: "abort"; readonly sequence: number; readonly operation: OperationId };

const inlineBytes = (record: OperationRecord): number =>
  record.changes.reduce((sum, { content }) => sum + (content && "inline" in content.body ? content.sizeBytes : 0), 0);
