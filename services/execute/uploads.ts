import { DrainingError } from "../errors/index.js";
import type { Incarnation } from "../protocol/incarnation.js";
import type { Volume } from "../volume/volume.js";
import { KeptFiles } from "./kept-files.js";
import { keptKey } from "./kept-name.js";
import { KeptUpload, type KeptUploadLimits } from "./kept-upload.js";
import { Upload } from "./upload.js";

export interface UploadsLimits extends KeptUploadLimits {
  readonly uploadsKeptMax: number;
  readonly uploadKeepMs: number;
}

/** How a client calls an upload that it may resume. */
export interface UploadIdentity {
  readonly volume: string;
  readonly path: string;
  readonly uploadId: string;
}

/** Where files on their way in come from. */
export class Uploads {
  private readonly files: KeptFiles;
  private readonly leaver = new AbortController();
  private underWay = 0;

  constructor(
    private readonly volume: Volume,
    private readonly incarnation: Incarnation,
    private readonly limits: UploadsLimits,
  ) {
    this.files = new KeptFiles(volume, limits.uploadsKeptMax);
  }

  /** One that ends with its stream. */
  begin(): Upload {
    return new Upload(this.volume, this.incarnation.nextOperation(), this.limits);
  }

  /** How many bytes could be gone on from. Takes nothing over: a call that asks for too much disturbs nobody. */
  async heldBytes({ volume, path, uploadId }: UploadIdentity): Promise<number> {
    return (await this.files.best(keptKey(volume, path, uploadId)))?.trustedBytes ?? 0;
  }

  /** Runs `work` with what is held under this name, taken over, and keeps what it leaves. */
  async resume<T>(identity: UploadIdentity, signal: AbortSignal, work: (upload: KeptUpload) => Promise<T>): Promise<T> {
    const { volume, path, uploadId } = identity;
    const key = keptKey(volume, path, uploadId);
    const facts = { key, operation: this.incarnation.nextOperation(), path, uploadId };
    this.underWay += 1;
    try {
      await using upload = new KeptUpload(this.files, facts, this.limits);
      await upload.takeOver(signal);
      return await work(upload);
    } finally {
      this.underWay -= 1;
    }
  }

  /** Uploads that can be resumed and have not yet put down their bytes. */
  get size(): number {
    return this.underWay;
  }

  /** Aborted when this replica leaves: who can go on elsewhere does so at once. */
  get leaving(): AbortSignal {
    return this.leaver.signal;
  }

  leave(): void {
    this.leaver.abort(new DrainingError());
  }

  /** Removes what nobody came back for. A stream still under way writes, so its file is young. */
  clean(nowMs = Date.now()): Promise<number> {
    return this.files.removeOlder(nowMs - this.limits.uploadKeepMs);
  }
}
