/** Bytes and attributes of a file at one revision. */
export interface Content {
  readonly sha256: Uint8Array;
  readonly sizeBytes: number;
  /** Permission bits, 0 to 0o777. */
  readonly mode: number;
  readonly body: { readonly inline: Uint8Array } | { readonly object: string };
}

export const sameBytes = (left: Uint8Array, right: Uint8Array): boolean =>
  left.length === right.length && Buffer.compare(left, right) === 0;
