import { type IncarnationId, incarnationBytes } from "../model/operation.js";
import { type Handle, unless, type Volume } from "../volume/volume.js";
import { decodeFrame, FRAME_HEADER_BYTES, type Frame, frameBytesAt } from "./frame.js";
import { JOURNAL_START, type Mark, type Position, segmentName } from "./position.js";

/** How to take what follows the last valid record: `strict` looks through all of the segment for a sign that it was a
 * record once; `following` a live writer leaves it for the next time;
 * `salvaging` goes on behind it, where later records vouch that it is damage. */
export type Reading = "strict" | "following" | "salvaging";

const WINDOW_BYTES = 1024 * 1024;

/** Which part of a journal is read; all of it unless said otherwise. */
export interface Span {
  /** Where to begin; with `sequence` undefined for the start of a segment of which no more is known. */
  readonly from?: Omit<Mark, "sequence"> & { readonly sequence: number | undefined };
  /** To end with the segment it begins in. */
  readonly isOneSegment?: boolean;
  /** How much is read at once: less where hardly anything is to be expected. */
  readonly windowBytes?: number;
}

export interface LocatedFrame extends Frame {
  readonly at: Position;
}

/** A record does not read back as it was written, though records after it do (I9). */
export class JournalCorruptError extends Error {
  constructor(
    readonly at: Position,
    problem: string,
  ) {
    super(`journal ${at.incarnation}, segment ${at.segment}, offset ${at.offset}: ${problem}`);
    this.name = "JournalCorruptError";
  }
}

/**
 * Reads one journal from the start, and on from where it was when called again: so it follows a journal that is
 * still being written, too. What follows the last valid frame is a torn tail when nothing valid comes after it,
 * and corruption otherwise.
 */
export class JournalReader {
  private segment: number;
  private offset: number;
  /** Undefined until the first record of a segment in the middle says which it is. */
  private sequence: number | undefined;
  private readonly id: Buffer;
  /** Whether later records say that what the last look stopped at is damaged, or was not to be seen yet. */
  isBlocked = false;

  constructor(
    private readonly volume: Volume,
    private readonly incarnation: IncarnationId,
    private readonly recordBytesMax: number,
    private readonly reading: Reading,
    private readonly span: Span = {},
  ) {
    this.id = incarnationBytes(incarnation);
    ({ segment: this.segment, offset: this.offset, sequence: this.sequence } = span.from ?? JOURNAL_START);
  }

  /** The frames that have come since the last call, a window at a time. */
  async *readOn(): AsyncGenerator<LocatedFrame[]> {
    const windowBytes = this.span.windowBytes ?? WINDOW_BYTES;
    for (;;) {
      const frames = await this.readWindow(windowBytes);
      if (frames.length > 0) {
        yield frames;
        continue;
      }
      if (this.span.isOneSegment) return;
      const next = this.volume.control(segmentName(this.incarnation, this.segment + 1));
      if (!(await this.volume.stat(next))) return;
      // The writer begins a segment only after the last group of this one is durable, so look once more.
      const last = await this.readWindow(windowBytes);
      if (last.length > 0) {
        yield last;
        continue;
      }
      this.segment += 1;
      this.offset = 0;
      // What was last in the segment before may be damaged, too.
      if (this.reading === "salvaging") this.sequence = undefined;
    }
  }

  private async readWindow(windowBytes: number): Promise<LocatedFrame[]> {
    const name = this.volume.control(segmentName(this.incarnation, this.segment));
    const handle = await unless(["ENOENT"], this.volume.openRead(name));
    if (!handle) return [];
    await using open = handle;
    const window = Buffer.allocUnsafe(windowBytes);
    const bytes = window.subarray(0, await open.read(window, this.offset));
    const frames: LocatedFrame[] = [];
    let at = 0;
    let sequence = this.sequence;
    for (;;) {
      const frame = decodeFrame(bytes, at, this.id, this.recordBytesMax);
      if (frame === "short" && bytes.length === windowBytes) {
        if (at === 0) return await this.readWindow(windowBytes * 2); // one frame larger than the window
        break;
      }
      if (frame === "short" || frame === undefined) {
        const before = sequence ?? -1;
        if (this.reading === "strict" && !(await this.isTornTail(open, this.offset + at, before)))
          return await this.readWindow(windowBytes); // it has come meanwhile
        const next = this.reading === "strict" ? undefined : this.behindDamage(bytes, at, before);
        this.isBlocked = next !== undefined;
        if (!next || this.reading === "following") break;
        [at, sequence] = next;
        continue;
      }
      sequence ??= frame.sequence - 1;
      if (frame.sequence !== sequence + 1)
        throw this.corrupt(at, `sequence ${frame.sequence} where ${sequence + 1} was due`);
      if (frame.durableSequence > sequence)
        throw this.corrupt(at, `sequence ${frame.durableSequence} was durable, but ${sequence} is all there is`);
      frames.push({
        ...frame,
        at: { incarnation: this.incarnation, segment: this.segment, offset: this.offset + at },
      });
      sequence = frame.sequence;
      at += FRAME_HEADER_BYTES + frame.payload.length;
    }
    this.sequence = sequence;
    this.offset += at;
    return frames;
  }

