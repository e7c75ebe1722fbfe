import type { IncarnationId, OperationId } from "../model/operation.js";
import { operationId, partsOf } from "../model/operation.js";
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

const KINDS: readonly RevisionKind[] = ["WRITE", "DELETE", "ROLLBACK", "RESTORE", "EXTERNAL", "EXTERNAL_DELETE"];
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const PACKED_BYTES = 69;

/** 69 bytes: kind u8, mode u16, time u48, size u48, incarnation 16, sequence u48, sha256 32. */
export function packEntry(entry: RevisionEntry): Buffer {
  const packed = Buffer.alloc(PACKED_BYTES);
  const { incarnation, sequence } = partsOf(entry.operation);
  packed.writeUInt8(KINDS.indexOf(entry.kind), 0);
  packed.writeUInt16LE(entry.mode, 1);
  packed.writeUIntLE(entry.timeMs, 3, 6);
  packed.writeUIntLE(entry.sizeBytes, 9, 6);
  let value = 0n;
  for (const letter of incarnation) value = (value << 5n) | BigInt(ALPHABET.indexOf(letter));
  packed.writeBigUInt64BE(value >> 64n, 15);
  packed.writeBigUInt64BE(value & 0xffffffffffffffffn, 23);
  packed.writeUIntLE(sequence, 31, 6);
  packed.set(entry.sha256, 37);
  return packed;
}

/** Undefined for anything that `packEntry` did not write: the index is untrusted input. */
export function unpackEntry(revision: number, packed: Buffer): RevisionEntry | undefined {
  const kind = packed.length === PACKED_BYTES ? KINDS[packed.readUInt8(0)] : undefined;
  if (!kind) return undefined;
  let value = (packed.readBigUInt64BE(15) << 64n) | packed.readBigUInt64BE(23);
  let incarnation = "";
  for (let letter = 0; letter < 26; letter++, value >>= 5n) incarnation = ALPHABET[Number(value & 31n)] + incarnation;
  const hasContent = kind !== "DELETE" && kind !== "EXTERNAL_DELETE";
  return {
    revision,
    kind,
    operation: operationId(incarnation as IncarnationId, packed.readUIntLE(31, 6)),
    mode: packed.readUInt16LE(1),
    timeMs: packed.readUIntLE(3, 6),
    sizeBytes: packed.readUIntLE(9, 6),
    sha256: hasContent ? packed.subarray(37) : new Uint8Array(),
  };
}
