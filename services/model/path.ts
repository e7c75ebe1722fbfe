import { hash } from "node:crypto";

/** NFC, relative, `/`-separated name below the volume's root, already checked by `validate/path.ts`. */
export type FilePath = string & { readonly brand: "FilePath" };

/** 40 hex digits (160 bits of SHA-256): names a path in batons, Redis keys and traces. */
export type PathHash = string & { readonly brand: "PathHash" };

export const pathHash = (path: FilePath): PathHash => hash("sha256", path, "hex").slice(0, 40) as PathHash;

/** The directory that holds `path`; "" is the root. */
export const parentOf = (path: FilePath): string => path.slice(0, Math.max(0, path.lastIndexOf("/")));

/** The last component of `path`. */
export const baseNameOf = (path: FilePath): string => path.slice(path.lastIndexOf("/") + 1);

/** Linux: a component of more than 255 bytes cannot exist. */
const COMPONENT_BYTES_MAX = 255;
/** Leaves room for the root's own path below PATH_MAX (4,096). */
const PATH_BYTES_MAX = 2048;
const DEPTH_MAX = 64;

/** Ours, and what file systems keep for themselves (NFS silly renames, GlusterFS, snapshots, ext4, trash cans). */
const RESERVED = /^(\.safefile.*|\.nfs.*|\.glusterfs|\.snapshot|\.snapshots|lost\+found|\.Trash.*)$/i;
/** Controls, lone surrogates, the replacement character, and characters that make two names look alike. */
const FORBIDDEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it refuses
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\ufffd\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|\p{Surrogate}/u;

/** Why `path` is not the one spelling of a name that Safefile serves; undefined when it is (I13). */
export function problemOfPath(path: string): string | undefined {
  if (path === "") return "is empty";
  if (path.startsWith("/")) return "is absolute; give it relative to the volume's root";
  if (FORBIDDEN.test(path)) return "has a control, invisible or invalid character";
  if (path.normalize("NFC") !== path) return "is not in Unicode normal form NFC";
  if (Buffer.byteLength(path) > PATH_BYTES_MAX) return `is longer than ${PATH_BYTES_MAX} bytes`;
  const parts = path.split("/");
  if (parts.length > DEPTH_MAX) return `is deeper than ${DEPTH_MAX} directories`;
  for (const part of parts) {
    if (part === "") return "has an empty component (// or a / at the end)";
    if (part === "." || part === "..") return `has a component ${part}`;
    if (RESERVED.test(part)) return `has the reserved component ${part}`;
    if (Buffer.byteLength(part) > COMPONENT_BYTES_MAX) return `has a component over ${COMPONENT_BYTES_MAX} bytes`;
  }
  return undefined;
}
