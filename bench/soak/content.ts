import { createHash, type Hash } from "node:crypto";
import { nameIn } from "../../test/crash/content.js";
import { Violation } from "./violation.js";

/**
 * What a path is to hold: one or several pieces (`contentOf`), each of which carries its own digest. Only the digest of
 * them all is kept, in a way that more can be appended.
 */
export class Content {
  private constructor(
    private readonly hash: Hash,
    readonly sizeBytes: number,
  ) {}

  static of(bytes: Uint8Array): Content {
    return new Content(createHash("sha256").update(bytes), bytes.length);
  }

  /** The same and `bytes` behind it. */
  with(bytes: Uint8Array): Content {
    return new Content(this.hash.copy().update(bytes), this.sizeBytes + bytes.length);
  }

  get sha256(): string {
    return this.hash.copy().digest("hex");
  }
}

export const sha256Of = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** The names of the pieces that `bytes` consists of. What is torn, mixed or cut short is a violation (I2). */
export function piecesIn(path: string, bytes: Uint8Array): string[] {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const names: string[] = [];
  for (let at = 0; at < all.length; ) {
    const sizeBytes = Number(/^\S+ (\d+)\n/.exec(all.toString("latin1", at, at + HEADER_BYTES_MAX))?.[1]);
    const piece = all.subarray(at, at + sizeBytes);
    try {
      if (!(piece.length === sizeBytes)) throw new Error(`${piece.length} bytes of a piece of ${sizeBytes}`);
      names.push(nameIn(piece));
    } catch (error) {
      const before = `${names.length} whole pieces, the last one ${names.at(-1)}`;
      throw Violation.at(path, "whole contents only (I2)", `${all.length} bytes: ${before}, then ${error}`);
    }
    at += sizeBytes;
  }
  return names;
}

const HEADER_BYTES_MAX = 160;
