import type fs from "node:fs";
import * as calls from "./calls.js";
import { allocate } from "./native.js";
import { DurabilityError, type EntryType, type Handle, type Stat } from "./volume.js";

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
    links: Number(stats.nlink),
    mtimeNs: stats.mtimeNs,
    ctimeNs: stats.ctimeNs,
  };
}

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

  async setAttributes(attributes: { mode: number; mtimeNs: bigint }): Promise<void> {
    await calls.fchmod(this.fd, attributes.mode & 0o777);
    const seconds = Number(attributes.mtimeNs / 1_000_000n) / 1000;
    await calls.futimes(this.fd, seconds, seconds);
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
