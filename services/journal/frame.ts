/**
 * One frame of the journal, little endian:
 *
 *     0  u32  CRC-32C of everything after this field
 *     4  u32  number of payload bytes
 *     8  u64  sequence: consecutive within the incarnation, from 1
 *    16  u64  the last sequence known durable when this frame was written
 *    24  16B  the incarnation's ULID: a frame of another journal never validates here
 *    40  u8   type
 *    41       payload
 *
 * The durable sequence lets a reader notice a journal cut exactly between two frames: whoever acknowledged
 * sequence n wrote it into every later frame.
 */
import { crc32c } from "@node-rs/crc32";

export const FRAME_HEADER_BYTES = 41;

export enum FrameType {
  operation = 1,
  abort = 2,
  /** Nothing comes after it: the last records before an orderly end are vouched for by its durable sequence. */
  end = 3,
  /** The only frame of a checkpoint's file; never in a journal. */
  checkpoint = 4,
}

export interface Frame {
  readonly type: FrameType;
  readonly sequence: number;
  readonly durableSequence: number;
  readonly payload: Uint8Array;
}

/** The frame's header, to be written right before its payload. */
export function encodeHeader(
  frame: { type: FrameType; sequence: number; durableSequence: number; payload: Uint8Array },
  incarnation: Buffer,
): Buffer {
  const header = Buffer.allocUnsafe(FRAME_HEADER_BYTES);
  header.writeUInt32LE(frame.payload.length, 4);
  header.writeBigUInt64LE(BigInt(frame.sequence), 8);
  header.writeBigUInt64LE(BigInt(frame.durableSequence), 16);
  incarnation.copy(header, 24);
  header.writeUInt8(frame.type, 40);
  header.writeUInt32LE(crc32c(frame.payload, crc32c(header.subarray(4))), 0);
  return header;
}

/** How many bytes the frame at `offset` has, by its header, which may be damaged. */
export const frameBytesAt = (bytes: Buffer, offset: number): number =>
  FRAME_HEADER_BYTES + bytes.readUInt32LE(offset + 4);

/**
 * The frame that starts at `offset` of `bytes`; undefined when there is no valid one, `"short"` when its payload
 * reaches past the end of `bytes`.
 */
export function decodeFrame(
  bytes: Buffer,
  offset: number,
  incarnation: Buffer,
  payloadBytesMax: number,
): Frame | "short" | undefined {
  if (offset + FRAME_HEADER_BYTES > bytes.length) return "short";
  if (bytes.compare(incarnation, 0, 16, offset + 24, offset + 40) !== 0) return undefined;
  const payloadBytes = bytes.readUInt32LE(offset + 4);
  if (payloadBytes > payloadBytesMax) return undefined;
  const end = offset + FRAME_HEADER_BYTES + payloadBytes;
  if (end > bytes.length) return "short";
  if (crc32c(bytes.subarray(offset + 4, end)) !== bytes.readUInt32LE(offset)) return undefined;
  return {
    type: bytes.readUInt8(offset + 40),
    sequence: Number(bytes.readBigUInt64LE(offset + 8)),
    durableSequence: Number(bytes.readBigUInt64LE(offset + 16)),
    payload: bytes.subarray(offset + FRAME_HEADER_BYTES, end),
  };
}
