import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, mkdtemp, readdir, readlink, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Cleanup } from "./cleanup.js";

/**
 * An empty directory to serve, removed when the test ends. SAFEFILE_TEST_DIR puts it on the file system to be
 * tested; the system's temporary directory may well be memory, where fsync means nothing.
 */
export async function tempVolume(cleanup: Cleanup): Promise<string> {
  const parent = await realpath(process.env.SAFEFILE_TEST_DIR ?? tmpdir());
  const dir = await mkdtemp(path.join(parent, "safefile-volume-"));
  cleanup.defer(() => rm(dir, { recursive: true, force: true, maxRetries: 3 }));
  return dir;
}

export interface Entry {
  readonly type: "file" | "directory" | "symlink" | "other";
  /** Permission bits with setuid, setgid and sticky, in octal. */
  readonly mode: string;
  /** 0 for a directory, whose size is the file system's own business. */
  readonly size: number;
  /** Of a file's bytes or of a symlink's target; empty otherwise. */
  readonly sha256: string;
  readonly mtimeNs: bigint;
}

export interface SnapshotOptions {
  /** Relative paths that are left out with all that is below them: `[".safefile"]`. */
  readonly ignore?: readonly string[];
}

/**
 * Everything below `dir` but `dir` itself, sorted by path. Two snapshots that are deeply equal prove that nothing
 * was changed between them, not even to be changed back: the times are part of it.
 */
export async function snapshotTree(dir: string, { ignore = [] }: SnapshotOptions = {}): Promise<Map<string, Entry>> {
  const entries: Array<[string, Entry]> = [];
  const visit = async (below: string): Promise<void> => {
    for (const name of await readdir(path.join(dir, below))) {
      const relative = below === "" ? name : `${below}/${name}`;
      if (ignore.includes(relative)) continue;
      const entry = await describe(path.join(dir, relative));
      entries.push([relative, entry]);
      if (entry.type === "directory") await visit(relative);
    }
  };
  await visit("");
  return new Map(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function describe(file: string): Promise<Entry> {
  const stat = await lstat(file, { bigint: true });
  const mode = (stat.mode & 0o7777n).toString(8).padStart(4, "0");
  const { mtimeNs } = stat;
  const size = Number(stat.size);
  if (stat.isDirectory()) return { type: "directory", mode, size: 0, sha256: "", mtimeNs };
  const hash = createHash("sha256");
  if (stat.isSymbolicLink()) {
    return { type: "symlink", mode, size, sha256: hash.update(await readlink(file)).digest("hex"), mtimeNs };
  }
  if (!stat.isFile()) return { type: "other", mode, size: 0, sha256: "", mtimeNs };
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return { type: "file", mode, size, sha256: hash.digest("hex"), mtimeNs };
}
