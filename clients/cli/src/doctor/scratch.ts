import { randomBytes } from "node:crypto";
import * as real from "node:fs/promises";
import path from "node:path";

/** The calls that checks make on the volume. Tests give one that misbehaves. */
export type Disk = Pick<
  typeof real,
  | "chmod"
  | "copyFile"
  | "link"
  | "lstat"
  | "mkdir"
  | "open"
  | "readdir"
  | "readFile"
  | "rename"
  | "rm"
  | "stat"
  | "statfs"
  | "truncate"
  | "unlink"
  | "utimes"
  | "writeFile"
>;

/** A directory of its own inside the one that is examined. */
export class Scratch {
  private constructor(
    readonly dir: string,
    /** The directory that is examined. */
    readonly volume: string,
    readonly disk: Disk,
  ) {}

  static async make(volume: string, disk: Disk = real): Promise<Scratch> {
    const dir = path.join(volume, `.safefile-doctor-${randomBytes(6).toString("hex")}`);
    await disk.mkdir(dir, { mode: 0o700 });
    return new Scratch(dir, volume, disk);
  }

  /** The path of a name. Each check has a directory of its own. */
  at(check: string, ...names: string[]): string {
    return path.join(this.dir, check, ...names);
  }

  /** Makes a check's directory. */
  async room(check: string): Promise<void> {
    await this.disk.mkdir(this.at(check), { recursive: true });
  }

  /** Leaves nothing behind, whatever the checks left. */
  async [Symbol.asyncDispose](): Promise<void> {
    await real.rm(this.dir, { recursive: true, force: true, maxRetries: 3 });
  }
}
