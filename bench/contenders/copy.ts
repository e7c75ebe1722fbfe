import path from "node:path";
import { bytesIn, type Figures, timed } from "./job.js";

/** What the disk and the file system allow: `tree` copied without a revision, a check or a lock, and synced. */
export async function copy(tree: string, target: string): Promise<Figures> {
  return timed(await bytesIn(tree), { command: ["cp", "-a", tree, target], synced: path.dirname(target) });
}

/** One new file of `bytes` zeros, synced. */
export function fill(file: string, bytes: number): Promise<Figures> {
  return timed(bytes, {
    command: [
      "dd",
      "if=/dev/zero",
      `of=${file}`,
      "bs=1M",
      `count=${bytes}`,
      "iflag=count_bytes,fullblock",
      "conv=fsync",
    ],
  });
}
