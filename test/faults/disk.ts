import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Cleanup } from "../cluster/cleanup.js";

export type FileSystem = "ext4" | "xfs" | "btrfs";

const OUTER_BYTES = "6G";
const INNER_BYTES = "1G";

/** Loop devices over files on XFS have sectors of 4 KiB. */
const MKFS = { ext4: ["-qF"], xfs: ["-qf", "-s", "size=4096"], btrfs: ["-qf"] } as const;

const run = (command: string, ...options: string[]): string =>
  execFileSync(command, options, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();

/** What is missing on this machine for cutting the power; undefined when nothing is. */
export function whyNoDisk(fileSystem: FileSystem): string | undefined {
  if (process.getuid?.() !== 0) return "mounting images needs root";
  for (const tool of ["losetup", "mkfs.xfs", `mkfs.${fileSystem}`]) {
    try {
      run("which", tool);
    } catch {
      return `${tool} is not installed`;
    }
  }
  // Mounting one for the first time would load it, too.
  if (!knows(fileSystem))
    try {
      run("modprobe", fileSystem);
    } catch {
      return `this kernel has no ${fileSystem}`;
    }
  return undefined;
}

const knows = (fileSystem: FileSystem): boolean =>
  readFileSync("/proc/filesystems", "utf8").split(/\s+/).includes(fileSystem);

/**
 * A disk whose power can be cut: a file system in an image on XFS. A reflink copy of the image is what the disk holds at
 * that instant: everything that was flushed, and nothing that was only in the page cache of the inner file system.
 */
export class Disk {
  private readonly base: string;
  private cuts = 0;

  private constructor(private readonly fileSystem: FileSystem) {
    this.base = mkdtempSync(path.join(tmpdir(), "safefile-disk-"));
  }

  static make(cleanup: Cleanup, fileSystem: FileSystem): Disk {
    const disk = new Disk(fileSystem);
    cleanup.defer(() => rmSync(disk.base, { recursive: true, force: true }));
    const outer = disk.image("outer.img", OUTER_BYTES, "xfs");
    disk.mount(cleanup, outer, "outer");
    const inner = disk.image("outer/inner.img", INNER_BYTES, fileSystem);
    disk.mount(cleanup, inner, "live");
    return disk;
  }

  /** Where the file system is mounted. */
  get live(): string {
    return path.join(this.base, "live");
  }

  /** Takes the disk as it is at this instant; `mount` it to see what a machine finds after the cut. */
  cut(): { mount(cleanup: Cleanup): string } {
    this.cuts += 1;
    const copy = path.join(this.base, `outer/cut-${this.cuts}.img`);
    run("cp", "--reflink=always", path.join(this.base, "outer/inner.img"), copy);
    return {
      mount: (cleanup) => {
        cleanup.defer(() => rmSync(copy));
        return this.mount(cleanup, copy, `cut-${this.cuts}`);
      },
    };
  }

  private image(name: string, size: string, fileSystem: FileSystem): string {
    const file = path.join(this.base, name);
    run("truncate", "-s", size, file);
    run(`mkfs.${fileSystem}`, ...MKFS[fileSystem], file);
    return file;
  }

  private mount(cleanup: Cleanup, image: string, name: string): string {
    const at = path.join(this.base, name);
    run("mkdir", "-p", at);
    const device = run("losetup", "-f", "--show", "--direct-io=on", image);
    cleanup.defer(() => run("losetup", "-d", device));
    // A copy of an XFS has the identity of its original.
    run("mount", ...(this.fileSystem === "xfs" && name !== "outer" ? ["-o", "nouuid"] : []), device, at);
    cleanup.defer(() => run("umount", "-l", at));
    return at;
  }
}
