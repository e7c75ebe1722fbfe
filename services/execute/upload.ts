import { createHash, type Hash } from "node:crypto";
import { LimitExceededError } from "../errors/index.js";
import type { Source } from "../model/operation-request.js";
import { uploadName } from "../protocol/names.js";
import type { Handle, Volume } from "../volume/volume.js";

export interface UploadLimits {
  readonly inlineBytesMax: number;
  readonly uploadBytesMax: number;
}

/** What was received, as the pipeline takes it. */
export type Received = Source & { readonly from: "bytes" | "upload" };

export function checkUploadBytes(sizeBytes: number, { uploadBytesMax }: UploadLimits): void {
  if (sizeBytes > uploadBytesMax)
    throw new LimitExceededError({ field: "chunk", limit: `${uploadBytesMax} bytes in one file` });
}

/**
 * A file on its way in, before anything is locked: a slow client never holds a lease. What fits into a journal record
 * stays in memory; the rest goes to `uploads/`, and becomes the staged file by a link.
 */
export class Upload implements AsyncDisposable {
  private readonly digest: Hash = createHash("sha256");
  private readonly small: Uint8Array[] = [];
  private handle: Handle | undefined;
  private received = 0;

  constructor(
    private readonly volume: Volume,
    private readonly uploadId: string,
    private readonly limits: UploadLimits,
  ) {}

  get sizeBytes(): number {
    return this.received;
  }

  async write(chunk: Uint8Array): Promise<void> {
    const end = this.received + chunk.length;
    checkUploadBytes(end, this.limits);
    this.digest.update(chunk);
    if (!this.handle && end > this.limits.inlineBytesMax) {
      this.handle = await this.volume.create(this.volume.control(uploadName(this.uploadId)));
      await this.handle.write(Buffer.concat(this.small.splice(0)), 0);
    }
    if (this.handle) await this.handle.write(chunk, this.received);
    else this.small.push(chunk);
    this.received = end;
  }

  /** All bytes are here. */
  async finish(): Promise<Received> {
    const sha256 = this.digest.digest();
    const { handle } = this;
    if (!handle) return { from: "bytes", bytes: Buffer.concat(this.small), sha256 };
    this.handle = undefined;
    await handle[Symbol.asyncDispose]();
    return { from: "upload", uploadId: this.uploadId, sizeBytes: this.received, sha256 };
  }

  /**
   * Removes what is left of it; the staged link, if there is one, stays. Never throws: the change that it was for has its
   * outcome by now, and an error would hide that (I5). What cannot be removed goes with its incarnation.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.handle?.[Symbol.asyncDispose]();
    await this.volume.unlink(this.volume.control(uploadName(this.uploadId))).catch(() => undefined);
  }
}
