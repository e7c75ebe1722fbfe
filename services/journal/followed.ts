import { type IncarnationId, partsOf } from "../model/operation.js";
import type { Volume } from "../volume/volume.js";
import { FrameType } from "./frame.js";
import { JOURNAL_START, journalDirectory, segmentOf } from "./position.js";
import { JournalCorruptError, JournalReader } from "./reader.js";
import { decodeOperation } from "./record.js";
import { type Place, Table } from "./table.js";

/**
 * Finds records in the journal of another incarnation. What is looked for is most often new, so it reads the newest
 * segment first, follows what is added to that, and goes back by whole segments only for what it has not found.
 */
export class Followed {
  private readonly table = new Table();
  private reader: JournalReader | undefined;
  /** Reads on where `reader` is blocked by damage; begun when that is first met. */
  private salvager: JournalReader | undefined;
  /** Segments from here on are in the table; 0 before the first look. */
  private first = 0;
  private followedFrom = 0;
  /** One at a time: they share the readers. */
  private looking: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly volume: Volume,
    private readonly incarnation: IncarnationId,
    private readonly recordBytesMax: number,
  ) {}

  /** Somebody else has read the record of operation `sequence` there. */
  note(sequence: number, place: Place): void {
    this.table.set(sequence, place);
  }

  /** Where the record of operation `sequence` is; undefined when the journal holds none so far. */
  find(sequence: number): Promise<Place | undefined> {
    const known = this.table.get(sequence);
    if (known) return Promise.resolve(known);
    const found = this.looking.catch(() => undefined).then(() => this.look(sequence));
    this.looking = found;
    return found;
  }

  private async look(sequence: number): Promise<Place | undefined> {
    if (this.table.get(sequence)) return this.table.get(sequence);
    await this.readOn();
    while (!this.table.get(sequence) && this.first > 1) {
      // Salvaging: one damaged record must not take the sound ones with it.
      await this.fill(this.readerOf(this.first - 1, "salvaging", true));
      this.first -= 1;
    }
    return this.table.get(sequence);
  }

  /** Reads what has come since we last looked. */
  private async readOn(): Promise<void> {
    if (!this.reader) {
      const names = (await this.volume.list(this.volume.control(journalDirectory(this.incarnation)))) ?? [];
      this.followedFrom = Math.max(1, ...names.flatMap((name) => segmentOf(name) ?? []));
      this.first = this.followedFrom;
      this.reader = this.readerOf(this.first, "following", false);
    }
    // Damage at the end of a segment is met only when the next one begins: as a gap.
    const isGap = await this.fill(this.reader).then(() => false, isCorrupt);
    if (!isGap && !this.reader.isBlocked) return;
    this.salvager ??= this.readerOf(this.followedFrom, "salvaging", false);
    await this.fill(this.salvager);
  }

  private readerOf(segment: number, reading: "following" | "salvaging", isOneSegment: boolean): JournalReader {
    const from = segment === 1 ? JOURNAL_START : { sequence: undefined, segment, offset: 0 };
    return new JournalReader(this.volume, this.incarnation, this.recordBytesMax, reading, { from, isOneSegment });
  }

  private async fill(reader: JournalReader): Promise<void> {
    for await (const frames of reader.readOn()) {
      for (const { type, payload, at } of frames)
        if (type === FrameType.operation) this.table.set(partsOf(decodeOperation(payload).operation).sequence, at);
    }
  }
}

function isCorrupt(error: unknown): true {
  if (!(error instanceof JournalCorruptError)) throw error;
  return true;
}
