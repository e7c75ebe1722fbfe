import assert from "node:assert/strict";
import { type IncarnationId, incarnationBytes } from "../model/operation.js";
import { DurabilityError, type Handle, type Volume } from "../volume/volume.js";
import { encodeHeader, FRAME_HEADER_BYTES, FrameType } from "./frame.js";
import { journalDirectory, type Mark, type Position, segmentName } from "./position.js";

export interface JournalLimits {
  /** A segment past this size is sealed and the next one begun. */
  readonly segmentBytesMax: number;
  /** How much is zeroed ahead at a time, so that most flushes have no file size to record. */
  readonly growBytes: number;
  /** Kept zeroed for what must be said even on a full volume: that an operation was aborted. */
  readonly reserveBytes: number;
  /** Largest payload of one record; a reader trusts no length above it. */
  readonly recordBytesMax: number;
}

export interface Appended extends Position {
  readonly sequence: number;
  /** Bytes of all records before it, in all segments. */
  readonly bytesBefore: number;
}

/** The end of what is durable of a journal that is being written. */
export interface JournalEnd extends Mark {
  /** Bytes of all records up to there, in all segments. */
  readonly bytes: number;
}

/** Whether a record may use the space that is kept for a full volume. */
type Space = "ordinary" | "reserve";

interface Waiting {
  readonly type: FrameType;
  readonly payload: Uint8Array;
  readonly space: Space;
  readonly done: (appended: Appended) => void;
  readonly failed: (error: unknown) => void;
}

/**
 * The append-only log of this incarnation: one writer, one descriptor kept open, one fdatasync for all that wait
 * (group commit: whoever finds nobody flushing flushes at once, and everybody who comes meanwhile shares the next).
 *
 * Space is zeroed before a group is written. So a full volume is met before any byte of a record is written, and
 * the group is refused cleanly (I11); any later failure may have left records behind, and ends this incarnation (I10).
 */
export class JournalWriter {
  private waiting: Waiting[] = [];
  private flushing: Promise<void> | undefined;
  private failure: unknown;
  private closing = false;
  private sequence = 0;
  private durableSequence = 0;
  private segment = 0;
  private offset = 0;
  private bytes = 0;
  private allocatedBytes = 0;
  private handle: Handle | undefined;
  private readonly id: Buffer;
  private readonly zeros: Uint8Array;

  private constructor(
    private readonly volume: Volume,
    private readonly incarnation: IncarnationId,
    private readonly limits: JournalLimits,
    private readonly onFailure: (error: unknown) => void,
  ) {
    this.id = incarnationBytes(incarnation);
    this.zeros = new Uint8Array(limits.growBytes);
  }

  static async open(
    volume: Volume,
    incarnation: IncarnationId,
    limits: JournalLimits,
    onFailure: (error: unknown) => void,
  ): Promise<JournalWriter> {
    const writer = new JournalWriter(volume, incarnation, limits, onFailure);
    await volume.makeDirectory(volume.control(journalDirectory(incarnation)));
    await volume.syncDirectory(volume.control("journal"));
    await writer.beginSegment();
    await writer.grow(limits.reserveBytes);
    return writer;
  }

  get end(): JournalEnd {
    return { sequence: this.sequence, segment: this.segment, offset: this.offset, bytes: this.bytes };
  }

  /**
   * Resolves when the record is durable (I1). Rejects with ENOSPC, EDQUOT or EROFS when nothing of it was written;
   * with DurabilityError when nobody can know, and then for every later call too.
   */
  append(type: FrameType, payload: Uint8Array, space: Space = "ordinary"): Promise<Appended> {
    if (this.failure) return Promise.reject(this.failure);
    if (this.closing) return Promise.reject(new DurabilityError(new Error("the journal is closed")));
    if (payload.length > this.limits.recordBytesMax)
      return Promise.reject(new RangeError(`${this.limits.recordBytesMax} bytes in one journal record`));
    return new Promise((done, failed) => {
      this.waiting.push({ type, payload, space, done, failed });
      this.flushing ??= this.flush();
    });
  }

