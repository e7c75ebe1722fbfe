import type { IncarnationId } from "../model/operation.js";
import { unless, type Volume } from "../volume/volume.js";
import { decodeFrame, FRAME_HEADER_BYTES, type Frame, incarnationBytes } from "./frame.js";
import { type Position, segmentName } from "./position.js";

const WINDOW_BYTES = 1024 * 1024;

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
  private segment = 1;
  private offset = 0;
  private sequence = 0;
  private readonly id: Buffer;

  constructor(
    private readonly volume: Volume,
    private readonly incarnation: IncarnationId,
    private readonly recordBytesMax: number,
  ) {
    this.id = incarnationBytes(incarnation);
  }

  /** The frames that have come since the last call, a window at a time. */
  async *readOn(): AsyncGenerator<LocatedFrame[]> {
    for (;;) {
      const frames = await this.readWindow(WINDOW_BYTES);
      if (frames.length > 0) {
        yield frames;
        continue;
      }
      const next = this.volume.control(segmentName(this.incarnation, this.segment + 1));
      if (!(await this.volume.stat(next))) return;
      // The writer begins a segment only after the last group of this one is durable, so look once more.
      const last = await this.readWindow(WINDOW_BYTES);
      if (last.length > 0) {
        yield last;
        continue;
      }
      this.segment += 1;
      this.offset = 0;
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
    for (;;) {
      const frame = decodeFrame(bytes, at, this.id, this.recordBytesMax);
      if (frame === "short" && bytes.length === windowBytes) {
        if (at === 0) return this.readWindow(windowBytes * 2); // one frame larger than the window
        break;
      }
      if (frame === "short" || frame === undefined) {
        this.assertTornTail(bytes, at);
        break;
      }
      if (frame.sequence !== this.sequence + 1)
        throw this.corrupt(at, `sequence ${frame.sequence} where ${this.sequence + 1} was due`);
      if (frame.durableSequence > this.sequence)
        throw this.corrupt(at, `sequence ${frame.durableSequence} was durable, but ${this.sequence} is all there is`);
      frames.push({
        ...frame,
        at: { incarnation: this.incarnation, segment: this.segment, offset: this.offset + at },
      });
      this.sequence = frame.sequence;
      at += frameBytes(frame);
    }
    this.offset += at;
    return frames;
  }

  /** Throws when a valid later frame follows: then what is at `at` was a record once. */
  private assertTornTail(bytes: Buffer, at: number): void {
    for (let found = bytes.indexOf(this.id, at); found !== -1; found = bytes.indexOf(this.id, found + 1)) {
      if (found - 24 <= at) continue;
      const frame = decodeFrame(bytes, found - 24, this.id, this.recordBytesMax);
      if (typeof frame === "object" && frame.sequence > this.sequence)
        throw this.corrupt(at, `bad record before the valid sequence ${frame.sequence}`);
    }
  }

  private corrupt(at: number, problem: string): JournalCorruptError {
    const position = { incarnation: this.incarnation, segment: this.segment, offset: this.offset + at };
    return new JournalCorruptError(position, problem);
  }
}

const frameBytes = (frame: Frame): number => FRAME_HEADER_BYTES + frame.payload.length;

/** Reads the one frame at `position`, checking all of it. Throws JournalCorruptError. */
export async function readFrameAt(volume: Volume, position: Position, recordBytesMax: number): Promise<Frame> {
  const id = incarnationBytes(position.incarnation);
  const name = volume.control(segmentName(position.incarnation, position.segment));
  await using handle = await volume.openRead(name);
  for (let sizeBytes = 8 * 1024; ; sizeBytes *= 4) {
    const buffer = Buffer.allocUnsafe(sizeBytes);
    const bytes = buffer.subarray(0, await handle.read(buffer, position.offset));
    const frame = decodeFrame(bytes, 0, id, recordBytesMax);
    if (frame === "short" && bytes.length === sizeBytes) continue;
    if (typeof frame !== "object") throw new JournalCorruptError(position, "no valid record there");
    return frame;
  }
}
