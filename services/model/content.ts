/** Bytes and attributes of a file at one revision. */
export interface Content {
  readonly sha256: Uint8Array;
  readonly sizeBytes: number;
  /** Permission bits, 0 to 0o777. */
  readonly mode: number;
  readonly owner: { readonly uid: number; readonly gid: number };
  /** Extended attributes by name, without the "user." that all of them have. */
  readonly xattrs: Readonly<Record<string, Uint8Array>>;
  readonly body: { readonly inline: Uint8Array } | { readonly object: string };
}

export const sameBytes = (left: Uint8Array, right: Uint8Array): boolean =>
  left.length === right.length && Buffer.compare(left, right) === 0;

export function sameXattrs(left: Content["xattrs"], right: Content["xattrs"]): boolean {
  const names = Object.keys(left);
  return (
    names.length === Object.keys(right).length &&
    names.every((name) => Object.hasOwn(right, name) && sameBytes(left[name] as Uint8Array, right[name] as Uint8Array))
  );
}
