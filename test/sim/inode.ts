import type { EntryType } from "../../services/volume/volume.js";

/** What a power cut leaves of a file in whole pieces: less than a page, since the files of a simulation are small. */
const SECTOR_BYTES = 512;

export interface Rights {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly xattrs: Readonly<Record<string, Uint8Array>>;
}

/** One thing on a fake disk, under any number of names. */
export class Inode {
  links = 0;
  mtimeNs: bigint;
  ctimeNs: bigint;
  /** What a power cut leaves of its rights at least. */
  durableRights: Rights;

  constructor(
    readonly number: bigint,
    readonly type: EntryType,
    public rights: Rights,
    nowNs: bigint,
  ) {
    this.mtimeNs = nowNs;
    this.ctimeNs = nowNs;
    this.durableRights = rights;
  }
}

export class DirectoryInode extends Inode {
  readonly entries = new Map<string, Inode>();
  /** The names that a power cut leaves at least. */
  durableEntries = new Map<string, Inode>();
  parent: DirectoryInode | undefined;
  name = "";
  /** Gone from its parent: nothing can be made in it any more. */
  removed = false;

  constructor(
    number: bigint,
    rights: Rights,
    nowNs: bigint,
    /** Below `.safefile/`. */
    readonly isControl: boolean,
  ) {
    super(number, "directory", rights, nowNs);
  }

  get path(): string {
    return this.parent ? `${this.parent.path === "" ? "" : `${this.parent.path}/`}${this.name}` : "";
  }
}

interface Change {
  readonly position: number;
  /** undefined sets the size to `position`. */
  readonly bytes: Buffer | undefined;
}

const NOTHING = Buffer.alloc(0);

function applied(content: Buffer, { position, bytes }: Change): Buffer {
  const sizeBytes = bytes ? Math.max(content.length, position + bytes.length) : position;
  const next = sizeBytes === content.length ? content : Buffer.alloc(sizeBytes);
  if (next !== content) content.copy(next, 0, 0, sizeBytes);
  bytes?.copy(next, position);
  return next;
}

/** A plain file: what everybody sees of it, and what would be left of it if the power went. */
export class FileInode extends Inode {
  content: Buffer = NOTHING;
  private durable: Buffer = NOTHING;
  private changes: Change[] = [];

  get isDirty(): boolean {
    return this.changes.length > 0;
  }

  write(bytes: Uint8Array, position: number): void {
    this.change({ position, bytes: Buffer.from(bytes) });
  }

  resize(sizeBytes: number): void {
    this.change({ position: sizeBytes, bytes: undefined });
  }

  private change(change: Change): void {
    this.content = applied(this.content, change);
    this.changes.push(change);
  }

  /** Content, size and rights are on the disk. */
  sync(): void {
    for (const change of this.changes) this.durable = applied(this.durable, change);
    this.changes = [];
    this.durableRights = this.rights;
  }

  /** What was not on the disk yet never will be, however often it is asked for again: so Linux treats a failed flush. */
  failSync(): void {
    this.changes = [];
  }

  /** What a power cut leaves of the content: what was flushed, and any part of the rest. */
  survivor(random: () => number): Buffer {
    const draw = random();
    let old: Buffer = Buffer.from(this.durable);
    if (!this.isDirty || draw < 0.25) return old;
    const kept = draw < 0.5 ? this.changes.length : Math.floor(random() * (this.changes.length + 1));
    for (const change of this.changes.slice(0, kept)) old = applied(old, change);
    if (draw < 0.65) return old;
    // Any sectors of what came later, too; the size may say more than was written, as with delayed allocation.
    const all = this.content;
    const left = Buffer.alloc(random() < 0.5 ? all.length : old.length);
    for (let at = 0; at < left.length; at += SECTOR_BYTES) {
      const from = random() < 0.5 ? all : old;
      if (at < from.length) from.copy(left, at, at, Math.min(at + SECTOR_BYTES, from.length));
    }
    return left;
  }

  /** Starts over with what a power cut left. */
  restoreAs(content: Buffer): void {
    this.content = content;
    this.durable = Buffer.from(content);
  }
}
