import { createHash } from "node:crypto";
import type { Attributes, Handle, Inspected, Name, Stat } from "../../services/volume/volume.js";
import { type FakeDisk, failure } from "./fake-disk.js";
import type { FakeVolume } from "./fake-volume.js";
import type { FileInode, Inode } from "./inode.js";

export const statOf = (disk: FakeDisk, inode: Inode): Stat => ({
  type: inode.type,
  inode: inode.number,
  device: disk.device,
  sizeBytes: "content" in inode ? (inode as FileInode).content.length : 0,
  mode: inode.rights.mode,
  owner: { uid: inode.rights.uid, gid: inode.rights.gid },
  links: inode.links,
  mtimeNs: inode.mtimeNs,
  ctimeNs: inode.ctimeNs,
});

/** An open file of the fake disk; it outlives its names. */
export class FakeHandle implements Handle {
  constructor(
    private readonly volume: FakeVolume,
    private readonly inode: FileInode,
    private readonly isWritable: boolean,
    private readonly name: string,
  ) {}

  private get disk(): FakeDisk {
    return this.volume.disk;
  }

  private writing(change: () => void): Promise<void> {
    return this.volume.step("write", this.name, () => {
      if (!this.isWritable) throw failure("EBADF", "write");
      change();
      this.inode.mtimeNs = this.disk.nowNs();
      this.inode.ctimeNs = this.inode.mtimeNs;
    });
  }

  private put(bytes: Uint8Array, position: number): void {
    // Space that is allocated already can be written on a full disk.
    if (this.disk.isFull && position + bytes.length > this.inode.content.length)
      throw failure("ENOSPC", "no space left");
    if (bytes.length > 0) this.inode.write(bytes, position);
  }

  write(bytes: Uint8Array, position: number): Promise<void> {
    return this.writing(() => this.put(bytes, position));
  }

  writeAll(buffers: Uint8Array[], position: number): Promise<void> {
    return this.writing(() => this.put(Buffer.concat(buffers), position));
  }

  read(into: Uint8Array, position: number): Promise<number> {
    return this.volume.step("read", this.name, () =>
      position < this.inode.content.length ? this.inode.content.copy(into, 0, position) : 0,
    );
  }

  /** As fallocate(2): the file becomes as large; best effort on a full disk. */
  reserve(sizeBytes: number): Promise<void> {
    return this.writing(() => {
      if (sizeBytes > this.inode.content.length && !this.disk.isFull) this.inode.resize(sizeBytes);
    });
  }

  async setAttributes({ mode, mtimeNs, owner, xattrs = {} }: Attributes): Promise<void> {
    await this.volume.step("setAttributes", this.name, () => {
      const { uid, gid } = owner ?? this.inode.rights;
      this.inode.rights = { mode: mode & 0o777, uid, gid, xattrs: { ...this.inode.rights.xattrs, ...xattrs } };
      this.inode.mtimeNs = (mtimeNs / 1000n) * 1000n;
      this.inode.ctimeNs = this.disk.nowNs();
    });
  }

  async fill(bytes: Uint8Array, attributes: Attributes, reserve: boolean): Promise<Inspected> {
    if (reserve) await this.reserve(bytes.length);
    await this.write(bytes, 0);
    await this.setAttributes(attributes);
    return await this.inspect(bytes.length);
  }

  async copyFrom(source: Name): Promise<void> {
    const from = await this.volume.plainFile(source);
    await this.writing(() => {
      this.inode.resize(0);
      this.put(from.content, 0);
      this.inode.rights = { ...this.inode.rights, mode: from.rights.mode };
    });
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.writing(() => this.inode.resize(sizeBytes));
  }

  stat(): Promise<Stat> {
    return this.volume.step("fstat", this.name, () => statOf(this.disk, this.inode));
  }

  async inspect(sizeBytes: number): Promise<Inspected> {
    const bytes = Buffer.alloc(sizeBytes);
    const bytesRead = await this.read(bytes, 0);
    const sha256 = createHash("sha256").update(bytes.subarray(0, bytesRead)).digest();
    return { stat: await this.stat(), sha256 };
  }

  sync(): Promise<void> {
    return this.volume.flush(
      this.name,
      () => this.inode.sync(),
      () => this.inode.failSync(),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
