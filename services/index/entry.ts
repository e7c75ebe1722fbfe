import { incarnationBytes, incarnationOf, type OperationId, operationId, partsOf } from "../model/operation.js";
import type { ChangeKind } from "../model/record.js";

/** What a revision is: a change of ours, or one found to have come from outside. */
export type RevisionKind = ChangeKind | "EXTERNAL" | "EXTERNAL_DELETE";

/** One revision as the index keeps it. */
export interface RevisionEntry {
  readonly revision: number;
  readonly operation: OperationId;
  readonly kind: RevisionKind;
  readonly timeMs: number;
  readonly mode: number;
  readonly sizeBytes: number;
  /** Empty for deletes. */
  readonly sha256: Uint8Array;
}

/** By its number in a packed entry: only ever added to. */
const KINDS: readonly RevisionKind[] = [
  "WRITE",
  "DELETE",
  "ROLLBACK",
  "RESTORE",
  "EXTERNAL",
  "EXTERNAL_DELETE",
  "MOVE",
  "COPY",
  "APPEND",
  "PATCH",
  "ATTRIBUTES",
  "MAKE_DIRECTORY",
  "REMOVE_DIRECTORY",
];
const PACKED_BYTES = 69;
const HAS_CONTENT = 0x80;

/** 69 bytes: kind u8, mode u16, time u48, size u48, incarnation 16, sequence u48, sha256 32. */
export function packEntry(entry: RevisionEntry): Buffer {
  const packed = Buffer.alloc(PACKED_BYTES);
  const { incarnation, sequence } = partsOf(entry.operation);
  packed.writeUInt8(KINDS.indexOf(entry.kind) | (entry.sha256.length > 0 ? HAS_CONTENT : 0), 0);
  packed.writeUInt16LE(entry.mode, 1);
  packed.writeUIntLE(entry.timeMs, 3, 6);
  packed.writeUIntLE(entry.sizeBytes, 9, 6);
  incarnationBytes(incarnation).copy(packed, 15);
  packed.writeUIntLE(sequence, 31, 6);
  packed.set(entry.sha256, 37);
  return packed;
}

/** Undefined for anything that `packEntry` did not write: the index is untrusted input. */
export function unpackEntry(revision: number, packed: Buffer): RevisionEntry | undefined {
  const kind = packed.length === PACKED_BYTES ? KINDS[packed.readUInt8(0) & ~HAS_CONTENT] : undefined;
  if (!kind) return undefined;
  return {
    revision,
    kind,
    operation: operationId(incarnationOf(packed.subarray(15, 31)), packed.readUIntLE(31, 6)),
    mode: packed.readUInt16LE(1),
    timeMs: packed.readUIntLE(3, 6),
    sizeBytes: packed.readUIntLE(9, 6),
    sha256: packed.readUInt8(0) >= HAS_CONTENT ? packed.subarray(37) : new Uint8Array(),
  };
}
