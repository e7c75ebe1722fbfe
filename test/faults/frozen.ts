import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Cleanup } from "../cluster/cleanup.js";

/** Whoever forgets to thaw would leave processes that nobody can kill. */
const THAW_SECONDS_MAX = 120;

const run = (command: string, ...options: string[]): string =>
  execFileSync(command, options, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();

/** What is missing on this machine for freezing a file system; undefined when nothing is. */
export function whyNoFreezing(): string | undefined {
  if (process.getuid?.() !== 0) return "freezing a file system needs root";
  for (const tool of ["losetup", "mkfs.ext4", "fsfreeze"]) {
    try {
      run("which", tool);
    } catch {
      return `${tool} is not installed`;
    }
  }
  return undefined;
}

/** A file system of its own that can stop answering: whoever writes to it waits in the kernel until it is thawed. */
export class Freezable {
  private constructor(readonly root: string) {}

  static make(cleanup: Cleanup, size = "512M"): Freezable {
    const base = mkdtempSync(path.join(tmpdir(), "safefile-frozen-"));
    cleanup.defer(() => rmSync(base, { recursive: true, force: true }));
    const image = path.join(base, "image");
    const root = path.join(base, "volume");
    run("truncate", "-s", size, image);
    run("mkfs.ext4", "-qF", image);
    run("mkdir", root);
    const device = run("losetup", "-f", "--show", image);
    cleanup.defer(() => run("losetup", "-d", device));
    run("mount", device, root);
    cleanup.defer(() => run("umount", "-l", root));
    return new Freezable(root);
  }

  /** Freezes it until `thaw`, or the end of the test, or, should this process be killed, a while later. */
  freeze(cleanup: Cleanup): void {
    run("fsfreeze", "-f", this.root);
    const rescue = spawn("sh", ["-c", `sleep ${THAW_SECONDS_MAX}; fsfreeze -u "$0"`, this.root], {
      detached: true,
      stdio: "ignore",
    });
    rescue.unref();
    cleanup.defer(() => {
      this.thaw();
      if (rescue.pid !== undefined) process.kill(-rescue.pid);
    });
  }

  thaw(): void {
    try {
      run("fsfreeze", "-u", this.root);
    } catch {
      // It is thawed already.
    }
  }
}
