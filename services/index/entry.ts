import { incarnationBytes, incarnationOf, type OperationId, operationId, partsOf } from "../model/operation.js";

const INCARNATION_BYTES = 16;
const SEQUENCE_BYTES = 6;
const PACKED_BYTES = INCARNATION_BYTES + SEQUENCE_BYTES;

/**
 * What the index keeps of a revision: the operation that made it, 22 bytes (incarnation 16, sequence u48). Everything
 * else is in that operation's record, which has to be read anyway, and each byte here is one of Redis' memory for ever.
 */
export function packOperation(operation: OperationId): Buffer {
  const packed = Buffer.alloc(PACKED_BYTES);
  const { incarnation, sequence } = partsOf(operation);
  incarnationBytes(incarnation).copy(packed, 0);
  packed.writeUIntLE(sequence, INCARNATION_BYTES, SEQUENCE_BYTES);
  return packed;
}

/** Undefined for anything that `packOperation` did not write: the index is untrusted input. */
export function unpackOperation(packed: Buffer): OperationId | undefined {
  if (packed.length !== PACKED_BYTES) return undefined;
  const incarnation = incarnationOf(packed.subarray(0, INCARNATION_BYTES));
  return operationId(incarnation, packed.readUIntLE(INCARNATION_BYTES, SEQUENCE_BYTES));
}
