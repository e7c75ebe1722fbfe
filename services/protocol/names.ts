/** Every name that the commit protocol uses, below `.safefile/` (docs/design.md has the table). */
import { type IncarnationId, type OperationId, partsOf } from "../model/operation.js";
import type { PathHash } from "../model/path.js";

/** Made once, when a volume is first used. */
export const TOP_DIRECTORIES = [
  "staging",
  "fenced",
  "committed",
  "batons",
  "births",
  "closed",
  "journal",
  "objects",
  "uploads",
  "incarnations",
  "generations",
] as const;

export const stagingOf = (incarnation: IncarnationId): string => `staging/${incarnation}`;
export const stagedName = (operation: OperationId): string => `staging/${partsOf(operation).incarnation}/${operation}`;
export const fencedName = (operation: OperationId): string => `fenced/${operation}`;
export const committedName = (operation: OperationId): string => `committed/${operation}`;
export const closedName = (incarnation: IncarnationId): string => `closed/${incarnation}`;
export const incarnationName = (incarnation: IncarnationId): string => `incarnations/${incarnation}`;

export const batonDirectory = (hash: PathHash): string => `batons/${hash.slice(0, 2)}/${hash.slice(2, 4)}`;
export const bornName = (hash: PathHash): string => `${batonDirectory(hash)}/${hash}.born`;
/** The single-use file that becomes a path's first baton. */
export const birthName = (operation: OperationId, hash: PathHash): string => `births/${operation}.${hash}`;

/** Inside a staged directory: the new content of the change at `index`, or the empty directory of a delete. */
export const writeLeaf = (index: number): string => `w${index}`;
export const deleteLeaf = (index: number): string => `d${index}`;
/** Where a deleted file goes before it is unlinked. */
export const DELETED = "x";

export const uploadName = (uploadId: string): string => `uploads/${uploadId}`;
