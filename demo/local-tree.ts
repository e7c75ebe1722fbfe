import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, readdir, readFile } from "node:fs/promises";
import path from "node:path";

/** A regular file of this machine. */
export interface LocalFile {
  readonly local: string;
  /** Relative to the tree's root, "/" between names. */
  readonly relative: string;
  readonly sizeBytes: number;
  readonly mode: number;
}

export interface LocalTree {
  readonly files: readonly LocalFile[];
  readonly sizeBytes: number;
  /** Not followed and not copied, only counted. */
  readonly symlinks: number;
}

/** All regular files below `root`, sorted. */
export async function walk(root: string): Promise<LocalTree> {
  const files: LocalFile[] = [];
  let symlinks = 0;
  const pending = [""];
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    for (const entry of await readdir(path.join(root, directory), { withFileTypes: true })) {
      const relative = directory === "" ? entry.name : `${directory}/${entry.name}`;
      const local = path.join(root, relative);
      if (entry.isDirectory()) pending.push(relative);
      else if (entry.isSymbolicLink()) symlinks += 1;
      else if (entry.isFile()) {
        const { size, mode } = await lstat(local);
        files.push({ local, relative, sizeBytes: size, mode: mode & 0o777 });
      }
    }
  }
  files.sort((left, right) => (left.relative < right.relative ? -1 : 1));
  return treeOf(files, symlinks);
}

/** At most `filesMax` of the files, spread over the whole tree. */
export function thinned({ files, symlinks }: LocalTree, filesMax: number): LocalTree {
  const step = Math.max(1, files.length / filesMax);
  const kept = Array.from({ length: Math.min(filesMax, files.length) }, (_, at) => files[Math.floor(at * step)]!);
  return treeOf(kept, symlinks);
}

function treeOf(files: readonly LocalFile[], symlinks: number): LocalTree {
  return { files, symlinks, sizeBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) };
}

/** Larger ones are read in pieces. */
const WHOLE_BYTES_MAX = 4 * 1024 * 1024;

/** SHA-256 of a file's bytes, in hex. Rejects when there is none. */
export async function sha256Of({ local, sizeBytes }: Pick<LocalFile, "local" | "sizeBytes">): Promise<string> {
  const digest = createHash("sha256");
  if (sizeBytes <= WHOLE_BYTES_MAX) return digest.update(await readFile(local)).digest("hex");
  for await (const chunk of createReadStream(local, { highWaterMark: 1024 * 1024 })) digest.update(chunk as Buffer);
  return digest.digest("hex");
}