  /** Waits for what is under way and closes the descriptor; an error from close counts as one from a flush (I10). */
  async close(): Promise<void> {
    const end = this.append(FrameType.end, new Uint8Array(), "reserve");
    this.closing = true;
    await end.catch(() => undefined); // only vouches for what is durable already
    await this.flushing;
    await this.handle?.[Symbol.asyncDispose]();
    this.handle = undefined;
  }

  private async flush(): Promise<void> {
    // One turn of the event loop lets requests that arrived together share the first flush.
    await new Promise(setImmediate);
    while (this.waiting.length > 0) {
      let group = this.waiting;
      this.waiting = [];
      const ordinary = group.filter((each) => each.space === "ordinary");
      try {
        await this.makeRoom(ordinary);
      } catch (error) {
        for (const each of ordinary) each.failed(error);
        group = group.filter((each) => each.space === "reserve");
      }
      try {
        if (group.length > 0) await this.writeGroup(group);
      } catch (error) {
        for (const each of group) each.failed(error);
      }
    }
    this.flushing = undefined;
  }

  /** Makes sure that the reserve stays whole when `group` is written. Throws what a full volume says. */
  private async makeRoom(group: readonly Waiting[]): Promise<void> {
    if (this.failure) throw this.failure;
    const sizeBytes = sizeOf(group);
    if (sizeBytes === 0) return;
    if (this.offset > 0 && this.offset + sizeBytes > this.limits.segmentBytesMax) await this.beginSegment();
    await this.grow(sizeBytes + this.limits.reserveBytes);
  }

  private async writeGroup(group: Waiting[]): Promise<void> {
    if (this.failure) throw this.failure;
    await this.grow(sizeOf(group));
    const buffers: Uint8Array[] = [];
    const appended: Appended[] = [];
    let offset = this.offset;
    let sequence = this.sequence;
    let bytes = this.bytes;
    for (const each of group) {
      sequence += 1;
      const frame = { ...each, sequence, durableSequence: this.durableSequence };
      buffers.push(encodeHeader(frame, this.id), each.payload);
      appended.push({ incarnation: this.incarnation, segment: this.segment, offset, sequence, bytesBefore: bytes });
      offset += FRAME_HEADER_BYTES + each.payload.length;
      bytes += FRAME_HEADER_BYTES + each.payload.length;
    }
    try {
      await this.open.writeAll(buffers, this.offset);
      await this.open.sync();
    } catch (error) {
      throw this.fail(error);
    }
    this.offset = offset;
    this.sequence = sequence;
    this.bytes = bytes;
    this.durableSequence = sequence;
    for (const [at, each] of group.entries()) each.done(appended[at] as Appended);
  }

  private get open(): Handle {
    assert(this.handle, "a journal is written only before its close");
    return this.handle;
  }

  /** Zeroes ahead until `sizeBytes` more fit. Throws what the volume says when it is full; nothing is lost then. */
  private async grow(sizeBytes: number): Promise<void> {
    while (this.offset + sizeBytes > this.allocatedBytes) {
      await this.open.write(this.zeros, this.allocatedBytes);
      this.allocatedBytes += this.zeros.length;
    }
  }

  private async beginSegment(): Promise<void> {
    const segment = this.segment + 1;
    const handle = await this.volume.create(this.volume.control(segmentName(this.incarnation, segment)));
    try {
      await this.volume.syncDirectory(this.volume.control(journalDirectory(this.incarnation)));
      await this.handle?.[Symbol.asyncDispose]();
    } catch (error) {
      throw this.fail(error);
    }
    this.handle = handle;
    this.segment = segment;
    this.offset = 0;
    this.allocatedBytes = 0;
  }

  private fail(cause: unknown): DurabilityError {
    const failure = cause instanceof DurabilityError ? cause : new DurabilityError(cause);
    if (!this.failure) {
      this.failure = failure;
      this.onFailure(failure);
    }
    return failure;
  }
}

const sizeOf = (group: readonly Waiting[]): number =>
  group.reduce((sum, each) => sum + FRAME_HEADER_BYTES + each.payload.length, 0);
