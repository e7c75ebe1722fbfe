import { constants } from "node:fs";
import { allOf } from "../model/each.js";
import type { Calls } from "./calls.js";
import { setXattr } from "./native.js";
import { copyFile, fdatasync, ftruncate, ignoreNotAllowed, some, statfs, writev } from "./pool.js";
import {
  type Attributes,
  codeOf,
  DurabilityError,
  type Handle,
  type Inspected,
  type Name,
  type Stat,
  XattrRefusedError,
} from "./volume.js";

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
    private readonly calls: Calls,
    private readonly fd: number,
    private readonly onDurabilityError: OnDurabilityError,
  ) {}

  async write(bytes: Uint8Array, position: number): Promise<void> {
    let done = 0;
    while (done < bytes.length) {
      done += some(await this.calls.write(this.fd, bytes.subarray(done), position + done));
    }
  }

  async writeAll(buffers: Uint8Array[], position: number): Promise<void> {
    const sizeBytes = buffers.reduce((sum, each) => sum + each.length, 0);
    const { bytesWritten } = await writev(this.fd, buffers, position);
    if (bytesWritten === sizeBytes) return;
    // A short write: go on one buffer after the other, from where the kernel stopped.
    await this.write(Buffer.concat(buffers).subarray(bytesWritten), position + bytesWritten);
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    let done = 0;
    while (done < into.length) {
      const bytesRead = await this.calls.read(this.fd, into.subarray(done), position + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }

  async reserve(sizeBytes: number): Promise<void> {
    if (sizeBytes > 0) await this.calls.allocate(this.fd, sizeBytes);
  }

  async setAttributes(attributes: Attributes): Promise<void> {
    const { owner } = attributes;
    await this.setXattrs(attributes);
    const seconds = secondsOf(attributes);
    // None depends on another, so they travel together. All have ended when this ends: the descriptor may be closed then,
    // and its number another file's.
    await allOf([
      // Only root may give files away; for others the file stays their own, as it does with any editor.
      owner && this.calls.fchown(this.fd, owner.uid, owner.gid).catch(ignoreNotAllowed),
      this.calls.fchmod(this.fd, attributes.mode & 0o777),
      this.calls.futimes(this.fd, seconds, seconds),
    ]);
  }

  private async setXattrs({ xattrs = {} }: Attributes): Promise<void> {
    for (const [name, value] of Object.entries(xattrs))
      await setXattr(this.fd, `user.${name}`, value).catch((error: unknown) => this.refuseXattr(error));
  }

  async fill(bytes: Uint8Array, attributes: Attributes, reserve: boolean): Promise<Inspected> {
    await this.setXattrs(attributes);
    const { owner, mode } = attributes;
    return this.calls.fill(this.fd, { bytes, reserve, owner, mode: mode & 0o777, seconds: secondsOf(attributes) });
  }

  /** Few file systems take as many bytes as the kernel would; ext4 says ENOSPC although it has space. */
  private async refuseXattr(error: unknown): Promise<never> {
    const code = codeOf(error) ?? "";
    const hasSpace = code === "ENOSPC" && (await statfs(`/proc/self/fd/${this.fd}`)).bavail > BLOCKS_FREE_MIN;
    if (hasSpace || ["E2BIG", "ERANGE", "ENOTSUP", "EOPNOTSUPP"].includes(code)) throw new XattrRefusedError(error);
    throw error;
  }

  async copyFrom(source: Name): Promise<void> {
    const from = await this.calls.open(source.at, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      // By descriptor: by its name, a file that was fenced meanwhile would be made a second time.
      const target = `/proc/self/fd/${this.fd}`;
      await copyFile(`/proc/self/fd/${from}`, target, constants.COPYFILE_FICLONE);
    } finally {
      await this.calls.close(from);
    }
  }

  truncate(sizeBytes: number): Promise<void> {
    return ftruncate(this.fd, sizeBytes);
  }

  stat(): Promise<Stat> {
    return this.calls.fstat(this.fd);
  }

  inspect(sizeBytes: number): Promise<Inspected> {
    return this.calls.inspect(this.fd, sizeBytes);
  }

  async sync(): Promise<void> {
    try {
      await fdatasync(this.fd);
    } catch (error) {
      throw failed(this.onDurabilityError, error);
    }
  }

  /** Never throws: what was to be said has been said, and a failed close ends the incarnation by itself. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.calls.close(this.fd).catch((error: unknown) => failed(this.onDurabilityError, error));
  }
}

/** The nearest microsecond: what a double stores of it reads back a little less, and must stay what it is. */
const secondsOf = ({ mtimeNs }: Attributes): number => Number((mtimeNs + 500n) / 1000n) / 1e6;
