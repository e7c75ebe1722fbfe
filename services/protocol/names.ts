/** Every name that the commit protocol uses, below `.safefile/` (docs/design.md has the table). */
import assert from "node:assert/strict";
import { type IncarnationId, type OperationId, partsOf } from "../model/operation.js";
import type { PathHash } from "../model/path.js";
import { codeOf, type Volume, went } from "../volume/volume.js";

/** Made once, when a volume is first used. */
export const TOP_DIRECTORIES = [
  "staging",
  "fenced",
  "committed",
  "batons",
  "births",
  "closed",
  "journal",
  "checkpoints",
  "objects",
  "uploads",
  "incarnations",
  "generations",
] as const;

/**
 * What is in one of the directories that every volume has. One that is gone is damage, and must not pass for an empty
 * one: what was in it would count as settled (I9).
 */
export async function namesIn(volume: Volume, directory: (typeof TOP_DIRECTORIES)[number]): Promise<string[]> {
  const names = await volume.list(volume.control(directory));
  assert(names, `.safefile/${directory} is gone; this volume needs a person's look`);
  return names;
}

export const stagingOf = (incarnation: IncarnationId): string => `staging/${incarnation}`;
export const stagedName = (operation: OperationId): string => `staging/${partsOf(operation).incarnation}/${operation}`;
export const fencedName = (operation: OperationId): string => `fenced/${operation}`;
export const committedName = (operation: OperationId): string => `committed/${operation}`;
export const closedName = (incarnation: IncarnationId): string => `closed/${incarnation}`;
/** Up to where the journal of this incarnation is settled. */
export const checkpointName = (incarnation: IncarnationId): string => `checkpoints/${incarnation}`;
/** What becomes a checkpoint, written by `incarnation`: used once, and gone with its staging directory. */
export const checkpointDraftName = (incarnation: IncarnationId, number: number): string =>
  `${stagingOf(incarnation)}/checkpoint.${number}`;
export const incarnationName = (incarnation: IncarnationId): string => `incarnations/${incarnation}`;

export const batonDirectory = (hash: PathHash): string => `batons/${hash.slice(0, 2)}/${hash.slice(2, 4)}`;
export const bornName = (hash: PathHash): string => `${batonDirectory(hash)}/${hash}.born`;
/** The single-use file that becomes a path's first baton. */
export const birthName = (operation: OperationId, hash: PathHash): string => `births/${operation}.${hash}`;

/**
 * Inside a staged directory, by the index of the change: the new content; the new directory; an empty directory into
 * which what is deleted goes.
 */
export const writeLeaf = (index: number): string => `w${index}`;
export const directoryLeaf = (index: number): string => `m${index}`;
export const deleteLeaf = (index: number): string => `d${index}`;
/** Where a deleted file or directory goes before it is unlinked. */
export const DELETED = "x";

/** Says that the volume is up to date for the host's start `bootId`. */
export const generationName = (number: number, bootId: string): string => `generations/${number}.${bootId}`;

export const uploadName = (uploadId: string): string => `uploads/${uploadId}`;

/** Removes a control name and all below it; what others remove meanwhile is fine. */
export async function removeTree(volume: Volume, name: string): Promise<void> {
  const stats = await volume.stat(volume.control(name));
  if (stats?.type !== "directory") {
    await went(volume.unlink(volume.control(name)), ["ENOENT"]);
    return;
  }
  // An empty one need not be readable to us.
  if (await went(volume.removeDirectory(volume.control(name)).catch(ignoreMissing), ["ENOTEMPTY", "EEXIST"])) return;
  for (const leaf of (await volume.list(volume.control(name))) ?? []) await removeTree(volume, `${name}/${leaf}`);
  await went(volume.removeDirectory(volume.control(name)), ["ENOENT", "ENOTEMPTY"]);
}

function ignoreMissing(error: unknown): void {
  if (codeOf(error) !== "ENOENT") throw error;
}
