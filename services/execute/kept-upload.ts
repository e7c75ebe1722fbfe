import { createHash, type Hash } from "node:crypto";
import { SafeOperationError, UploadDiffersError, UploadOffsetError, UploadTakenOverError } from "../errors/index.js";
import type { OperationId } from "../model/operation.js";
import { codeOf, type Handle, went } from "../volume/volume.js";
import type { Held, KeptFiles } from "./kept-files.js";
import { type KeptName, keptLeaf } from "./kept-name.js";
import { checkUploadBytes, type Received, type UploadLimits } from "./upload.js";

export interface KeptUploadLimits extends UploadLimits {
  readonly uploadSyncBytes: number;
}

/** What an upload is called, and who receives it now. */
export interface KeptUploadFacts {
  readonly key: string;
  readonly operation: OperationId;
  /** For errors. */
  readonly path: string;
  readonly uploadId: string;
}

const COPY_BYTES = 1024 * 1024;
const OPEN_ATTEMPTS_MAX = 10;

/**
 * A file on its way in whose bytes outlive the stream and the replica that received them. What fits into a journal
 * record stays in memory and is lost with the stream: to send it again costs no more than to keep it.
 *
 * Resuming never shares a file. The stream before may belong to a replica that is only paused and goes on to write,
 * also after this one has published: so the bytes that can be believed are copied, then the old name is removed, and
 * with it the old stream's way to commit.
 */
export class KeptUpload implements AsyncDisposable {
  private readonly digest: Hash = createHash("sha256");
  private readonly small: Uint8Array[] = [];
  private file: { readonly name: KeptName; readonly handle: Handle } | undefined;
  private received = 0;
  private syncedBytes = 0;
  /** How much there was when the last flush began. */
  private flushedBytes = 0;
  /** The flush that is under way, while more is received. */
  private syncing: Promise<void> | undefined;
  private due: number | undefined;
  private worthKeeping = true;
  private canSync = true;

  constructor(
    private readonly files: KeptFiles,
    private readonly facts: KeptUploadFacts,
    private readonly limits: KeptUploadLimits,
  ) {}

  /** Bytes held so far, from the start on. */
  get sizeBytes(): number {
    return this.received;
  }

  /** Where the next chunk must begin; undefined before the first, which may begin anywhere up to what is held. */
  get nextOffset(): number | undefined {
    return this.due;
  }

  /** Takes over what an earlier stream left; from then on that one cannot commit. */
  async takeOver(signal: AbortSignal): Promise<void> {
    for (let attempt = 0; attempt < OPEN_ATTEMPTS_MAX; attempt++) {
      const held = await this.files.best(this.facts.key);
      if (!held) return;
      const source = await this.files.openRead(held.name);
      if (!source) continue; // taken by another one, or committed, since it was listed
      await using old = source;
      await this.claim((handle) => this.copy(old, handle, held, signal));
      return;
    }
    throw this.takenOver();
  }

  /** Makes a name of its own, fills it, and becomes the upload. In this order, so that the bytes are never without one. */
  private async claim(fill: (handle: Handle) => Promise<void>): Promise<void> {
    const name = await this.files.next(this.facts.key, this.facts.operation);
    const handle = await this.files.create(name);
    this.file = { name, handle };
    try {
      await fill(handle);
      await this.remember(name, this.syncedBytes);
      if (!(await this.files.supersede(name))) throw this.takenOver();
    } catch (error) {
      this.worthKeeping = false;
      throw error;
    }
  }

  private async copy(source: Handle, target: Handle, { trustedBytes }: Held, signal: AbortSignal): Promise<void> {
    const buffer = Buffer.allocUnsafe(Math.min(COPY_BYTES, trustedBytes));
    while (this.received < trustedBytes) {
      signal.throwIfAborted();
      const part = buffer.subarray(0, Math.min(buffer.length, trustedBytes - this.received));
      const read = await source.read(part, this.received);
      if (read === 0) break;
      await target.write(part.subarray(0, read), this.received);
      this.digest.update(part.subarray(0, read));
      this.received += read;
    }
    // Before the old file goes: what was durable must stay so.
    await target.sync();
    this.syncedBytes = this.received;
    this.flushedBytes = this.received;
  }

