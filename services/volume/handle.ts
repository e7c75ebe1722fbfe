import type fs from "node:fs";
import { constants } from "node:fs";
import * as calls from "./calls.js";
import { allocate, setXattr } from "./native.js";
import {
  type Attributes,
  codeOf,
  DurabilityError,
  type EntryType,
  type Handle,
  type Name,
  type Stat,
  XattrRefusedError,
} from "./volume.js";

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

/** A volume with fewer is full. */
const BLOCKS_FREE_MIN = 16;

/** Told at once of every flush or close that failed, whoever asked for it (I10). */
export type OnDurabilityError = (error: DurabilityError) => void;

export function failed(onDurabilityError: OnDurabilityError, cause: unknown): DurabilityError {
  const error = new DurabilityError(cause);
  onDurabilityError(error);
  return error;
}

/** An open file of the real file system. */
export class PosixHandle implements Handle {
  constructor(
    private readonly fd: number,
    private readonly onDurabilityError: OnDurabilityError,
  ) {}

  async write(bytes: Uint8Array, position: number): Promise<void> {
    let done = 0;
    while (done < bytes.length) {
      const { bytesWritten } = await calls.write(this.fd, bytes, done, bytes.length - done, position + done);
      if (bytesWritten === 0) throw Object.assign(new Error("the file system wrote nothing"), { code: "EIO" });
      done += bytesWritten;
    }
  }

  async writeAll(buffers: Uint8Array[], position: number): Promise<void> {
    const sizeBytes = buffers.reduce((sum, each) => sum + each.length, 0);
    const { bytesWritten } = await calls.writev(this.fd, buffers, position);
    if (bytesWritten === sizeBytes) return;
    // A short write: go on one buffer after the other, from where the kernel stopped.
    await this.write(Buffer.concat(buffers).subarray(bytesWritten), position + bytesWritten);
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    let done = 0;
    while (done < into.length) {
      const { bytesRead } = await calls.read(this.fd, into, done, into.length - done, position + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }

  async reserve(sizeBytes: number): Promise<void> {
    if (sizeBytes > 0) await allocate(this.fd, sizeBytes);
  }

  async setAttributes(attributes: Attributes): Promise<void> {
    const { owner, xattrs = {} } = attributes;
    for (const [name, value] of Object.entries(xattrs))
      await setXattr(this.fd, `user.${name}`, value).catch((error: unknown) => this.refuseXattr(error));
    // Only root may give files away; for others the file stays their own, as it does with any editor.
    if (owner) await calls.fchown(this.fd, owner.uid, owner.gid).catch(ignoreNotAllowed);
    await calls.fchmod(this.fd, attributes.mode & 0o777);
    // The nearest microsecond: what a double stores of it reads back a little less, and must stay what it is.
    const seconds = Number((attributes.mtimeNs + 500n) / 1000n) / 1e6;
    await calls.futimes(this.fd, seconds, seconds);
  }

  /** Few file systems take as many bytes as the kernel would; ext4 says ENOSPC although it has space. */
  private async refuseXattr(error: unknown): Promise<never> {
    const code = codeOf(error) ?? "";
    const hasSpace = code === "ENOSPC" && (await calls.statfs(`/proc/self/fd/${this.fd}`)).bavail > BLOCKS_FREE_MIN;
    if (hasSpace || ["E2BIG", "ERANGE", "ENOTSUP", "EOPNOTSUPP"].includes(code)) throw new XattrRefusedError(error);
    throw error;
  }

  async copyFrom(source: Name): Promise<void> {
    const from = await calls.open(source.at, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      // By descriptor: by its name, a file that was fenced meanwhile would be made a second time.
      const target = `/proc/self/fd/${this.fd}`;
      await calls.copyFile(`/proc/self/fd/${from}`, target, constants.COPYFILE_FICLONE);
    } finally {
      await calls.close(from);
    }
  }

  truncate(sizeBytes: number): Promise<void> {
    return calls.ftruncate(this.fd, sizeBytes);
  }

  async stat(): Promise<Stat> {
    return toStat(await calls.fstat(this.fd));
  }

  async sync(): Promise<void> {
    try {
      await calls.fdatasync(this.fd);
    } catch (error) {
      throw failed(this.onDurabilityError, error);
    }
  }

  /** Never throws: what was to be said has been said, and a failed close ends the incarnation by itself. */
  async [Symbol.asyncDispose](): Promise<void> {
    await calls.close(this.fd).catch((error: unknown) => failed(this.onDurabilityError, error));
  }
}

function ignoreNotAllowed(error: unknown): void {
  if (codeOf(error) !== "EPERM") throw error;
}
