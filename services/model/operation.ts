/**
 * Identity of operations and incarnations.
 *
 * An operation's id is `<incarnation>.<sequence>`: the incarnation is a ULID, never reused, the sequence counts
 * from 1 within it. So an id is unique for ever without asking anybody.
 */
export type IncarnationId = string & { readonly brand: "IncarnationId" };
export type OperationId = string & { readonly brand: "OperationId" };

/** Stands where no operation has been yet. */
export const NO_OPERATION = "-" as OperationId;

const INCARNATION = /^[0-9A-HJKMNP-TV-Z]{26}$/;
const OPERATION = /^([0-9A-HJKMNP-TV-Z]{26})\.([1-9][0-9]{0,15})r?$/;

export const isIncarnationId = (text: string): text is IncarnationId => INCARNATION.test(text);
export const isOperationId = (text: string): text is OperationId => OPERATION.test(text);

export const operationId = (incarnation: IncarnationId, sequence: number): OperationId =>
  `${incarnation}.${sequence}` as OperationId;

/**
 * A repair of a path after a power cut: it publishes the head again and makes no revision. Its name says so, because
 * whoever finds it unfinished must repeat it: what its baton calls the last operation may be out of date.
 */
export const repairId = (incarnation: IncarnationId, sequence: number): OperationId =>
  `${incarnation}.${sequence}r` as OperationId;
export const isRepair = (operation: OperationId): boolean => operation.endsWith("r");

/** The two parts of an id; throws on anything else, NO_OPERATION included. */
export function partsOf(operation: OperationId): { incarnation: IncarnationId; sequence: number } {
  const parts = OPERATION.exec(operation);
  if (!parts) throw new TypeError(`not an operation id: ${operation}`);
  return { incarnation: parts[1] as IncarnationId, sequence: Number(parts[2]) };
}

/** Crockford's base 32, as ULIDs use it. */
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const INCARNATION_LETTERS = 26;

/** Of the incarnation that was asked for last: nearly always this replica's own. */
let lastBytes: { readonly incarnation: IncarnationId; readonly bytes: Buffer } | undefined;

/** The 128 bits of an incarnation's ULID, big endian; not to be changed. */
export function incarnationBytes(incarnation: IncarnationId): Buffer {
  if (lastBytes?.incarnation === incarnation) return lastBytes.bytes;
  if (!isIncarnationId(incarnation)) throw new TypeError(`not an incarnation: ${incarnation}`);
  let value = 0n;
  for (const letter of incarnation) value = (value << 5n) | BigInt(ALPHABET.indexOf(letter));
  const bytes = Buffer.alloc(16);
  bytes.writeBigUInt64BE(value >> 64n, 0);
  bytes.writeBigUInt64BE(value & 0xffffffffffffffffn, 8);
  lastBytes = { incarnation, bytes };
  return bytes;
}

/** The incarnation of which `incarnationBytes` made these 16 bytes. */
export function incarnationOf(bytes: Buffer): IncarnationId {
  let value = (bytes.readBigUInt64BE(0) << 64n) | bytes.readBigUInt64BE(8);
  let letters = "";
  for (let at = 0; at < INCARNATION_LETTERS; at++, value >>= 5n) letters = ALPHABET[Number(value & 31n)] + letters;
  return letters as IncarnationId;
}

/** Names one request for leases, while it waits and while it holds. Never used again. */
export type LeaseId = string & { readonly leaseId: unique symbol };