  /** Takes the bytes from `offset` on. What is held already is compared and skipped. */
  async write(chunk: Uint8Array, offset: number): Promise<void> {
    if (offset > this.received) throw this.gap(offset);
    const skip = Math.min(this.received - offset, chunk.length);
    if (skip > 0) await this.compare(chunk.subarray(0, skip), offset);
    await this.append(chunk.subarray(skip));
    this.due = offset + chunk.length;
  }

  private async compare(bytes: Uint8Array, offset: number): Promise<void> {
    const held = Buffer.allocUnsafe(bytes.length);
    const read = (await this.file?.handle.read(held, offset)) ?? 0;
    const { path, uploadId } = this.facts;
    if (!held.subarray(0, read).equals(bytes)) throw new UploadDiffersError({ path, uploadId, offset });
  }

  private async append(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return;
    const end = this.received + bytes.length;
    checkUploadBytes(end, this.limits);
    if (!this.file && end > this.limits.inlineBytesMax)
      await this.claim((handle) => handle.write(Buffer.concat(this.small.splice(0)), 0));
    if (!this.file) this.small.push(bytes);
    else
      await this.file.handle.write(bytes, this.received).catch((error: unknown) => {
        // On a full volume a flush could fail as well, and would end this incarnation (I10).
        this.canSync = false;
        throw error;
      });
    this.digest.update(bytes);
    this.received = end;
    if (this.received - this.flushedBytes >= this.limits.uploadSyncBytes) await this.flush();
  }

  /** Begins a flush beside what is received; at most one is under way. */
  private async flush(): Promise<void> {
    await this.syncing;
    this.flushedBytes = this.received;
    this.syncing = this.sync();
    this.syncing.catch(() => undefined); // whoever waits for it meets its failure
  }

  /** Bounds what a power cut costs, and notices that another stream has taken over. */
  private async sync(): Promise<void> {
    if (!this.file) return;
    const { received } = this;
    if (!(await this.files.exists(this.file.name))) throw this.takenOver();
    await this.file.handle.sync().catch((error: unknown) => {
      // Another flush might say that all is well, and the bytes be lost (I10).
      this.worthKeeping = false;
      throw error;
    });
    await this.remember(this.file.name, received);
    this.syncedBytes = received;
  }

  private async remember(name: KeptName, syncedBytes: number): Promise<void> {
    // Whoever takes over removes the state as well, also while it is being written.
    if (!(await went(this.files.remember(name, syncedBytes), ["ENOENT"]))) throw this.takenOver();
  }

  /** All bytes are here. */
  async finish(): Promise<Received> {
    const sha256 = this.digest.digest();
    if (!this.file) return { from: "bytes", bytes: Buffer.concat(this.small), sha256 };
    await this.syncing;
    if (!(await this.files.exists(this.file.name))) throw this.takenOver();
    return { from: "upload", uploadId: keptLeaf(this.file.name), sizeBytes: this.received, sha256 };
  }

  /** What to say when the change failed: a name taken away at the last moment is no fault of the server. */
  async explain(failure: unknown): Promise<unknown> {
    const cause = failure instanceof SafeOperationError && failure.stage === "lock" ? failure.facts.cause : undefined;
    if (!this.file || codeOf(cause) !== "ENOENT" || (await this.files.exists(this.file.name))) return failure;
    return this.takenOver();
  }

  /** The bytes are of no more use: they were committed, or are not what they should be. */
  drop(): void {
    this.worthKeeping = false;
  }

  /** A chunk, or the end, came too early. */
  gap(offset: number): UploadOffsetError {
    return new UploadOffsetError({ path: this.facts.path, offset, uploadOffset: this.received });
  }

  private takenOver(): UploadTakenOverError {
    return new UploadTakenOverError({ path: this.facts.path, uploadId: this.facts.uploadId });
  }

  /** Leaves the bytes for a later stream, unless they were dropped or are another one's by now. Never throws. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.file) return;
    const { name, handle } = this.file;
    await this.syncing?.catch(() => undefined); // its descriptor must not become another file's
    // What cannot be put down now costs a later stream some bytes, or the cleaner a name: no news for this caller.
    await this.putDown(name).catch(() => undefined);
    await handle[Symbol.asyncDispose]();
  }

  private async putDown(name: KeptName): Promise<void> {
    if (!this.worthKeeping || !(await this.files.exists(name))) await this.files.remove(name);
    else if (this.canSync && this.received > this.syncedBytes) await this.sync();
  }
}