  /**
   * False when the record due here has been written since we looked. Throws when a later frame says that the record due here was durable once. Valid frames of the same group prove
   * nothing: of a group that was never flushed, any pages may have reached the disk.
   */
  private async isTornTail(handle: Handle, from: number, sequence: number): Promise<boolean> {
    for (let offset = from, isEnd = false; !isEnd; offset += WINDOW_BYTES) {
      // Windows overlap by the largest record, so that none hides on a seam.
      const window = Buffer.allocUnsafe(WINDOW_BYTES + FRAME_HEADER_BYTES + this.recordBytesMax);
      const bytes = window.subarray(0, await handle.read(window, offset));
      for (let found = bytes.indexOf(this.id); found !== -1; found = bytes.indexOf(this.id, found + 1)) {
        if (found < 24 || found - 24 + offset <= from) continue;
        const frame = decodeFrame(bytes, found - 24, this.id, this.recordBytesMax);
        if (typeof frame !== "object" || frame.durableSequence <= sequence) continue;
        if (await this.hasCome(handle, from, sequence)) return false;
        throw this.corrupt(from - this.offset, `bad record, though sequence ${frame.sequence} says it was durable`);
      }
      isEnd = bytes.length < window.length;
    }
    return true;
  }

  /**
   * Where the records go on behind damage: at the first later one that vouches for what should be at `at`. For whoever
   * looks for a single record: one that is damaged must not take the sound ones with it.
   */
  private behindDamage(bytes: Buffer, at: number, sequence: number): [at: number, sequence: number] | undefined {
    for (let found = bytes.indexOf(this.id, at); found !== -1; found = bytes.indexOf(this.id, found + 1)) {
      const frame = found - 24 > at && decodeFrame(bytes, found - 24, this.id, this.recordBytesMax);
      if (typeof frame === "object" && frame.durableSequence > sequence) return [found - 24, frame.sequence - 1];
    }
    return undefined;
  }

  /** Whether the record due at `from` is there by now: another process may be writing this journal. */
  private async hasCome(handle: Handle, from: number, sequence: number): Promise<boolean> {
    const bytes = Buffer.allocUnsafe(FRAME_HEADER_BYTES + this.recordBytesMax);
    const frame = decodeFrame(bytes.subarray(0, await handle.read(bytes, from)), 0, this.id, this.recordBytesMax);
    return typeof frame === "object" && frame.sequence === sequence + 1;
  }

  private corrupt(at: number, problem: string): JournalCorruptError {
    const position = { incarnation: this.incarnation, segment: this.segment, offset: this.offset + at };
    return new JournalCorruptError(position, problem);
  }
}

/** Reads the one frame at `position`, checking all of it. Throws JournalCorruptError. */
export async function readFrameAt(volume: Volume, position: Position, recordBytesMax: number): Promise<Frame> {
  const id = incarnationBytes(position.incarnation);
  const name = volume.control(segmentName(position.incarnation, position.segment));
  for (let sizeBytes = 8 * 1024; ; ) {
    const piece = await volume.readPiece(name, sizeBytes, position.offset);
    const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.length);
    const frame = decodeFrame(bytes, 0, id, recordBytesMax);
    if (typeof frame === "object") return frame;
    if (frame === undefined || bytes.length < sizeBytes)
      throw new JournalCorruptError(position, "no valid record there");
    sizeBytes = frameBytesAt(bytes, 0);
  }
}
