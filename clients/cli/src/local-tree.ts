import { lstat, readdir } from "node:fs/promises";
import path from "node:path";

/** A regular file on this machine. */
export interface LocalFile {
  readonly local: string;
  /** Where it goes, below the target: "/" between names, NFC. */
  readonly relative: string;
  readonly sizeBytes: number;
  /** Permission bits. */
  readonly mode: number;
  readonly mtimeNs: bigint;
}

export interface LocalTree {
  readonly files: readonly LocalFile[];
  readonly symlinks: number;
  /** Sockets, pipes, devices. */
  readonly others: number;
  /** Directories without any entry: they hold nothing to upload. */
  readonly emptyDirectories: number;
  /** Names that become the same in NFC; only the first of them is in `files`. */
  readonly collisions: readonly string[];
}

/** All regular files below `root`, sorted. Symbolic links are counted, never followed. */
export async function walkLocal(root: string, signal: AbortSignal): Promise<LocalTree> {
  const files: LocalFile[] = [];
  const collisions: string[] = [];
  let symlinks = 0;
  let others = 0;
  let emptyDirectories = 0;
  const pending = [{ local: root, relative: "" }];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    signal.throwIfAborted();
    const names = (await readdir(at.local)).sort();
    if (names.length === 0 && at.relative !== "") emptyDirectories++;
    const taken = new Set<string>();
    for (const name of names) {
      const local = path.join(at.local, name);
      const nfc = name.normalize("NFC");
      const relative = at.relative === "" ? nfc : `${at.relative}/${nfc}`;
      if (taken.has(nfc)) {
        collisions.push(local);
        continue;
      }
      taken.add(nfc);
      const stat = await lstat(local, { bigint: true });
      if (stat.isDirectory()) pending.push({ local, relative });
      else if (stat.isFile()) files.push(fileOf(local, relative, stat));
      else if (stat.isSymbolicLink()) symlinks++;
      else others++;
    }
  }
  files.sort((a, b) => (a.relative < b.relative ? -1 : 1));
  return { files, symlinks, others, emptyDirectories, collisions };
}

export function fileOf(
  local: string,
  relative: string,
  stat: { readonly size: bigint; readonly mode: bigint; readonly mtimeNs: bigint },
): LocalFile {
  return {
    local,
    relative,
    sizeBytes: Number(stat.size),
    mode: Number(stat.mode & 0o777n),
    mtimeNs: stat.mtimeNs,
  };
}
