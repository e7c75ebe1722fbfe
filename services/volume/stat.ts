import type fs from "node:fs";
import type { EntryType, Stat } from "./volume.js";

export function toStat(stats: fs.BigIntStats): Stat {
  const type: EntryType = stats.isFile()
    ? "file"
    : stats.isDirectory()
      ? "directory"
      : stats.isSymbolicLink()
        ? "symlink"
        : "other";
  return {
    type,
    inode: stats.ino,
    device: stats.dev,
    sizeBytes: Number(stats.size),
    mode: Number(stats.mode & 0o777n),
    owner: { uid: Number(stats.uid), gid: Number(stats.gid) },
    links: Number(stats.nlink),
    mtimeNs: stats.mtimeNs,
    ctimeNs: stats.ctimeNs,
  };
}
