import { createRequire } from "node:module";

/** The Castagnoli polynomial, reflected. `zlib.crc32` is the other one and gives other values. */
const POLYNOMIAL = 0x82f63b78;
const LANES = 8;
const TABLES = tables();

/** Uses the processor's own instruction, five times as fast; undefined where there is none for the platform. */
const native = optional("@node-rs/crc32");

/** CRC32C of `bytes`, as in ContentChunk.crc32c. */
export const crc32c: (bytes: Uint8Array) => number = native?.crc32c ?? portableCrc32c;

/** As `crc32c`, anywhere. */
export function portableCrc32c(bytes: Uint8Array): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = TABLES as unknown as Int32Array[];
  let crc = -1;
  let at = 0;
  // Eight bytes a turn; a byte at a time is six times slower.
  for (const last = bytes.length - LANES; at <= last; at += LANES) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc =
      t7![crc & 255]! ^
      t6![(crc >>> 8) & 255]! ^
      t5![(crc >>> 16) & 255]! ^
      t4![crc >>> 24]! ^
      t3![bytes[at + 4]!]! ^
      t2![bytes[at + 5]!]! ^
      t1![bytes[at + 6]!]! ^
      t0![bytes[at + 7]!]!;
  }
  for (; at < bytes.length; at++) crc = t0![(crc ^ bytes[at]!) & 255]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** Not by `import`: that would make the package asynchronous, and bundlers would look for what may not be there. */
function optional(name: string): { readonly crc32c: (bytes: Uint8Array) => number } | undefined {
  try {
    return createRequire(import.meta.url)(name);
  } catch {
    return undefined;
  }
}

function tables(): Int32Array[] {
  const [first, ...others] = Array.from({ length: LANES }, () => new Int32Array(256));
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    first![byte] = crc;
  }
  for (let byte = 0; byte < 256; byte++) {
    let crc = first![byte]!;
    for (const table of others) {
      crc = first![crc & 255]! ^ (crc >>> 8);
      table[byte] = crc;
    }
  }
  return [first!, ...others];
}
