import { create, toBinary } from "@bufbuild/protobuf";
import { UploadFileRequestSchema, type UploadHeader } from "./gen/safefile/v1/file_ops_service_pb.js";

/** One message of an upload, before it is encoded. */
export type UploadFrame = { readonly header: UploadHeader } | UploadChunk;

export interface UploadChunk {
  readonly data: Uint8Array;
  readonly offset: number;
  /** Undefined means that the server does not check. */
  readonly crc32c: number | undefined;
}

/** Tags, lengths and numbers around the data: 1 + 10, 1 + 5, 1 + 10 and 1 + 4 bytes at most. */
const OVERHEAD_BYTES_MAX = 33;

/** Encodes a frame as UploadFileRequest. */
export function encodeUploadFrame(frame: UploadFrame): Buffer {
  if ("data" in frame) return encodeChunk(frame);
  const message = create(UploadFileRequestSchema, { part: { case: "header", value: frame.header } });
  const bytes = toBinary(UploadFileRequestSchema, message);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * By hand, because nearly all bytes of an upload pass here: one copy of the data instead of three, and no buffer
 * that grows by doubling. The bytes are those of `toBinary`; a test compares them.
 */
function encodeChunk({ data, offset, crc32c }: UploadChunk): Buffer {
  const innerBytes =
    (data.length > 0 ? 1 + varintBytes(data.length) + data.length : 0) +
    (offset > 0 ? 1 + varintBytes(offset) : 0) +
    (crc32c === undefined ? 0 : 5);
  const out = Buffer.allocUnsafe(innerBytes + OVERHEAD_BYTES_MAX);
  // UploadFileRequest.chunk = 2, length-delimited.
  out[0] = 0x12;
  let at = writeVarint(out, 1, innerBytes);
  if (data.length > 0) {
    // ContentChunk.data = 1, length-delimited.
    out[at] = 0x0a;
    at = writeVarint(out, at + 1, data.length);
    out.set(data, at);
    at += data.length;
  }
  if (offset > 0) {
    // ContentChunk.offset = 2, varint.
    out[at] = 0x10;
    at = writeVarint(out, at + 1, offset);
  }
  if (crc32c !== undefined) {
    // ContentChunk.crc32c = 3, fixed 32 bits.
    out[at] = 0x1d;
    at = out.writeUInt32LE(crc32c, at + 1);
  }
  return out.subarray(0, at);
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

/** Division instead of shifts: offsets pass 32 bits. */
function writeVarint(out: Buffer, start: number, value: number): number {
  let at = start;
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) out[at++] = (rest % 128) | 128;
  out[at++] = rest;
  return at;
}
